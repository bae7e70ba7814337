"""The guard stops a commit and does not name the mission."""

from world import control, judge, main


def scenario(world):
    w = world()
    (w.root / ".kittify" / "config.yaml").open("a").write("policy: {commit_guard: {enabled: true, mode: block}}\n")
    w.startable(shared=True)
    control(w.action("implement", "WP01", "ann").status == 0, "the legal twin fails")
    taken, said = w.change("src/wp01/a.py")
    control(taken, said)
    taken, said = w.change("elsewhere/a.py")
    control(not taken and "ACTIVE_WP_SCOPE_VIOLATION" in said, f"it is not stopped: {said}")
    judge(w.slug not in said, f"the mission, {w.slug}, is not named: {said}")


main(scenario)
