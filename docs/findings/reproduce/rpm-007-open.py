"""Everybody on the machine can read a review prompt."""

import os
import stat

from world import judge, main


def scenario(world):
    os.umask(0o022)
    w = world()
    w.startable()
    w.add(*w.walk("WP01", "claimed", "in_progress", "for_review"))
    run = w.action("review", "WP01", "rev")
    prompt, modes = run.prompt(), {}
    while prompt != w.base / "tmp":
        modes[prompt.name[:12]] = stat.filemode(prompt.stat().st_mode)
        prompt = prompt.parent
    judge(all(mode[7] == "r" for mode in modes.values()), f"modes of the prompt and of what it lies in: {modes}")


main(scenario)
