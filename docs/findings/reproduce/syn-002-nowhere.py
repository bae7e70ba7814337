"""A mission that does not exist, with --json: what stdout holds."""

from world import control, judge, main


def scenario(world):
    w = world()
    control(w.emit("WP01", "claimed").json.get("to_lane") == "claimed", "the legal twin fails")
    run = w.run(
        "agent", "status", "emit", "WP02", "--to", "claimed", "--actor", "ann", "--mission", "nowhere", "--json"
    )
    judge(run.status != 0 and not run.json, f"{run}")


main(scenario)
