"""Who comes second is not told who won."""

from world import control, judge, main


def scenario(world):
    w = world()
    control(w.emit("WP02", "claimed").status == 0, "the legal twin fails")
    control(w.emit("WP01", "claimed", actor="ann").status == 0, "ann cannot claim it")
    run = w.emit("WP01", "claimed", actor="bob")
    control(run.status != 0, f"it is accepted: {run}")
    judge("ann" not in run.out + run.err, f"{run}")


main(scenario)
