"""A printed command runs what stands in the name of a branch."""

import re
import subprocess

from world import control, judge, main


def lines(w):
    """Return the commands that are printed for the review of WP01."""
    run = w.action("review", "WP01", "rev")
    found = re.findall(r"Review diff: (git .+?)[ \t]*$", run.out, re.MULTILINE)
    control(run.status == 0 and found, run)
    return found


def scenario(world):
    w = world()
    w.startable()
    control(w.action("implement", "WP01", "ann").status == 0, "the legal twin fails")
    control(w.change("src/wp01/a.py")[0], "the lane takes no commit")
    w.add(w.row("WP01", "in_progress", "for_review", 40, at=w.now()))
    old, new = f"kitty/mission-{w.slug}-lane-a", "x`touch${IFS}obeyed`"
    w.git("branch", "-m", old, new, cwd=w.lane)
    for context in (w.root / ".kittify" / "workspaces").glob("*.json"):
        context.write_text(context.read_text().replace(f'"{old}"', f'"{new}"'))
    for line in lines(w):
        print(f"$ {line}")
        subprocess.run(["sh", "-c", line], cwd=w.lane, env=w.environment, capture_output=True, check=False)
    made = (w.lane / "obeyed").exists()
    judge(made, f"the command in the name of the branch ran: {made}")


main(scenario)
