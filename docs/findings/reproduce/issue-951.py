"""The guard of commits goes by a work package that is over."""

from world import judge, main


def scenario(world):
    w = world()
    w.guarded()
    w.add(
        w.row("WP01", "in_progress", "approved", 40, at=w.now(), force=True, reason="r"),
        *w.walk("WP02", "claimed", "in_progress", first=50, now=True),
    )
    active, said = w.change("src/wp02/a.py")
    w.git("reset", "-q", "--hard", cwd=w.lane)
    over, other = w.change("src/wp01/b.py")
    judge(
        not active or over,
        f"WP02 is active; its file is let through: {active} ({said}); a file of WP01: {over} ({other})",
    )


main(scenario)
