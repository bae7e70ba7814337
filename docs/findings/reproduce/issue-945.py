"""A command that cannot keep its row says that it did."""

from world import control, judge, main


def scenario(world):
    w = world()
    control(w.emit("WP01", "claimed").status == 0, "the legal twin fails")
    w.log.write_bytes(w.log.read_bytes().rstrip(b"\n"))
    w.commit("No newline")
    earlier = [row["event_id"] for row in w.rows()]
    run = w.emit("WP02", "claimed")
    now = [row["event_id"] for row in w.rows()]
    lost = [event for event in earlier if event not in now]
    judge(run.status == 0 and (lost or run.json.get("event_id") not in now),
          f"{run.status=}, reported {run.json.get('event_id')}, earlier rows lost: {lost}; last line {w.log.read_text().splitlines()[-1][-200:]!r}")  # fmt: skip


main(scenario)
