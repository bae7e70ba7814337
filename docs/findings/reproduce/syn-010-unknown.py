"""The service answers with a status that fits no category: which code that has."""

import re

from world import control, judge, main


def codes(run):
    return re.findall(r"^sync_diagnostic .*diagnostic_code=(\S+)", run.err, re.MULTILINE)


def scenario(world):
    w = world()
    with w.service(status=401) as service:
        known = codes(w.emit("WP01", "claimed", **w.login(service)))
        control(known, "a failure to log in is not told")
        service.status = 418
        found = codes(w.emit("WP02", "claimed", **w.login(service)))
        judge(set(found) & set(known), f"401 has {known}, 418 has {found}")


main(scenario)
