"""The guard of commits goes by a work package that is over."""

from world import control, judge, main


def scenario(world):
    w = world()
    (w.root / ".kittify" / "config.yaml").open("a").write("policy: {commit_guard: {enabled: true, mode: block}}\n")
    w.startable(shared=True)
    control(w.action("implement", "WP01", "ann").status == 0, "the legal twin fails")
    taken, said = w.change("src/wp01/a.py")
    control(taken, said)
    w.add(*(w.row("WP01", a, b, 40 + n, at=w.now(n), force=True, reason="r") for n, (a, b) in enumerate((("in_progress", "approved"),))),
          *(w.row("WP02", a, b, 50 + n, at=w.now(10 + n)) for n, (a, b) in enumerate((("planned", "claimed"), ("claimed", "in_progress")))))  # fmt: skip
    active, said = w.change("src/wp02/a.py")
    w.git("reset", "-q", "--hard", cwd=w.lane)
    over, other = w.change("src/wp01/b.py")
    judge(
        not active or over,
        f"WP02 is active; its file is let through: {active} ({said}); a file of WP01: {over} ({other})",
    )


main(scenario)
