"""A file of somebody else is renamed into a directory of one's own."""

from world import judge, main


def scenario(world):
    w = world()
    w.guarded()
    w.stopped("src/wp02/theirs.py")
    (w.lane / "src" / "wp02").mkdir(parents=True, exist_ok=True)
    (w.lane / "src" / "wp02" / "kept.py").write_text("one\ntwo\nthree\n" * 9)
    w.git("add", "-A", cwd=w.lane)
    w.git("commit", "-q", "--no-verify", "-m", "A file of WP02", cwd=w.lane)
    w.git("mv", "src/wp02/kept.py", "src/wp01/kept.py", cwd=w.lane)
    taken, said = w.staged("a rename of src/wp02/kept.py to src/wp01/kept.py")
    judge(taken, f"WP01 is active; it takes a file away from WP02, and git commit makes it: {taken}. {said}")


main(scenario)
