"""A link where the prompts go is followed, whoever made it."""

from world import control, judge, main


def scenario(world):
    w = world()
    w.startable()
    w.add(*w.walk("WP01", "claimed", "in_progress", "for_review"), *w.walk("WP02", "claimed", first=30))
    ours, theirs, outside = (w.base / name for name in ("ours", "theirs", "outside"))
    for place in (ours, theirs, outside):
        place.mkdir(mode=0o700)
    run = w.action("review", "WP01", "rev", TMPDIR=str(ours))
    prompt = run.prompt()
    control(prompt.is_relative_to(ours), run)
    (theirs / prompt.relative_to(ours).parts[0]).symlink_to(outside, target_is_directory=True)
    run = w.action("review", "WP01", "rev", TMPDIR=str(theirs))
    written = [path.name for path in outside.rglob("*.md")]
    judge(
        written,
        f"the directory of prompts is a link to another place; written there: {len(written)}; exit status {run.status}",
    )


main(scenario)
