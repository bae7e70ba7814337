"""The local store of the sync cannot be read: what stdout holds."""

from service import SYNCING, spoil_stores
from world import control, judge, main


def scenario(world):
    w = world()
    control(w.emit("WP01", "claimed", **SYNCING).status == 0, "the legal twin fails")
    stores = spoil_stores(w)
    run = w.emit("WP02", "claimed", **SYNCING)
    print([str(s) for s in stores])
    judge(run.status != 0 or not run.json, f"{run}")


main(scenario)
