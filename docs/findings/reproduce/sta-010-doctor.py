"""`agent status doctor` only reads, and changes the checkout."""

from world import control, judge, main


def scenario(world):
    w = world()
    control(w.emit("WP01", "claimed").status == 0, "the legal twin fails")
    w.add(w.row("WP02", "planned", "claimed", 90, at="2098-01-01T00:00:00+00:00"))
    changed, run = w.changed_by("agent", "status", "doctor")
    judge(bool(changed), f"changed: {changed}; {run.status=}")


main(scenario)
