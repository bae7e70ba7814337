"""A row of a kind that nobody knows is passed over without a word."""

import json

from world import control, judge, main


def scenario(world):
    w = world()
    row = json.loads(w.row("WP01", "planned", "claimed", 10))
    control(w.lanes()[1].status == 0, "the log is not read")
    del row["from_lane"], row["to_lane"]
    w.add(json.dumps({**row, "kind": "tombstone"}))
    lanes, run = w.lanes()
    judge(run.status == 0, f"{lanes}, {run.status=}, stderr {run.err[-200:]!r}")


main(scenario)
