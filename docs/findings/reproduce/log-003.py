"""Two rows with one event id and different content: the second is dropped without a word."""

from world import control, judge, main


def scenario(world):
    w = world()
    w.add(w.row("WP01", "planned", "claimed", 10), w.row("WP02", "planned", "claimed", 11))
    lanes, run = w.lanes()
    control(lanes == {"WP01": "claimed", "WP02": "claimed"}, run)
    w.add(w.row("WP01", "claimed", "blocked", 10))
    lanes, run = w.lanes()
    judge(run.status == 0 and "10" not in run.err, f"lanes {lanes}, {run.status=}, stderr {run.err[-300:]!r}")


main(scenario)
