"""A mission directory that is a link out of the repository is read."""

import shutil

from world import control, judge, main


def scenario(world):
    w = world()
    w.add(*w.walk("WP01", "claimed"))
    lanes, run = w.lanes()
    control(lanes.get("WP01") == "claimed", run)
    outside = w.base / "outside"
    shutil.move(w.folder, outside)
    w.folder.symlink_to(outside, target_is_directory=True)
    lanes, run = w.lanes()
    judge(
        lanes.get("WP01") == "claimed",
        f"the mission lies outside of the repository, and is read: {lanes}, exit status {run.status}",
    )


main(scenario)
