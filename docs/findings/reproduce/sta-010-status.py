"""`agent tasks status` only reads, and changes the checkout."""

from world import control, judge, main


def scenario(world):
    w = world()
    control(w.emit("WP01", "claimed").status == 0, "the legal twin fails")
    w.add(w.row("WP02", "planned", "claimed", 90, at="2098-01-01T00:00:00+00:00"))

    def tree():
        return {
            str(p.relative_to(w.root)): p.read_bytes()
            for p in w.root.rglob("*")
            if p.is_file() and "/logs/" not in str(p)
        }

    before = tree()
    run = w.run("agent", "tasks", "status", "--mission", w.slug, "--json")
    after = tree()
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    judge(bool(changed), f"changed: {changed}; {run.status=}")


main(scenario)
