"""What blocks a merge does not name the artifact that rejects."""

from world import control, judge, main


def scenario(world):
    w = world(packages=("WP01",))
    w.startable()
    w.approve_rejected("WP01", "review-cycle-1")
    path = w.review("WP01", "rejected")
    run = w.merge_plan()
    control(run.json.get("blocked") is True, f"it does not block: {run}")
    blocker = run.json["blockers"][0]
    judge(path.name not in str(blocker), f"{path.name} rejects WP01; the blocker: {blocker}")


main(scenario)
