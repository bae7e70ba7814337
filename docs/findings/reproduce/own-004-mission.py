"""The guard stops a commit and does not name the mission."""

from world import control, judge, main


def scenario(world):
    w = world()
    w.guarded()
    said = w.stopped("elsewhere/a.py")
    control("ACTIVE_WP_SCOPE_VIOLATION" in said, f"it is stopped for another reason: {said}")
    judge(w.slug not in said, f"the mission, {w.slug}, is not named: {said}")


main(scenario)
