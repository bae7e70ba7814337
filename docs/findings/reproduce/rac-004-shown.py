"""A rejected artifact beside an approving event is shown to nobody."""

from world import control, judge, main


def scenario(world):
    w = world(packages=("WP01",))
    w.startable()
    w.add(*w.walk("WP01", "claimed", "in_progress", "for_review", "in_review", "approved"))
    control(w.merge_plan().json.get("mission_slug") == w.slug, "the legal twin fails")
    w.review("WP01", "rejected")
    run = w.merge_plan()
    said = run.out + run.err
    judge(
        "review-cycle-1" not in said and "rejected" not in said.lower(),
        f"the artifact rejects, the event approves; of the artifact nothing is said: exit status {run.status}, keys {sorted(run.json)}",
    )


main(scenario)
