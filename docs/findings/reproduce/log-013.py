"""The merge driver takes two rows of one event id that differ for one."""

from world import control, judge, main


def scenario(world):
    w = world()
    ours = w.row("WP01", "planned", "claimed", 10)
    run, merged = w.merge_logs(ours, [w.row("WP02", "planned", "claimed", 11)])
    control(run.status == 0 and len(merged.splitlines()) == 4, run)
    run, merged = w.merge_logs(ours, [w.row("WP01", "planned", "blocked", 10)])
    judge(run.status == 0, f"event {10} is claimed here and blocked there; {run}; result {merged[-300:]!r}")


main(scenario)
