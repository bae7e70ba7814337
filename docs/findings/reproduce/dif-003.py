"""The diff of a lane that merged the lane it depends on shows the work of both."""

import re
from pathlib import Path

from world import control, judge, main


def scenario(world):
    w = world()
    w.startable()
    for name, lane in (("WP02", "lane-b"), ("WP01", "lane-a")):
        control(w.action("implement", name, "ann").status == 0, "the legal twin fails")
        control(w.change(f"src/{name.lower()}/a.py", lane)[0], "the lane takes no commit")
    w.git("merge", "-q", "-m", "Needed", f"kitty/mission-{w.slug}-lane-b", cwd=w.lane)
    w.add(w.row("WP01", "in_progress", "for_review", 40, at=w.now()))
    run = w.action("review", "WP01", "rev")
    named = re.findall(r"^[ \t]+cat (\S.*?)[ \t]*$", run.out, re.MULTILINE)
    control(run.status == 0 and named, run)
    text = run.out + Path(named[-1]).read_text(encoding="utf-8")
    ranges = sorted(set(re.findall(r"^[ \t]*(?:.*Review diff: )?git diff (\S+\.\.\S+)", text, re.MULTILINE)))
    control(ranges, "no diff is shown")
    shown = {words: w.git("diff", "--name-only", words, cwd=w.lane).split() for words in ranges}
    judge(any("src/wp02/a.py" in names for names in shown.values()), f"WP01 is reviewed with {shown}")


main(scenario)
