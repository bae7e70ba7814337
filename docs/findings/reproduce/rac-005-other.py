"""An override that is about another work package clears this one."""

import json

from world import control, event, judge, main


def scenario(world):
    w = world()
    w.startable()
    said = {"reviewer": "rev", "verdict": "changes_requested", "reference": "r1", "feedback_path": None}
    for number, name in ((20, "WP01"), (40, "WP02")):
        w.add(*w.walk(name, "claimed", "in_progress", "for_review", "in_review", first=number),
              w.row(name, "in_review", "planned", number + 5, review_ref="r1", review_result=said),
              w.row(name, "planned", "approved", number + 6, force=True, reason="r"))  # fmt: skip
    words = ("merge", "--mission", w.slug, "--dry-run", "--json")
    blockers = [item.get("branch_or_work_package") for item in w.run(*words).json.get("blockers", [])]
    control(sorted(blockers) == ["WP01", "WP02"], f"the rejected ones do not block: {blockers}")
    override = {"at": "2020-03-02T09:50:00+00:00", "actor": "arbiter", "reason": "out of scope", "wp_id": "WP02"}
    note = {"actor": "ann", "at": "2020-03-02T09:50:00+00:00", "delta": {"review": override}, "kind": "annotation"}
    w.add(json.dumps({**note, "event_id": event(50), "wp_id": "WP01"}))
    run = w.run(*words)
    blockers = [item.get("branch_or_work_package") for item in run.json.get("blockers", [])]
    judge("WP01" not in blockers, f"an override of WP02 is recorded at WP01; what blocks: {blockers}")


main(scenario)
