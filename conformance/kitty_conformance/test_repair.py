"""LOG-006, LOG-007: what ``repair`` does to a damaged log. Nothing that was written is ever deleted."""

from __future__ import annotations

import pytest

from kitty_reliability.formats.events import encode_row
from kitty_reliability.implementations.protocol import Capability, Repair
from kitty_reliability.observe.rows import rows_from_bytes
from kitty_reliability.observe.tree import find_bytes
from pytest_kitty.scenarios import Finding

from .world import World, Worlds, names_line

_DAMAGE = {
    "a corrupt line": b'{"event_id": "01J", oops}\n',
    "conflict markers": b"<<<<<<< HEAD\n",
    "an array": b'["not", "a", "row"]\n',
    "invalid UTF-8": b'{"reason": "\xff\xfe"}\n',
    "a torn end": b'{"actor": "x", "at": "2025-03-03T1',
}


def _repaired(world: World) -> None:
    request = Repair(root=str(world.mission.root), mission=world.mission.slug)
    world.accepted(world.ask(request), "the log is repaired")


def _damaged(worlds: Worlds, damage: str) -> tuple[World, bytes, int]:
    """Build a log with rows of every kind and one bad line; return the line's bytes and number."""
    worlds.needs(Capability.REPAIR)
    world = worlds({"WP01": "in_review", "WP02": "claimed"})
    log = world.mission.log
    log.note("WP01", "kept").decision("D1").lifecycle("MissionStarted").retrospective()
    bad, number = _DAMAGE[damage], log.path.read_bytes().count(b"\n") + 1
    log.raw(bad)
    if bad.endswith(b"\n"):
        log.raw(encode_row({**log.rows[1], "event_id": "01JNDKQJ00000000000000000Z", "reason": "behind it"}))
    return world, bad, number


@pytest.mark.kitty_clause("LOG-006")
@pytest.mark.parametrize("damage", _DAMAGE)
def test_a_repair_loses_no_row_and_no_byte(worlds: Worlds, damage: str) -> None:
    """Every whole row stays in the log, whatever its kind, and the bytes that are no row are kept somewhere."""
    world, bad, _ = _damaged(worlds, damage)
    before = rows_from_bytes(world.log.read_bytes())
    _repaired(world)
    now = rows_from_bytes(world.log.read_bytes())
    gone = [row for row in before if row not in now]
    world.check(not gone, Finding.BYTES_LOST, f"{damage}: the repair lost {len(gone)} whole rows: {gone[:1]}")
    kept = find_bytes(world.mission.root, bad.rstrip(b"\n"))
    world.check(kept, Finding.BYTES_LOST, f"{damage}: the bytes of the bad line are nowhere any more")


@pytest.mark.kitty_clause("LOG-007")
@pytest.mark.parametrize("damage", _DAMAGE)
def test_after_a_repair_the_log_can_be_read(worlds: Worlds, damage: str) -> None:
    """A repair says which line it moved; afterwards the state is read as any other, and written to again."""
    world, _, number = _damaged(worlds, damage)
    request = Repair(root=str(world.mission.root), mission=world.mission.slug)
    answer = world.accepted(world.ask(request), "the log is repaired")
    named = any(names_line(item, number) for item in answer["quarantined"])
    world.check(
        answer["changed"] and named, Finding.DAMAGE_UNREPORTED, f"{damage}: line {number} is not named: {dict(answer)}"
    )
    lanes = world.lanes(world.state())
    said = {wp: lanes.get(wp) for wp in ("WP01", "WP02")}
    world.check(said["WP01"] == "in_review", Finding.LANE_DISAGREES, f"after the repair it says {said}")
    mark = world.mark()
    world.moved(
        mark, world.transition("WP02", "in_progress", workspace_context="worktree:lane-a"), "WP02", "in_progress"
    )


@pytest.mark.kitty_clause("LOG-007")
def test_a_healthy_log_needs_no_repair(worlds: Worlds) -> None:
    """A repair of a healthy log changes nothing in it, and says so."""
    worlds.needs(Capability.REPAIR)
    world = worlds({"WP01": "in_review"})
    mark = world.mark()
    request = Repair(root=str(world.mission.root), mission=world.mission.slug)
    answer = world.accepted(world.ask(request), "a healthy log is repaired")
    world.check(mark.unchanged, Finding.REFUSAL_CHANGED_STATE, "the log was healthy, and the repair changed it")
    world.check(
        not answer["changed"] and not answer["quarantined"],
        Finding.DAMAGE_UNREPORTED,
        f"the log was healthy, and the repair reports {dict(answer)}",
    )
