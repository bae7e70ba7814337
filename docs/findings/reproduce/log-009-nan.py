"""A row with NaN or a repeated key is taken as it comes."""

from world import control, judge, main


def scenario(world):
    w = world()
    w.add(w.row("WP01", "planned", "claimed", 10))
    control(w.lanes()[1].status == 0, "the log is not read")
    line = w.row("WP01", "claimed", "blocked", 11)
    w.add(line.replace('"to_lane": "blocked"', '"to_lane": "in_progress", "to_lane": "blocked"'))
    lanes, run = w.lanes()
    judge(run.status == 0, f"a row names two lanes, in_progress and blocked; WP01 is {lanes.get('WP01')}")


main(scenario)
