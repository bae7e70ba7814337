"""A file name with letters outside of ASCII is judged as git quotes it."""

from world import judge, main


def scenario(world):
    w = world()
    w.guarded()
    taken, said = w.change("src/wp01/größe.py")
    judge(not taken, f"src/wp01/größe.py is a file of WP01, which owns src/wp01/**: let through: {taken}. {said}")


main(scenario)
