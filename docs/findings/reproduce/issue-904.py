"""A rejected review does not keep an approved work package from being merged."""

from world import judge, main


def scenario(world):
    w = world(packages=("WP01",))
    w.startable()
    w.approve_rejected("WP01")
    w.review("WP01", "rejected")
    run = w.merge_plan()
    judge("REJECTED_REVIEW_ARTIFACT_CONFLICT" not in run.out + run.err, f"{run.out[:700]} {run.err[-300:]}")


main(scenario)
