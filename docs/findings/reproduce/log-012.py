"""A missing log, an empty one and one without moves are not told apart."""

from world import control, judge, main


def scenario(world):
    w = world()
    control(w.lanes()[0] == {"WP01": "planned", "WP02": "planned"}, "the log is not read")
    w.log.write_bytes(b"")
    w.commit("Empty")
    empty = w.lanes()
    w.log.unlink()
    w.commit("Missing")
    missing = w.lanes()
    invented = {lane for lanes, _ in (empty, missing) for lane in lanes.values()} - {"genesis", "uninitialized"}
    judge(bool(invented) or (empty[1].status, empty[0]) == (missing[1].status, missing[0]),
          f"empty: {empty[0]} {empty[1].status}; missing: {missing[0]} {missing[1].status}")  # fmt: skip


main(scenario)
