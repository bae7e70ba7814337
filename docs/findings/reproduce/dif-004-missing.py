"""A base that is no branch is printed all the same."""

import json

from world import judge, main


def scenario(world):
    w = world()
    w.startable()
    w.work()
    w.hand_over()
    for path in w.contexts():
        path.write_text(json.dumps({**json.loads(path.read_text()), "base_branch": "gone/1"}))
    run = w.action("review", "WP01", "rev")
    judge(
        run.status == 0 and run.diffs(),
        f"the base, gone/1, is no branch; exit status {run.status}, printed: {run.diffs()}",
    )


main(scenario)
