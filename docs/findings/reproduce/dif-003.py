"""The diff of a lane that merged the lane it depends on shows the work of both."""

import re

from world import control, judge, main


def scenario(world):
    w = world()
    w.startable()
    for name, lane in (("WP02", "lane-b"), ("WP01", "lane-a")):
        w.work(name, lane)
    w.git("merge", "-q", "-m", "Needed", f"kitty/mission-{w.slug}-lane-b", cwd=w.lane)
    w.hand_over()
    run = w.action("review", "WP01", "rev")
    text = run.out + run.prompt().read_text(encoding="utf-8")
    ranges = sorted(set(re.findall(r"^[ \t]*(?:.*Review diff: )?git diff (\S+\.\.\S+)", text, re.MULTILINE)))
    control(ranges, "no diff is shown")
    shown = {words: w.git("diff", "--name-only", words, cwd=w.lane).split() for words in ranges}
    judge(any("src/wp02/a.py" in names for names in shown.values()), f"WP01 is reviewed with {shown}")


main(scenario)
