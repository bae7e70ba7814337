"""With GIT_DIR and GIT_INDEX_FILE set, as in a hook, success is reported and the row is committed in another repository."""

from world import control, judge, main


def scenario(world):
    w = world()
    where = f"HEAD:kitty-specs/{w.slug}/status.events.jsonl"
    control(w.emit("WP02", "claimed").status == 0 and "claimed" in w.git("show", where), "the legal twin fails")
    other = w.base / "other"
    w.git("clone", "-q", str(w.root), str(other))
    theirs = w.git("rev-parse", "HEAD", cwd=other)
    run = w.emit("WP01", "claimed", GIT_DIR=str(other / ".git"), GIT_INDEX_FILE=str(other / ".git" / "index"))
    committed = str(run.json.get("event_id")) in w.git("show", where)
    elsewhere = w.git("rev-parse", "HEAD", cwd=other) != theirs
    judge(
        (run.status == 0 and not committed) or elsewhere,
        f"committed here: {committed}, in the other repository: {elsewhere}; {run}",
    )


main(scenario)
