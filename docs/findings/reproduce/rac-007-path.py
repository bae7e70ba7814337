"""What blocks a merge does not name the artifact that rejects."""

from world import control, judge, main


def scenario(world):
    w = world(packages=("WP01",))
    w.startable()
    said = {"reviewer": "rev", "verdict": "changes_requested", "reference": "review-cycle-1", "feedback_path": None}
    w.add(*w.walk("WP01", "claimed", "in_progress", "for_review", "in_review"),
          w.row("WP01", "in_review", "planned", 20, review_ref="review-cycle-1", review_result=said),
          w.row("WP01", "planned", "approved", 21, force=True, reason="r"))  # fmt: skip
    path = w.review("WP01", "rejected")
    run = w.run("merge", "--mission", w.slug, "--dry-run", "--json")
    control(run.json.get("blocked") is True, f"it does not block: {run}")
    blocker = run.json["blockers"][0]
    judge(path.name not in str(blocker), f"{path.name} rejects WP01; the blocker: {blocker}")


main(scenario)
