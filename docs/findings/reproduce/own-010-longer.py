"""Without a task file of its own, a work package is judged by that of a longer id."""

from world import judge, main


def scenario(world):
    w = world()
    w.guarded()
    w.stopped("elsewhere/a.py")
    own = w.folder / "tasks" / "WP01-work.md"
    text = own.read_text().replace("work_package_id: WP01", "work_package_id: WP010")
    own.with_name("WP010-more.md").write_text(text.replace("src/wp01/**", "elsewhere/**"))
    own.unlink()
    taken, said = w.change("elsewhere/b.py")
    judge(taken, f"WP01 has no task file, WP010 owns elsewhere/**: elsewhere/b.py is let through: {taken}. {said}")


main(scenario)
