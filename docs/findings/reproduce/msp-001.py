"""merge goes ahead on a target that diverged from its upstream."""

from itertools import pairwise

from world import control, judge, main


def scenario(world):
    w = world(packages=("WP01",))
    w.startable()
    control(w.action("implement", "WP01", "ann").status == 0, "the legal twin fails")
    control(w.change("src/wp01/a.py")[0], "the lane takes no commit")
    lanes = ("in_progress", "for_review", "in_review", "approved")
    moves = enumerate(pairwise(lanes))
    w.add(*(w.row("WP01", old, new, 40 + n, at=w.now(n)) for n, (old, new) in moves))
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
    print(w.git("rev-list", "--left-right", "--count", "main...origin/main"), "commits ahead and behind")
    run = w.run("merge", "--mission", w.slug, "--yes")
    merged = w.git("rev-parse", "main") != before
    judge(merged, f"main was changed: {merged}; exit status {run.status}, ...{run.out.strip()[-300:]!r}")


main(scenario)
