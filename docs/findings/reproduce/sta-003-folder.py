"""The log is a folder: a traceback, or a diagnostic without a code."""

from world import control, judge, main


def scenario(world):
    w = world()
    control(w.emit("WP01", "claimed").status == 0, "the legal twin fails")
    w.log.unlink()
    w.log.mkdir()
    run = w.emit("WP02", "claimed")
    missing = run.missing("mission_slug")
    judge(run.status == 0 or bool(missing), f"lacks {missing}: {run}")


main(scenario)
