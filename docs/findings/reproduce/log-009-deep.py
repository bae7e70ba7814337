"""A line of nested brackets ends the command in a RecursionError."""

from world import control, judge, main


def scenario(world):
    w = world()
    control(w.lanes()[1].status == 0, "the log is not read")
    w.add("[" * 100_000 + "]" * 100_000)
    lanes, run = w.lanes()
    judge("Recursion" in run.out + run.err or "line" not in run.out + run.err, f"{lanes} {run}")


main(scenario)
