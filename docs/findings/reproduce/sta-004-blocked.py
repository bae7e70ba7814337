"""A start that cannot write its rows leaves the work package blocked."""

import resource
import subprocess

from world import control, judge, main


def scenario(world):
    w = world()
    w.startable()
    # Long, so that the limit stops the log and no other file.
    w.add(w.row("WP01", "planned", "planned", 5, force=True, reason="x" * 300_000))
    control(w.action("implement", "WP02", "ann").status == 0, "the legal twin fails")
    size = w.log.stat().st_size
    for more in range(800, 1600, 100):
        log = w.log.read_bytes()
        words = [w.command, "agent", "action", "implement", "WP01", "--agent=ann", "--mission", w.slug]
        limit = lambda size=size + more: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))  # noqa: E731
        done = subprocess.run(
            words,
            cwd=w.root,
            env=w.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            preexec_fn=limit,
            check=False,
        )
        print(f"$ spec-kitty agent action implement WP01, no file longer than the log and {more} bytes")
        print(f"  exit status {done.returncode}; WP01 went to {w.moves('WP01')[1:]}")
        if "blocked" in w.moves("WP01") or done.returncode == 0:
            break
        w.log.write_bytes(log)
    lanes, _ = w.lanes()
    judge(lanes.get("WP01") == "blocked", f"WP01 is {lanes.get('WP01')}; the start ended with {done.returncode}")


main(scenario)
