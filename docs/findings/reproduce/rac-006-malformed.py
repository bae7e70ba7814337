"""A review artifact with conflict markers is passed over in silence."""

from world import control, judge, main


def scenario(world):
    w = world(packages=("WP01",))
    w.startable()
    w.add(*w.walk("WP01", "claimed", "in_progress", "for_review", "in_review", "approved"))
    control(w.merge_plan().json.get("mission_slug") == w.slug, "the legal twin fails")
    path = w.review("WP01", "approved")
    path.write_text(f"<<<<<<< ours\n{path.read_text()}=======\nverdict: rejected\n>>>>>>> theirs\n")
    w.commit("A conflict")
    run = w.merge_plan()
    judge(
        "review-cycle-1" not in run.out + run.err and run.json.get("blocked") is not True,
        f"the artifact of an approved work package is broken; of it nothing is said: exit status {run.status}, keys {sorted(run.json)}",
    )


main(scenario)
