"""The service answers with a status that fits no category: which code that has."""

import re

from service import hosted, login
from world import control, judge, main


def codes(run):
    return re.findall(r"^sync_diagnostic .*diagnostic_code=(\S+)", run.err, re.MULTILINE)


def scenario(world):
    w = world()
    with hosted(status=401) as service:
        on = login(w, service)
        known = codes(w.emit("WP01", "claimed", **on))
        control(known, "a failure to log in is not told")
        service.status = 418
        found = codes(w.emit("WP02", "claimed", **on))
        judge(set(found) & set(known), f"401 has {known}, 418 has {found}")


main(scenario)
