"""Lane number 27 is not guarded."""

from world import control, judge, main


def scenario(world):
    w = world()
    (w.root / ".kittify" / "config.yaml").open("a").write("policy: {commit_guard: {enabled: true, mode: block}}\n")
    w.startable(shared=True)
    control(w.action("implement", "WP01", "ann").status == 0, "the legal twin fails")
    taken, said = w.change("src/wp01/a.py")
    control(taken, said)
    stopped, said = w.change("elsewhere/a.py")
    control(not stopped, f"a file of nobody is let through in lane-a: {said}")
    w.git("reset", "-q", "--hard", cwd=w.lane)
    branch = f"kitty/mission-{w.slug}-lane-a"
    w.git("branch", "-m", branch, branch[:-1] + "aa", cwd=w.lane)
    manifest = w.folder / "lanes.json"
    manifest.write_text(manifest.read_text().replace('"lane-a"', '"lane-aa"'))
    for context in (w.root / ".kittify" / "workspaces").glob("*-lane-a.json"):
        context.with_name(context.name.replace("-lane-a.", "-lane-aa.")).write_text(
            context.read_text().replace('"lane-a"', '"lane-aa"').replace(branch, branch[:-1] + "aa")
        )
        context.unlink()
    taken, said = w.change("elsewhere/b.py")
    judge(taken, f"the lane is called lane-aa now; a file of nobody is let through: {taken}. {said}")


main(scenario)
