"""The snapshot cannot be written: the command fails, and the row stays in the log."""

from world import control, judge, main


def scenario(world):
    w = world()
    control(w.emit("WP01", "claimed").status == 0, "the legal twin fails")
    snapshot = w.folder / "status.json"
    snapshot.unlink(missing_ok=True)
    snapshot.mkdir()
    (snapshot / "keep").touch()
    w.commit("In the way")
    before = w.log.read_bytes()
    run = w.emit("WP02", "claimed")
    control(run.status != 0, f"it succeeds: {run}")
    stands = "claimed" in w.moves("WP02")
    told = any(
        word in (run.out + run.err).lower() for word in ("stands", "was written", "was appended", "kept", "durable")
    )
    judge(stands and w.log.read_bytes() != before and not told, f"the row of WP02 stands: {stands}; {run}")


main(scenario)
