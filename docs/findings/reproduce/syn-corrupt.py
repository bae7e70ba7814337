"""The local store of the sync cannot be read: what stdout holds."""

from world import control, judge, main


def scenario(world):
    w = world()
    on = {"SPEC_KITTY_ENABLE_SAAS_SYNC": "1"}
    control(w.emit("WP01", "claimed", **on).status == 0, "the legal twin fails")
    stores = [*w.home.rglob("*.db"), *w.root.rglob("*.db")]
    control(bool(stores), "no store")
    for store in stores:
        store.write_bytes(b"junk" * 1000)
    run = w.emit("WP02", "claimed", **on)
    print([str(s) for s in stores])
    judge(run.status != 0 or not run.json, f"{run}")


main(scenario)
