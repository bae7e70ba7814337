"""A work package that does not exist is moved."""

from world import control, judge, main


def scenario(world):
    w = world()
    control(w.emit("WP01", "claimed").status == 0, "the legal twin fails")
    run = w.emit("WP77", "planned", "--force", "--reason", "r")
    if run.status:
        run = w.emit("WP77", "claimed")
    judge(run.status == 0, f"WP77 has no file; rows {w.moves('WP77')}; {run}")


main(scenario)
