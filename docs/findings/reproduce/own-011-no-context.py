"""Without the context of the lane everything is let through without a word."""

from world import judge, main


def scenario(world):
    w = world()
    w.guarded()
    w.stopped("elsewhere/a.py")
    for context in w.contexts():
        context.unlink()
    taken, said = w.change("elsewhere/b.py")
    judge(
        "context" not in said.lower(),
        f"there is no context; a file of nobody is let through: {taken}, and is said: {said!r}",
    )


main(scenario)
