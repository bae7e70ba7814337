"""A rejected review artifact does not keep an approved work package from being merged."""

from world import judge, main


def scenario(world):
    w = world(packages=("WP01",))
    w.startable()
    w.add(*w.walk("WP01", "claimed", "in_progress", "for_review", "in_review", "approved"))
    w.review("WP01", "rejected")
    run = w.merge_plan()
    judge("REJECTED_REVIEW_ARTIFACT_CONFLICT" not in run.out + run.err, f"{run}")


main(scenario)
