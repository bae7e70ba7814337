"""A raw U+2028 in a reason cuts one row into two, and the log cannot be read any more."""

import json

from world import control, judge, main


def scenario(world):
    w = world()
    row = json.loads(w.row("WP01", "planned", "claimed", 10, reason="before\u2028after"))
    w.add(w.row("WP02", "planned", "claimed", 11, reason="before after"))
    control(w.lanes()[1].status == 0, "the log is not read")
    w.add(json.dumps(row, ensure_ascii=False, sort_keys=True))
    lanes, run = w.lanes()
    judge(lanes.get("WP01") != "claimed", f"{lanes} {run}")


main(scenario)
