"""The merge driver drops a line that it cannot read."""

from world import control, judge, main


def scenario(world):
    w = world()
    ours, theirs = w.row("WP01", "planned", "claimed", 10), w.row("WP02", "planned", "claimed", 11)
    run, _ = w.merge_logs(ours, [theirs])
    control(run.status == 0, run)
    run, merged = w.merge_logs(ours, ['{"actor": "ann", "at": "20', theirs])
    judge(run.status == 0, f"{run}; result {merged[-300:]!r}")


main(scenario)
