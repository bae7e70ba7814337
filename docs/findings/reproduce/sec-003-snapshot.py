"""A snapshot is made of a log that lies outside of the repository."""

import shutil

from world import control, judge, main


def scenario(world):
    w = world()
    w.add(*w.walk("WP01", "claimed"))
    words = ("agent", "status", "materialize", "--mission", w.slug, "--json")
    control(w.run(*words).status == 0, "the legal twin fails")
    outside = w.base / "outside.jsonl"
    shutil.move(w.log, outside)
    with outside.open("a", encoding="utf-8") as log:
        log.write(w.row("WP02", "planned", "blocked", 40, reason="outside") + "\n")
    w.log.symlink_to(outside)
    run = w.run(*words)
    judge(
        "blocked" in run.out,
        f"the log is a link out of the repository, and is read: exit status {run.status}, {run.out.strip()[:300]}",
    )


main(scenario)
