"""A base that is no branch is printed all the same."""

import json
import re

from world import control, judge, main


def scenario(world):
    w = world()
    w.startable()
    control(w.action("implement", "WP01", "ann").status == 0, "the legal twin fails")
    control(w.change("src/wp01/a.py")[0], "the lane takes no commit")
    w.add(w.row("WP01", "in_progress", "for_review", 40, at=w.now()))
    for path in (w.root / ".kittify" / "workspaces").glob("*.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "base_branch": "gone/1"}))
    run = w.action("review", "WP01", "rev")
    found = re.findall(r"Review diff: (git .+?)[ \t]*$", run.out, re.MULTILINE)
    judge(run.status == 0 and found, f"the base, gone/1, is no branch; exit status {run.status}, printed: {found}")


main(scenario)
