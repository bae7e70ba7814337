"""Lane number 27 is not guarded."""

from world import judge, main


def scenario(world):
    w = world()
    w.guarded()
    w.stopped("elsewhere/a.py")
    branch = f"kitty/mission-{w.slug}-lane-a"
    w.git("branch", "-m", branch, branch[:-1] + "aa", cwd=w.lane)
    manifest = w.folder / "lanes.json"
    manifest.write_text(manifest.read_text().replace('"lane-a"', '"lane-aa"'))
    for context in w.contexts("*-lane-a.json"):
        context.with_name(context.name.replace("-lane-a.", "-lane-aa.")).write_text(
            context.read_text().replace('"lane-a"', '"lane-aa"').replace(branch, branch[:-1] + "aa")
        )
        context.unlink()
    taken, said = w.change("elsewhere/b.py")
    judge(taken, f"the lane is called lane-aa now; a file of nobody is let through: {taken}. {said}")


main(scenario)
