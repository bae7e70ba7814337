"""Nobody is told how a work package goes on that is claimed and was not started."""

from world import control, judge, main


def scenario(world):
    w = world()
    w.startable()
    control(w.action("implement", "WP02", "ann").status == 0, "the legal twin fails")
    w.add(*w.walk("WP01", "claimed"))
    lanes, read = w.lanes()
    control(lanes.get("WP01") == "claimed", read)
    run = w.action("implement", "WP01", "bob")
    control(run.status != 0 and "ann" in run.out + run.err, f"it is not refused: {run}")
    told = [line for line in (read.out + run.out + run.err).splitlines() if "spec-kitty" in line and "WP01" in line]
    judge(not told, f"commands for WP01 that are named: {told}; the refusal: {run.out.strip()[-260:]!r}")


main(scenario)
