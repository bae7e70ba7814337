"""move-task, too, reports a move that a row dated later outranks."""

from world import control, judge, main


def scenario(world):
    w = world()
    control(w.emit("WP01", "claimed").status == 0, "the legal twin fails")
    w.add(w.row("WP02", "planned", "claimed", 10, at="2099-01-01T00:00:00+00:00"))
    run = w.run(
        "agent", "tasks", "move-task", "WP02", "--to", "in_progress", "--agent", "ann", "--mission", w.slug, "--json"
    )
    lanes, _ = w.lanes()
    judge(
        run.status == 0 and lanes.get("WP02") != "in_progress",
        f"reported {run.json.get('new_lane')}, it is {lanes.get('WP02')}; {run}",
    )


main(scenario)
