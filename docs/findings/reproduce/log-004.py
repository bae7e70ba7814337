"""A rejection at the very instant of an approval loses when it sends the work package back to planned."""

from world import control, judge, main


def scenario(world):
    w = world()
    at = "2020-03-02T10:00:00+00:00"
    said = {"reviewer": "rev", "reference": "r1"}
    walk = w.walk("WP01", "claimed", "in_progress", "for_review", "in_review")
    approve = w.row("WP01", "in_review", "approved", 21, at=at, review_result={**said, "verdict": "approved"})
    reject = w.row("WP01", "in_review", "planned", 20, at=at, review_ref="r1",
                   review_result={**said, "verdict": "changes_requested"})  # fmt: skip
    w.add(*walk)
    control(w.lanes()[0].get("WP01") == "in_review", "the walk is not read")
    w.add(reject, approve)
    lanes, run = w.lanes()
    judge(lanes.get("WP01") != "planned", f"both were written at {at}; WP01 is {lanes.get('WP01')}, {run.status=}")


main(scenario)
