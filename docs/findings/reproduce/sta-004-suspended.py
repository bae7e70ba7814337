"""A start that is suspended holds up whoever comes next, without end."""

import os
import signal
import subprocess
import time

from world import control, judge, main

#: Ten times what a start takes on an idle machine, in seconds.
LONG = 120


def scenario(world):
    w = world()
    w.startable()
    control(w.action("implement", "WP02", "ann").status == 0, "the legal twin fails")
    size = w.log.stat().st_size
    words = [w.command, "agent", "action", "implement", "WP01", "--mission", w.slug]
    keys = {"cwd": w.root, "env": w.environment, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    with subprocess.Popen([*words, "--agent=ann"], stderr=subprocess.DEVNULL, start_new_session=True, **keys) as first:
        while w.log.stat().st_size == size and first.poll() is None:
            time.sleep(0.0005)
        control(first.poll() is None, "the start is over before it can be suspended")
        os.killpg(first.pid, signal.SIGSTOP)
        print(
            f"$ spec-kitty agent action implement WP01 --agent=ann, suspended when WP01 went to {w.moves('WP01')[1:]}"
        )
        with subprocess.Popen(
            [*words, "--agent=bob"], stderr=subprocess.DEVNULL, start_new_session=True, **keys
        ) as second:
            began = time.monotonic()
            try:
                ended = f"it ended with {second.wait(LONG)} after {time.monotonic() - began:.0f} s"
            except subprocess.TimeoutExpired:
                ended = ""
                os.killpg(second.pid, signal.SIGKILL)
        os.killpg(first.pid, signal.SIGKILL)
    print("$ spec-kitty agent action implement WP01 --agent=bob")
    judge(not ended, ended or f"it waits for the one that is suspended, and has not ended after {LONG} s")


main(scenario)
