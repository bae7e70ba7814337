"""Several start one work package at once."""

import subprocess

from world import control, judge, main


def scenario(world):
    w = world()
    w.startable()
    control(w.action("implement", "WP02", "pete").status == 0, "the legal twin fails")
    argv = [w.command, "agent", "action", "implement", "WP01", "--mission", w.slug]
    racing = [subprocess.Popen([*argv, f"--agent=racer-{n}"], cwd=w.root, env=w.environment, stdin=subprocess.DEVNULL,
              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for n in range(4)]  # fmt: skip
    ended = [(p.communicate(timeout=600), p.returncode) for p in racing]
    won = sum(status == 0 for _, status in ended)
    for (out, err), status in ended:
        print("  ", status, out.strip()[-300:], err.strip()[-200:])
    rows = [(row.get("actor"), row.get("to_lane")) for row in w.rows() if row.get("wp_id") == "WP01"]
    judge(
        won != 1 or rows[1:] != [(rows[1][0], "claimed"), (rows[1][0], "in_progress")],
        f"{won} of 4 were told that they started it; rows {rows}",
    )


main(scenario)
