"""The prompts of two repositories are one file."""

from world import judge, main


def scenario(world):
    paths = []
    one = world(packages=("WP01",))
    two = world(packages=("WP01",))
    for w in (one, two):
        w.startable()
        w.work()
        w.hand_over()
        run = w.action("review", "WP01", "rev", TMPDIR=str(one.base / "tmp"))
        paths.append(run.prompt())
    text = paths[0].read_text(encoding="utf-8")
    judge(
        paths[0] == paths[1] or str(one.root) not in text,
        f"{[str(p).replace(str(one.base), '') for p in paths]}; of its own repository: {str(one.root) in text}",
    )


main(scenario)
