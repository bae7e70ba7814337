"""merge --push changes the target although it diverged."""

from itertools import pairwise

from world import control, judge, main


def scenario(world):
    w = world(packages=("WP01",))
    w.startable()
    control(w.action("implement", "WP01", "ann").status == 0, "the legal twin fails")
    control(w.change("src/wp01/a.py")[0], "the lane takes no commit")
    lanes = ("in_progress", "for_review", "in_review", "approved")
    w.add(*(w.row("WP01", a, b, 40 + n, at=w.now(n)) for n, (a, b) in enumerate(pairwise(lanes))))
    w.git("init", "-q", "--bare", "-b", "main", str(w.base / "origin.git"))
    w.git("remote", "add", "origin", str(w.base / "origin.git"))
    w.git("push", "-q", "-u", "origin", "main")
    w.git("clone", "-q", str(w.base / "origin.git"), str(w.base / "second"))
    (w.base / "second" / "theirs").touch()
    w.git("add", "-A", cwd=w.base / "second")
    w.git("commit", "-qm", "Theirs", cwd=w.base / "second")
    w.git("push", "-q", cwd=w.base / "second")
    w.commit("Ours")
    w.git("fetch", "-q")
    before = w.git("rev-parse", "main")
    push = w.run("merge", "--mission", w.slug, "--yes", "--push")
    if push.status == 2:
        push = w.run("merge", "--mission", w.slug, "--push")
    pushed = w.git("rev-parse", "main") != before
    plain = w.run("merge", "--mission", w.slug, *(["--yes"] if "TARGET_BRANCH" in push.out else []))
    merged = w.git("rev-parse", "main") != before
    print(push.out[-1200:], push.err[-300:])
    print(plain.out[-600:], plain.err[-300:])
    judge(
        pushed,
        f"with --push: status {push.status}, main changed {pushed}; without: status {plain.status}, main changed {merged}",
    )


main(scenario)
