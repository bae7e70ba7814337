"""An override that is about another work package clears this one."""

import json

from mission import event
from world import control, judge, main


def scenario(world):
    w = world()
    w.startable()
    w.approve_rejected("WP01", first=20)
    w.approve_rejected("WP02", first=40)
    blockers = [item.get("branch_or_work_package") for item in w.merge_plan().json.get("blockers", [])]
    control(sorted(blockers) == ["WP01", "WP02"], f"the rejected ones do not block: {blockers}")
    override = {"at": "2020-03-02T09:50:00+00:00", "actor": "arbiter", "reason": "out of scope", "wp_id": "WP02"}
    note = {"actor": "ann", "at": "2020-03-02T09:50:00+00:00", "delta": {"review": override}, "kind": "annotation"}
    w.add(json.dumps({**note, "event_id": event(50), "wp_id": "WP01"}))
    blockers = [item.get("branch_or_work_package") for item in w.merge_plan().json.get("blockers", [])]
    judge("WP01" not in blockers, f"an override of WP02 is recorded at WP01; what blocks: {blockers}")


main(scenario)
