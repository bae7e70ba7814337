"""The local store of the sync cannot be read, so the change will never be told: whether a program is told of that."""

from service import SYNCING, spoil_stores
from world import control, judge, main


def scenario(world):
    w = world()
    twin = w.emit("WP01", "claimed", **SYNCING)
    control(twin.status == 0, "the legal twin fails")
    spoil_stores(w)
    run = w.emit("WP02", "claimed", **SYNCING)
    control(run.status == 0 and run.err != twin.err, "nothing shows that the store was wanted")
    judge("diagnostic_code" not in run.err + run.out, f"no diagnostic: {run}")


main(scenario)
