"""A branch that happens to stand where the lane began is taken for its base."""

import re

from world import control, judge, main


def scenario(world):
    w = world(packages=("WP01",))
    w.startable()
    w.work()
    w.git("branch", "develop", "HEAD", cwd=w.lane)
    control(w.change("src/wp01/b.py")[0], "the lane takes no commit")
    w.hand_over()
    run = w.action("review", "WP01", "rev")
    shown = sorted(set(re.findall(r"git (?:diff|log)[^\n`|]*", run.out + run.prompt().read_text(encoding="utf-8"))))
    judge(any("develop" in line for line in shown), f"{shown}")


main(scenario)
