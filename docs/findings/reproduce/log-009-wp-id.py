"""A row whose wp_id is null is not refused with its line number."""

from world import control, judge, main


def scenario(world):
    w = world()
    w.add(w.row("WP02", "planned", "claimed", 10))
    control(w.lanes()[1].status == 0, "the log is not read")
    line = w.row("WP01", "planned", "claimed", 11, wp_id="VALUE")
    w.add(line.replace('"VALUE"', "null"))
    lanes, run = w.lanes()
    judge(
        "Traceback" in run.err or run.status == 0 or "line 4" not in run.out + run.err,
        f"the row is line 4; {lanes}; {run}",
    )


main(scenario)
