"""Somebody holds git's index.lock: the failure has no code, and names neither work package nor path."""

from world import control, judge, main


def scenario(world):
    w = world()
    control(w.emit("WP01", "claimed").status == 0, "the legal twin fails")
    (w.root / ".git" / "index.lock").touch()
    before = w.log.read_bytes()
    run = w.emit("WP02", "claimed")
    changed = w.log.read_bytes() != before
    (w.root / ".git" / "index.lock").unlink()
    control(run.status != 0, f"it succeeds: {run}")
    judge(bool(run.missing()), f"the diagnostic lacks {', '.join(run.missing())}; log changed: {changed}; {run}")


main(scenario)
