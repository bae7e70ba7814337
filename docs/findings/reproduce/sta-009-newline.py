"""The last line has no newline: the next row destroys it, or is glued to it."""

from world import control, judge, main


def scenario(world):
    w = world()
    control(w.emit("WP01", "claimed").status == 0, "the legal twin fails")
    w.log.write_bytes(w.log.read_bytes().rstrip(b"\n"))
    w.commit("No newline")
    before = w.log.read_bytes()
    run = w.emit("WP02", "claimed")
    after = w.log.read_bytes()
    judge(
        not after.startswith(before) or (run.status == 0 and len(after.splitlines()) != len(before.splitlines()) + 1),
        f"{run}; tail {after[-500:]!r}",
    )


main(scenario)
