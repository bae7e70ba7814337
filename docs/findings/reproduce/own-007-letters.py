"""A file name with letters outside of ASCII is judged as git quotes it."""

from world import control, judge, main


def scenario(world):
    w = world()
    (w.root / ".kittify" / "config.yaml").open("a").write("policy: {commit_guard: {enabled: true, mode: block}}\n")
    w.startable(shared=True)
    control(w.action("implement", "WP01", "ann").status == 0, "the legal twin fails")
    taken, said = w.change("src/wp01/a.py")
    control(taken, said)
    taken, said = w.change("src/wp01/größe.py")
    judge(not taken, f"src/wp01/größe.py is a file of WP01, which owns src/wp01/**: let through: {taken}. {said}")


main(scenario)
