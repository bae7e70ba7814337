"""The prompts of two missions whose names look the same in a path lie in one directory, and push each other out."""

import os
import shutil

from mission import MISSION_ID
from world import control, judge, main


def ask(w, slug):
    return w.run("agent", "action", "review", "WP01", "--agent=rev", "--mission", slug).prompt()


def scenario(world):
    w = world(slug="demo-pair")
    w.startable()
    w.add(*w.walk("WP01", "claimed", "in_progress", "for_review"))
    other = w.folder.with_name("demo-pair-")
    shutil.copytree(w.folder, other)
    for path in other.rglob("*.json*"):
        text = path.read_text().replace('demo-pair"', 'demo-pair-"')
        path.write_text(text.replace(MISSION_ID, MISSION_ID[:-1] + "1"))
    w.commit("Another mission")
    theirs, ours = ask(w, other.name), ask(w, w.slug)
    print(f"  of {other.name}: {theirs.relative_to(w.base / 'tmp')}")
    print(f"  of {w.slug}: {ours.relative_to(w.base / 'tmp')}")
    control(theirs.is_file(), "it is gone at once")
    # As thirty more reviews of the first mission leave it.
    os.utime(theirs, (1, 1))
    for number in range(30):
        shutil.copy(ours, ours.with_name(f"{number:032x}.md"))
    ask(w, w.slug)
    judge(
        not theirs.is_file(),
        f"the prompt of {other.name} is there: {theirs.is_file()}; nobody reviewed {other.name} since",
    )


main(scenario)
