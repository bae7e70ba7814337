"""Another agent's start takes a held work package over."""

from world import control, judge, main


def scenario(world):
    w = world(packages=("WP01",))
    w.startable()
    control(w.action("implement", "WP01", "ann").status == 0, "the legal twin fails")
    again = w.action("implement", "WP01", "ann")
    before = w.log.read_bytes()
    run = w.action("implement", "WP01", "bob")
    judge(
        again.status != 0 or run.status == 0 or w.log.read_bytes() != before, f"ann again: {again.status}; bob: {run}"
    )


main(scenario)
