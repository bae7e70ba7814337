"""merge goes ahead on a target that diverged from its upstream."""

from world import judge, main


def scenario(world):
    w = world(packages=("WP01",))
    w.startable()
    w.work()
    w.hand_over("in_review", "approved")
    w.diverge()
    before = w.git("rev-parse", "main")
    print(w.git("rev-list", "--left-right", "--count", "main...origin/main"), "commits ahead and behind")
    run = w.run("merge", "--mission", w.slug, "--yes")
    merged = w.git("rev-parse", "main") != before
    judge(merged, f"main was changed: {merged}; exit status {run.status}, ...{run.out.strip()[-300:]!r}")


main(scenario)
