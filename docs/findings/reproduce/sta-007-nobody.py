"""A start by nobody is refused, and the work package is claimed all the same."""

from world import control, judge, main


def scenario(world):
    w = world()
    w.startable()
    control(w.action("implement", "WP02", "pete").status == 0, "the legal twin fails")
    before = w.moves("WP01")
    run = w.action("implement", "WP01", "")
    judge(run.status != 0 and w.moves("WP01") != before, f"rows before {before}, after {w.moves('WP01')}; {run}")


main(scenario)
