"""A row written two hours later counts as the earlier one, because its offset from UTC is spelled differently."""

from world import control, judge, main


def scenario(world):
    w = world()
    w.add(w.row("WP01", "planned", "claimed", 10, at="2020-03-02T11:00:00+02:00"))
    control(w.lanes()[0].get("WP01") == "claimed", "an offset is not read")
    w.add(w.row("WP01", "claimed", "in_progress", 11, at="2020-03-02T10:00:00+00:00"))
    lanes, _ = w.lanes()
    judge(
        lanes.get("WP01") != "in_progress",
        f"claimed at 09:00 UTC, in_progress at 10:00 UTC; WP01 is {lanes.get('WP01')}",
    )


main(scenario)
