"""Rows of another mission move the work packages of this one."""

from world import control, judge, main


def scenario(world):
    w = world()
    control(w.lanes()[0].get("WP01") == "planned", "the log is not read")
    other = {"mission_id": "01E2D7M870BGGP49DN6WXX7XS9", "mission_slug": "other-01E2D7M8"}
    w.add(w.row("WP01", "planned", "claimed", 10, **other))
    lanes, run = w.lanes()
    judge(
        lanes.get("WP01") != "planned",
        f"a row of mission {other['mission_slug']} made WP01 {lanes.get('WP01')}; {run.err[-200:]!r}",
    )


main(scenario)
