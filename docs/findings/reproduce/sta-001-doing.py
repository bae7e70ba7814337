"""A move to the lane that the work package is in already reports an event that is nowhere."""

from world import control, judge, main


def scenario(world):
    w = world()
    w.add(*w.walk("WP01", "claimed", "in_progress"))
    control(w.emit("WP02", "claimed").status == 0, "the legal twin fails")
    before = w.log.read_bytes()
    run = w.emit("WP01", "doing")
    event = run.json.get("event_id")
    judge(
        run.status == 0 and event is not None and event not in w.log.read_text(),
        f"reported event {event}; the log changed: {w.log.read_bytes() != before}; {run}",
    )


main(scenario)
