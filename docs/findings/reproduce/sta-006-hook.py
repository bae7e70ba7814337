"""A commit that a hook refuses: the failure has no code, and names neither work package nor path."""

from world import control, judge, main


def scenario(world):
    w = world()
    control(w.emit("WP01", "claimed").status == 0, "the legal twin fails")
    hook = w.root / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\necho no >&2\nexit 1\n")
    hook.chmod(0o755)
    before = w.log.read_bytes()
    run = w.emit("WP02", "claimed")
    changed = w.log.read_bytes() != before
    control(run.status != 0, f"it succeeds: {run}")
    judge(bool(run.missing()), f"the diagnostic lacks {', '.join(run.missing())}; log changed: {changed}; {run}")


main(scenario)
