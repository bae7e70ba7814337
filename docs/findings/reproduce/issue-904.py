"""A rejected review does not keep an approved work package from being merged."""

from world import judge, main


def scenario(world):
    w = world(packages=("WP01",))
    w.startable()
    said = {"reviewer": "rev", "verdict": "changes_requested", "reference": "r1", "feedback_path": None}
    w.add(*w.walk("WP01", "claimed", "in_progress", "for_review", "in_review"),
          w.row("WP01", "in_review", "planned", 20, review_ref="r1", review_result=said),
          w.row("WP01", "planned", "approved", 21, force=True, reason="r"))  # fmt: skip
    (w.folder / "tasks" / "WP01-work").mkdir()
    (w.folder / "tasks" / "WP01-work" / "review-cycle-1.md").write_text(
        f"---\ncycle_number: 1\nmission_slug: {w.slug}\nwp_id: WP01\nreviewer_agent: rev\nreviewed_at: '2020-03-02T09:30:00Z'\n"
        "verdict: rejected\naffected_files: []\nreproduction_command: null\n---\n\n# Rejected\n"
    )
    w.commit("Rejected")
    run = w.run("merge", "--mission", w.slug, "--dry-run", "--json")
    judge("REJECTED_REVIEW_ARTIFACT_CONFLICT" not in run.out + run.err, f"{run.out[:700]} {run.err[-300:]}")


main(scenario)
