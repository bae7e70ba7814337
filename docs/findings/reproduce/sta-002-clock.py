"""A row whose clock is behind the last row is reported as success, and the work package stays where it was."""

from world import control, judge, main


def scenario(world):
    w = world()
    control(w.emit("WP02", "claimed").status == 0, "the legal twin fails")
    w.add(w.row("WP01", "planned", "claimed", 10, at="2099-01-01T00:00:00+00:00"))
    run = w.emit("WP01", "in_progress", "--workspace-context", "x")
    lanes, _ = w.lanes()
    judge(
        run.status == 0 and lanes.get("WP01") != "in_progress",
        f"reported {run.json.get('to_lane')}, it is {lanes.get('WP01')}; {run}",
    )


main(scenario)
