"""An actor with a colon in his name cannot start anything: he is told that he himself holds it."""

from world import control, judge, main


def scenario(world):
    w = world()
    w.startable()
    control(w.action("implement", "WP02", "pete").status == 0, "the legal twin fails")
    run = w.action("implement", "WP01", "pete:opus")
    judge(run.status != 0, f"rows {w.moves('WP01')}; {run}")


main(scenario)
