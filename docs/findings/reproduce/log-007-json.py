"""A corrupt line: with --json the refusal has no code, no work package, no path."""

from world import control, judge, main


def scenario(world):
    w = world()
    control(w.emit("WP01", "claimed").status == 0, "the legal twin fails")
    w.add('{"actor": "ann", "at": "2020-')
    run = w.emit("WP02", "claimed")
    control(run.status != 0, f"it is accepted: {run}")
    judge(bool(run.missing()), f"the diagnostic lacks {', '.join(run.missing())}: {run}")


main(scenario)
