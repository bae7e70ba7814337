"""The local store of the sync cannot be read, so the change will never be told: whether a program is told of that."""

from world import control, judge, main


def scenario(world):
    w = world()
    on = {"SPEC_KITTY_ENABLE_SAAS_SYNC": "1"}
    twin = w.emit("WP01", "claimed", **on)
    control(twin.status == 0, "the legal twin fails")
    stores = [*w.home.rglob("*.db"), *w.root.rglob("*.db")]
    control(bool(stores), "no store")
    for store in stores:
        store.write_bytes(b"junk" * 1000)
    run = w.emit("WP02", "claimed", **on)
    control(run.status == 0 and run.err != twin.err, "nothing shows that the store was wanted")
    judge("diagnostic_code" not in run.err + run.out, f"no diagnostic: {run}")


main(scenario)
