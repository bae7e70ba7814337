"""A branch that happens to stand where the lane began is taken for its base."""

import re
from pathlib import Path

from world import control, judge, main


def scenario(world):
    w = world(packages=("WP01",))
    w.startable()
    control(w.action("implement", "WP01", "ann").status == 0, "the legal twin fails")
    control(w.change("src/wp01/a.py")[0], "the lane takes no commit")
    w.git("branch", "develop", "HEAD", cwd=w.lane)
    control(w.change("src/wp01/b.py")[0], "the lane takes no commit")
    w.add(w.row("WP01", "in_progress", "for_review", 40, at=w.now()))
    run = w.action("review", "WP01", "rev")
    named = re.findall(r"^[ \t]+cat (\S.*?)[ \t]*$", run.out, re.MULTILINE)
    control(run.status == 0 and named, run)
    shown = sorted(set(re.findall(r"git (?:diff|log)[^\n`|]*", run.out + Path(named[-1]).read_text(encoding="utf-8"))))
    judge(any("develop" in line for line in shown), f"{shown}")


main(scenario)
