"""Without a task file of its own, a work package is judged by that of a longer id."""

from world import control, judge, main


def scenario(world):
    w = world()
    (w.root / ".kittify" / "config.yaml").open("a").write("policy: {commit_guard: {enabled: true, mode: block}}\n")
    w.startable(shared=True)
    control(w.action("implement", "WP01", "ann").status == 0, "the legal twin fails")
    taken, said = w.change("src/wp01/a.py")
    control(taken, said)
    stopped, said = w.change("elsewhere/a.py")
    control(not stopped, f"a file of nobody is let through: {said}")
    w.git("reset", "-q", "--hard", cwd=w.lane)
    own = w.folder / "tasks" / "WP01-work.md"
    text = own.read_text().replace("work_package_id: WP01", "work_package_id: WP010")
    own.with_name("WP010-more.md").write_text(text.replace("src/wp01/**", "elsewhere/**"))
    own.unlink()
    taken, said = w.change("elsewhere/b.py")
    judge(taken, f"WP01 has no task file, WP010 owns elsewhere/**: elsewhere/b.py is let through: {taken}. {said}")


main(scenario)
