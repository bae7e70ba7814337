"""merge --push changes the target although it diverged."""

from world import judge, main


def scenario(world):
    w = world(packages=("WP01",))
    w.startable()
    w.work()
    w.hand_over("in_review", "approved")
    w.diverge()
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
