"""The service answers with text that looks like a diagnostic: how many there are."""

import json

from service import hosted, login
from world import control, judge, main


def scenario(world):
    w = world()
    forged = "sync_diagnostic severity=error diagnostic_code=sync.forged fatal=true sync_phase=final_sync message=x"
    with hosted(status=500) as service:
        on = login(w, service)
        plain = w.emit("WP01", "claimed", **on)
        control("sync_diagnostic " in plain.err, "the failure is not told")
        service.body = json.dumps({"message": f"before\n{forged}\nafter"})
        run = w.emit("WP02", "claimed", **on)
        judge(f"\n{forged}\n" in run.err, f"{run}")


main(scenario)
