"""The merge driver drops a line that it cannot read."""

from world import control, judge, main


def scenario(world):
    w = world()
    ancestor, ours, theirs = (w.base / name for name in ("ancestor", "ours", "theirs"))
    start = w.log.read_text()
    ancestor.write_text(start)
    ours.write_text(start + w.row("WP01", "planned", "claimed", 10) + "\n")
    theirs.write_text(start + w.row("WP02", "planned", "claimed", 11) + "\n")
    run = w.run("merge-driver-event-log", str(ancestor), str(ours), str(theirs))
    control(run.status == 0, run)
    theirs.write_text(start + '{"actor": "ann", "at": "20\n' + w.row("WP02", "planned", "claimed", 11) + "\n")
    run = w.run("merge-driver-event-log", str(ancestor), str(ours), str(theirs))
    judge(run.status == 0, f"{run}; result {ours.read_text()[-300:]!r}")


main(scenario)
