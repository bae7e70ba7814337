"""A start in front of a corrupt log fails without a code and without a remedy."""

from world import control, judge, main


def scenario(world):
    w = world()
    w.startable()
    control(w.action("implement", "WP02", "ann").status == 0, "the legal twin fails")
    w.add('{"actor": "ann", "at": "2020-')
    run = w.action("implement", "WP01", "bob")
    control(run.status != 0, f"it is accepted: {run}")
    judge("diagnostic_code" not in run.out + run.err, f"exit status {run.status}: ...{run.out.strip()[-300:]!r}")


main(scenario)
