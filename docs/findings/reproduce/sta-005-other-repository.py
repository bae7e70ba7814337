"""In a worktree of another repository a move is written to the repository around it."""

from world import control, judge, main


def scenario(world):
    w = world()
    other = w.base / "elsewhere"
    w.git("init", "-q", "-b", "main", str(other))
    w.git("commit", "-q", "--allow-empty", "-m", "Begin", cwd=other)
    (w.root / "vendor").mkdir()
    place = w.root / "vendor" / "other"
    w.git("worktree", "add", "-q", "-b", "topic", str(place), cwd=other)
    control(w.emit("WP02", "claimed").status == 0, "the legal twin fails")
    before = w.log.read_bytes()
    run = w.emit("WP01", "claimed", cwd=place)
    judge(
        w.log.read_bytes() != before,
        f"asked in a worktree of elsewhere; the log of repo changed: {w.log.read_bytes() != before}; {run}",
    )


main(scenario)
