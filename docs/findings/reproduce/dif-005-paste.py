"""A printed command runs what stands in the name of a branch."""

import subprocess

from world import control, judge, main


def scenario(world):
    w = world()
    w.startable()
    w.work()
    w.hand_over()
    old, new = f"kitty/mission-{w.slug}-lane-a", "x`touch${IFS}obeyed`"
    w.git("branch", "-m", old, new, cwd=w.lane)
    for context in w.contexts():
        context.write_text(context.read_text().replace(f'"{old}"', f'"{new}"'))
    run = w.action("review", "WP01", "rev")
    control(run.status == 0 and run.diffs(), run)
    for line in run.diffs():
        print(f"$ {line}")
        subprocess.run(["sh", "-c", line], cwd=w.lane, env=w.environment, capture_output=True, check=False)
    made = (w.lane / "obeyed").exists()
    judge(made, f"the command in the name of the branch ran: {made}")


main(scenario)
