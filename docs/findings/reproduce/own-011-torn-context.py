"""A context that cannot be read counts as none, without a word."""

from world import judge, main


def scenario(world):
    w = world()
    w.guarded()
    w.stopped("elsewhere/a.py")
    for context in w.contexts():
        context.write_text(context.read_text()[:40])
    taken, said = w.change("elsewhere/b.py")
    judge(
        "context" not in said.lower(),
        f"the context is torn; a file of nobody is let through: {taken}, and is said: {said!r}",
    )


main(scenario)
