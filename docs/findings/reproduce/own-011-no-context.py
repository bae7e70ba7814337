"""Without the context of the lane everything is let through without a word."""

from world import control, judge, main


def scenario(world):
    w = world()
    (w.root / ".kittify" / "config.yaml").open("a").write("policy: {commit_guard: {enabled: true, mode: block}}\n")
    w.startable(shared=True)
    control(w.action("implement", "WP01", "ann").status == 0, "the legal twin fails")
    taken, said = w.change("src/wp01/a.py")
    control(taken, said)
    stopped, said = w.change("elsewhere/a.py")
    control(not stopped, f"a file of nobody is let through: {said}")
    w.git("reset", "-q", "--hard", cwd=w.lane)
    for context in (w.root / ".kittify" / "workspaces").glob("*.json"):
        context.unlink()
    taken, said = w.change("elsewhere/b.py")
    judge(
        "context" not in said.lower(),
        f"there is no context; a file of nobody is let through: {taken}, and is said: {said!r}",
    )


main(scenario)
