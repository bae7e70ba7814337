"""A log that is a link out of the repository is followed, and written."""

from world import control, judge, main


def scenario(world):
    w = world()
    control(w.emit("WP01", "claimed").status == 0, "the legal twin fails")
    outside = w.base / "outside.jsonl"
    w.log.rename(outside)
    w.log.symlink_to(outside)
    w.commit("A link")
    before = outside.read_bytes()
    run = w.emit("WP02", "claimed")
    judge(
        run.status == 0, f"written outside: {outside.read_bytes() != before}, still a link: {w.log.is_symlink()}; {run}"
    )


main(scenario)
