"""A link where the prompts go is followed, whoever made it."""

import re

from world import control, judge, main


def scenario(world):
    w = world()
    w.startable()
    w.add(*w.walk("WP01", "claimed", "in_progress", "for_review"), *w.walk("WP02", "claimed", first=30))
    ours, theirs, outside = (w.base / name for name in ("ours", "theirs", "outside"))
    for place in (ours, theirs, outside):
        place.mkdir(mode=0o700)
    run = w.action("review", "WP01", "rev", TMPDIR=str(ours))
    named = re.findall(r"^[ \t]+cat (\S.*?)[ \t]*$", run.out, re.MULTILINE)
    control(run.status == 0 and named and named[-1].startswith(str(ours)), run)
    (theirs / named[-1].removeprefix(f"{ours}/").split("/")[0]).symlink_to(outside, target_is_directory=True)
    run = w.action("review", "WP01", "rev", TMPDIR=str(theirs))
    written = [path.name for path in outside.rglob("*.md")]
    judge(
        written,
        f"the directory of prompts is a link to another place; written there: {len(written)}; exit status {run.status}",
    )


main(scenario)
