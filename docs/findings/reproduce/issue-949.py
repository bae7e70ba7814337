"""The prompts of two repositories are one file."""

import re
from pathlib import Path

from world import control, judge, main


def scenario(world):
    paths = []
    one = world(packages=("WP01",))
    two = world(packages=("WP01",))
    for w in (one, two):
        w.startable()
        control(w.action("implement", "WP01", "ann").status == 0, "the legal twin fails")
        control(w.change("src/wp01/a.py")[0], "the lane takes no commit")
        w.add(w.row("WP01", "in_progress", "for_review", 40, at=w.now()))
        run = w.action("review", "WP01", "rev", TMPDIR=str(one.base / "tmp"))
        named = re.findall(r"^[ \t]+cat (\S.*?)[ \t]*$", run.out, re.MULTILINE)
        control(run.status == 0 and named, run)
        paths.append(named[-1])
    text = Path(paths[0]).read_text(encoding="utf-8")
    judge(
        paths[0] == paths[1] or str(one.root) not in text,
        f"{[p.replace(str(one.base), '') for p in paths]}; of its own repository: {str(one.root) in text}",
    )


main(scenario)
