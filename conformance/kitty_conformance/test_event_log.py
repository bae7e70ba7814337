"""LOG: reading and reducing the event log."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from kitty_reliability.build.event_log import EventLog
from kitty_reliability.formats.events import encode_row
from kitty_reliability.implementations.protocol import Capability, Materialize, Outcome
from kitty_reliability.observe.rows import rows_from_bytes
from pytest_kitty.scenarios import Finding, not_applicable

from .lane_table import BOARD
from .world import World, Worlds, another_process, names_line

# --- shared steps


def _expect_lanes(
    world: World, expected: Mapping[str, str], what: str, finding: Finding = Finding.LANE_DISAGREES
) -> None:
    """Judge that the state is readable and says ``expected``."""
    __tracebackhide__ = True
    lanes = world.lanes(world.state())
    for work_package, lane in expected.items():
        world.check(
            lanes.get(work_package) == lane,
            finding,
            f"{what}: {work_package} is {lane}, it says {lanes.get(work_package)}",
        )


def _control(worlds: Worlds) -> None:
    """The healthy twin of a damaged log: it is read, and read right."""
    __tracebackhide__ = True
    twin = worlds({"WP01": "in_review", "WP02": "claimed"})
    _expect_lanes(twin, {"WP01": "in_review", "WP02": "claimed"}, "a healthy log")


def _expect_error(world: World, outcome: Outcome, line: int, what: str) -> None:
    """Judge that reading was declined with a diagnostic that names ``line``."""
    __tracebackhide__ = True
    diagnostic = world.declined(outcome, what, Finding.DAMAGE_ACCEPTED)
    named = names_line(diagnostic, line)
    world.check(named, Finding.WRONG_DIAGNOSTIC, f"{what}: line {line} is not named: {outcome}")


def _snapshot(world: World, outcome: Outcome | None = None) -> dict[str, Any]:
    """Materialize, and return the snapshot as it is on disk."""
    __tracebackhide__ = True
    world.worlds.needs(Capability.SNAPSHOT)
    answer = world.accepted(outcome or world.materialize(), "the snapshot is written")
    on_disk = world.snapshot_on_disk()
    if on_disk is None:
        world.fail(Finding.SNAPSHOT_DIFFERS, "the snapshot was reported, and there is no status.json")
    world.check(
        on_disk.get("work_packages") == answer["snapshot"].get("work_packages"),
        Finding.SNAPSHOT_DIFFERS,
        "the snapshot that was reported is not the one on disk",
    )
    missing = [key for key in ("event_count", "last_event_id", "summary", "work_packages") if key not in on_disk]
    world.check(not missing, Finding.SNAPSHOT_DIFFERS, f"status.json has no {', '.join(missing)}")
    return on_disk


def _slot(snapshot: dict[str, Any], work_package: str, slot: str) -> Any:
    return snapshot["work_packages"].get(work_package, {}).get(slot)


def _has_snapshots(world: World) -> bool:
    return Capability.SNAPSHOT in world.implementation.greeting.capabilities


def _is_contract(world: World) -> bool:
    return world.profile.name == "contract-320"


# --- LOG-001


@pytest.mark.kitty_clause("LOG-001")
@pytest.mark.parametrize("shuffle", range(4))
def test_the_order_of_lines_does_not_matter(worlds: Worlds, shuffle: int) -> None:
    """The same rows in another order reduce to the same lanes."""
    world = worlds({"WP01": "done", "WP02": "in_review", "WP03": "blocked"})
    log = world.mission.log
    log.lane("WP02", "planned").lane("WP02", "claimed")
    # Two steps of one batch, at one instant: the event ids say which came first.
    log.lane("WP02", "in_progress", at=log.last["at"])
    if _is_contract(world):
        log.note("WP01", "first").note("WP01", "second").annotate("WP01", agent="one").annotate("WP01", agent="two")
    expected = {"WP01": "done", "WP02": "in_progress", "WP03": "blocked"}
    _expect_lanes(world, expected, "rows in order")
    straight = _snapshot(world) if _has_snapshots(world) else None

    lines = world.log.read_bytes().splitlines(keepends=True)
    if shuffle == 0:
        lines.reverse()
    else:
        world.rng.shuffle(lines)
    world.mission.log.rewrite(b"".join(lines))
    _expect_lanes(world, expected, "the rows in another order", Finding.ORDER_MATTERS)
    if straight is not None:
        turned = _snapshot(world)
        differs = sorted(key for key in {*straight, *turned} if straight.get(key) != turned.get(key))
        world.check(not differs, Finding.ORDER_MATTERS, f"in another order the snapshot has another {differs}")


# --- LOG-002


@pytest.mark.kitty_clause("LOG-002")
def test_a_lane_row_counts_once(worlds: Worlds) -> None:
    """A forced row and an early row, each there twice: lane, count of events and force count as if once."""
    world = worlds({"WP01": "claimed", "WP02": "planned"})
    world.mission.log.lane("WP01", "approved", force=True)
    _expect_lanes(world, {"WP01": "approved"}, "each row once")
    once = _snapshot(world) if _has_snapshots(world) else None
    lines = world.log.read_bytes().splitlines(keepends=True)
    world.mission.log.rewrite(b"".join([*lines, lines[-1], lines[0]]))
    _expect_lanes(world, {"WP01": "approved", "WP02": "planned"}, "rows that are there twice", Finding.COUNTED_TWICE)
    if once is None:
        return
    twice = _snapshot(world)
    counts = [(found["event_count"], _slot(found, "WP01", "force_count")) for found in (once, twice)]
    world.check(
        counts[0] == counts[1],
        Finding.COUNTED_TWICE,
        f"events and forced moves are {counts[0]} with each row once and {counts[1]} with two of them twice",
    )
    # Three rows of WP01, of which the bootstrap and the last are forced, and one of WP02.
    world.check(
        counts[1] == (4, 2), Finding.COUNTED_TWICE, f"four distinct rows, two forced moves; it counts {counts[1]}"
    )


@pytest.mark.kitty_clause("LOG-002")
def test_an_annotation_counts_once(worlds: Worlds) -> None:
    """A note that is there twice, as one event, is one note (3.2.x: two)."""
    world = worlds({"WP01": "claimed"})
    world.mission.log.note("WP01", "first").note("WP01", "second")
    notes = _slot(_snapshot(world), "WP01", "notes")
    world.check(notes == ["first", "second"], Finding.SNAPSHOT_DIFFERS, f"two notes, it has {notes}")
    world.mission.log.raw(encode_row(world.mission.log.last))
    expected = ["first", "second"] if _is_contract(world) else ["first", "second", "second"]
    notes = _slot(_snapshot(world), "WP01", "notes")
    world.check(notes == expected, Finding.COUNTED_TWICE, f"the second note is there twice: {notes}")


@pytest.mark.kitty_clause("LOG-002")
def test_a_retrospective_row_counts_once(worlds: Worlds) -> None:
    """A proposal that is there twice, as one event, is one proposal (3.2.x: two)."""
    world = worlds({"WP01": "done"})
    log = world.mission.log.retrospective("retrospective.completed")
    log.retrospective("retrospective.proposal.generated")
    block = _snapshot(world).get("retrospective") or {}
    world.check(block.get("proposals_total") == 1, Finding.SNAPSHOT_DIFFERS, f"one proposal was made, it says {block}")
    log.raw(encode_row(log.last))
    block = _snapshot(world).get("retrospective") or {}
    expected = 1 if _is_contract(world) else 2
    world.check(
        block.get("proposals_total") == expected, Finding.COUNTED_TWICE, f"the proposal is there twice: {block}"
    )


@pytest.mark.kitty_clause("LOG-002")
def test_a_row_that_is_spelled_otherwise_counts_once(worlds: Worlds) -> None:
    """A row, and the same again with its keys in another order and without blanks: one event, one content."""
    world = worlds({"WP01": "planned", "WP02": "claimed"})
    log = world.mission.log
    row = log.lane("WP01", "claimed", force=True).last
    _expect_lanes(world, {"WP01": "claimed", "WP02": "claimed"}, "the row once")
    once = _snapshot(world)["event_count"] if _has_snapshots(world) else None
    log.raw(json.dumps(dict(reversed(row.items())), separators=(",", ":")).encode() + b"\n")
    _expect_lanes(world, {"WP01": "claimed", "WP02": "claimed"}, "the row in two spellings", Finding.COUNTED_TWICE)
    if once is not None:
        twice = _snapshot(world)["event_count"]
        world.check(twice == once, Finding.COUNTED_TWICE, f"{once} events, and {twice} with one of them spelled twice")


# --- LOG-003


_CONFLICTS: dict[str, dict[str, Any]] = {
    "another lane": {"to_lane": "blocked"},
    "another actor": {"actor": "somebody-else"},
    "another time": {"at": "2020-03-05T00:00:00+00:00"},
    "another reason": {"reason": "for another reason"},
    "another work package": {"wp_id": "WP02"},
    "other metadata": {"policy_metadata": {"agent": "somebody-else"}},
}


@pytest.mark.kitty_clause("LOG-003")
@pytest.mark.parametrize("first", ["the row", "the other"])
@pytest.mark.parametrize("conflict", _CONFLICTS)
def test_one_id_with_two_contents_is_refused(worlds: Worlds, conflict: str, first: str) -> None:
    """Two rows share an event id and differ: refused, naming both lines (3.2.x: the first counts)."""
    world = worlds({"WP01": "planned", "WP02": "claimed"})
    _expect_lanes(world, {"WP01": "planned", "WP02": "claimed"}, "distinct ids")
    log = world.mission.log
    healthy = log.data
    row = log.lane("WP01", "claimed").last
    pair = [row, {**row, **_CONFLICTS[conflict]}]
    if first == "the other":
        pair.reverse()
    lines = _end_with(log, healthy, pair)
    if _is_contract(world):
        _expect_conflict(world, lines + 1, lines + 2)
    else:
        expected = {"WP01": "planned", "WP02": "claimed", pair[0]["wp_id"]: pair[0]["to_lane"]}
        _expect_lanes(world, expected, "the first of two rows with one id")


@pytest.mark.kitty_clause("LOG-003")
def test_one_id_with_two_notes_is_refused(worlds: Worlds) -> None:
    """Annotations are events too (3.2.x: both count)."""
    world = worlds({"WP01": "planned", "WP02": "claimed"})
    log = world.mission.log.note("WP01", "one")
    _expect_lanes(world, {"WP01": "planned", "WP02": "claimed"}, "distinct ids")
    log.row({**log.last, "delta": {"note": "two"}})
    if _is_contract(world):
        lines = len(log.data.splitlines())
        _expect_conflict(world, lines - 1, lines)
    else:
        _expect_lanes(world, {"WP01": "planned", "WP02": "claimed"}, "two notes with one id")


@pytest.mark.kitty_clause("LOG-003")
@pytest.mark.parametrize("first", ["transition", "annotation"])
def test_one_id_of_two_kinds_is_refused(worlds: Worlds, first: str) -> None:
    """A transition and an annotation share an id (3.2.x: both count)."""
    world = worlds({"WP01": "planned", "WP02": "claimed"})
    _expect_lanes(world, {"WP01": "planned", "WP02": "claimed"}, "distinct ids")
    log = world.mission.log
    healthy = log.data
    row = log.lane("WP01", "claimed").last
    pair = [row, {**log.note("WP01", "one").last, "event_id": row["event_id"]}]
    if first == "annotation":
        pair.reverse()
    lines = _end_with(log, healthy, pair)
    if _is_contract(world):
        _expect_conflict(world, lines + 1, lines + 2)
    else:
        _expect_lanes(world, {"WP01": "claimed", "WP02": "claimed"}, "a transition and a note with one id")


def _end_with(log: EventLog, before: bytes, rows: Sequence[Mapping[str, Any]]) -> int:
    """Have the log be what it was before, and ``rows`` behind that; return how many lines are before them."""
    log.rewrite(b"".join([before, *map(encode_row, rows)]))
    return len(before.splitlines())


def _expect_conflict(world: World, one: int, other: int) -> None:
    __tracebackhide__ = True
    outcome = world.state()
    diagnostic = world.declined(outcome, "two contents under one event id", Finding.DAMAGE_ACCEPTED)
    both = names_line(diagnostic, one) and names_line(diagnostic, other)
    world.check(both, Finding.WRONG_DIAGNOSTIC, f"lines {one} and {other} are not both named: {outcome}")


# --- LOG-004


@pytest.mark.kitty_clause("LOG-004")
@pytest.mark.parametrize("back_to", ["in_progress", "planned"])
@pytest.mark.parametrize("approval", ["approved", "done"])
@pytest.mark.parametrize("order", ["approval first", "rejection first"])
def test_a_rejection_outranks_an_approval_of_the_same_instant(
    worlds: Worlds, back_to: str, approval: str, order: str
) -> None:
    """Two reviewers decide at one instant, one each way: the rejection stands, whichever has the higher id."""
    world = worlds({"WP01": "in_review", "WP02": "in_review"})
    log = world.mission.log
    log.lane("WP02", approval)
    _expect_lanes(world, {"WP01": "in_review", "WP02": approval}, "an approval alone")
    first, second = (approval, back_to) if order == "approval first" else (back_to, approval)
    moment = log.lane("WP01", first).last["at"]
    log.lane("WP01", second, at=moment, from_lane="in_review")
    protected = _is_contract(world) or back_to == "in_progress"
    expected = back_to if protected or second == back_to else approval
    what = f"rejection to {back_to} and {approval} at one instant"
    _expect_lanes(world, {"WP01": expected, "WP02": approval}, what)


@pytest.mark.kitty_clause("LOG-004")
def test_a_rejection_outranks_nothing_else(worlds: Worlds) -> None:
    """Not an approval of another work package, not one of a moment later, and nothing that is no approval."""
    world = worlds({"WP01": "in_review", "WP02": "in_review", "WP03": "in_review", "WP04": "in_review"})
    log = world.mission.log
    # Their ids tell which of the two came first.
    log.lane("WP04", "planned", at="2020-03-09T12:00:00+00:00")
    log.lane("WP04", "claimed", at="2020-03-09T12:00:00+00:00", from_lane="planned")
    moment = log.lane("WP01", "in_progress").last["at"]
    log.lane("WP02", "approved", at=moment)
    log.lane("WP03", "in_progress", at="2020-03-09T12:00:00.000000+00:00")
    log.lane("WP03", "approved", at="2020-03-09T12:00:00.500000+00:00", from_lane="in_review")
    expected = {"WP01": "in_progress", "WP02": "approved", "WP03": "approved", "WP04": "claimed"}
    what = "a rejection, an approval beside it, one half a second after another, a claim at the instant of a rejection"
    _expect_lanes(world, expected, what)


@pytest.mark.kitty_clause("LOG-004")
def test_one_instant_in_two_spellings_is_one_instant(worlds: Worlds) -> None:
    """A rejection and an approval of one instant, each spelled its own way (3.2.x: the text decides)."""
    world = worlds({"WP01": "in_review", "WP02": "claimed"})
    _expect_lanes(world, {"WP01": "in_review", "WP02": "claimed"}, "before both")
    log = world.mission.log
    log.lane("WP01", "in_progress", at="2020-03-09T12:00:00+00:00")
    log.lane("WP01", "approved", at="2020-03-09T13:00:00+01:00", from_lane="in_review")
    expected = "in_progress" if _is_contract(world) else "approved"
    _expect_lanes(world, {"WP01": expected, "WP02": "claimed"}, "one instant, spelled in two ways")


# --- LOG-005

_SPELLINGS = {
    "Z before a fraction": ("2020-03-09T12:00:00Z", "2020-03-09T12:00:00.500000+00:00"),
    "an earlier instant with a later hour": ("2020-03-09T13:00:00+02:00", "2020-03-09T12:00:00+00:00"),
    "a negative offset": ("2020-03-09T06:30:00-05:00", "2020-03-09T12:00:00.000001+00:00"),
    "Z after plain": ("2020-03-09T12:00:00+00:00", "2020-03-09T12:00:01Z"),
    "fractions of one second": ("2020-03-09T12:00:00.100000+00:00", "2020-03-09T12:00:00.900000+00:00"),
    "microseconds of one millisecond": ("2020-03-09T12:00:00.000001+00:00", "2020-03-09T12:00:00.000002+00:00"),
    "the day before, by its date": ("2020-03-10T01:00:00+14:00", "2020-03-09T12:00:00+00:00"),
}


@pytest.mark.kitty_clause("LOG-005")
@pytest.mark.parametrize("spelling", _SPELLINGS)
def test_rows_are_ordered_by_instant(worlds: Worlds, spelling: str) -> None:
    """Two rows, the later one spelled so that its text may sort first (3.2.x: the text decides)."""
    earlier, later = _SPELLINGS[spelling]
    world = worlds({"WP01": "planned", "WP02": "claimed"})
    _expect_lanes(world, {"WP01": "planned", "WP02": "claimed"}, "rows of one spelling")
    log = world.mission.log
    # The earlier row has the higher id, so that the instant alone can decide.
    lower, higher = (log.ids.ulid(log.clock.tick()) for _ in range(2))
    log.lane("WP01", "claimed", at=earlier, event_id=higher).lane("WP01", "in_progress", at=later, event_id=lower)
    by_text = "in_progress" if earlier < later else "claimed"
    expected = "in_progress" if _is_contract(world) else by_text
    _expect_lanes(world, {"WP01": expected, "WP02": "claimed"}, f"{earlier} then {later}")


@pytest.mark.kitty_clause("LOG-005")
def test_annotations_are_ordered_by_instant(worlds: Worlds) -> None:
    """Two notes, the later one spelled so that its text sorts first (3.2.x: the text decides)."""
    world = worlds({"WP01": "claimed"})
    log = world.mission.log
    keys = [{"at": "2020-03-09T13:00:00+02:00", "note": "first"}, {"at": "2020-03-09T12:00:00+00:00", "note": "second"}]
    for key in keys:
        log.note("WP01", key["note"])
        row = {**log.last, "at": key["at"]}
        log.rewrite(log.data.replace(encode_row(log.last), encode_row(row)))
    notes = _slot(_snapshot(world), "WP01", "notes")
    expected = ["first", "second"] if _is_contract(world) else ["second", "first"]
    world.check(notes == expected, Finding.ORDER_MATTERS, f"expected the notes {expected}, it has {notes}")


# --- LOG-006


def _mixed(world: World) -> None:
    log = world.mission.log
    log.lifecycle("MissionCreated").lifecycle("WPCreated", wp_id="WP01", wp_title="One")
    log.note("WP01", "hi").decision("D1").decision("D1", resolved=True)
    log.retrospective("Captured").retrospective("retrospective.completed")


@pytest.mark.kitty_clause("LOG-006")
def test_other_rows_are_recognised_and_move_nothing(worlds: Worlds) -> None:
    """Annotations, lifecycle rows, decisions and both retrospective families beside lane rows."""
    world = worlds({"WP01": "claimed", "WP02": "for_review"})
    _mixed(world)
    world.mission.log.lane("WP01", "in_progress")
    _expect_lanes(world, {"WP01": "in_progress", "WP02": "for_review"}, "rows of every kind")
    if Capability.EVENTS in world.implementation.greeting.capabilities:
        answer = world.accepted(world.events(), "rows of every kind are listed")
        kinds = [event["kind"] for event in answer["events"]]
        lanes_before = len(kinds) - 8
        expected = ["lane"] * lanes_before + [
            "lifecycle", "lifecycle", "annotation", "decision", "decision", "retrospective", "retrospective", "lane",
        ]  # fmt: skip
        world.check(
            kinds == expected, Finding.ROW_UNRECOGNISED, f"expected {expected[lanes_before:]}, it says {kinds[-8:]}"
        )
    if _has_snapshots(world):
        world.mission.log.annotate("WP01", agent="one").note("WP01", "again")
        agent = _slot(_snapshot(world), "WP01", "agent")
        world.check(
            agent == "one", Finding.SNAPSHOT_DIFFERS, f"a note says nothing of the agent one, the snapshot has {agent}"
        )


@pytest.mark.kitty_clause("LOG-006")
def test_other_rows_survive_a_transition(worlds: Worlds) -> None:
    """A writer that rewrites the log keeps every row that it does not write itself, keys it does not know included."""
    worlds.needs(Capability.WRITE)
    world = worlds({"WP01": "planned"})
    _mixed(world)
    world.mission.log.lane("WP01", "claimed", an_unknown_key={"kept": True, "large": 2**53 + 1})
    mark = world.mark()
    world.moved(mark, world.transition("WP01", "in_progress", workspace_context="worktree:a"), "WP01", "in_progress")


@pytest.mark.kitty_clause("LOG-006")
def test_an_unknown_kind_is_an_error(worlds: Worlds) -> None:
    """A row of a kind that nobody knows is told by its line, not skipped."""
    _control(worlds)
    world = worlds({"WP01": "claimed"})
    log = world.mission.log
    log.row({**log.last, "event_id": log.ids.ulid(log.clock.tick()), "kind": "verdict", "to_lane": "done"})
    _expect_error(world, world.state(), len(log.rows), "a row of unknown kind")


@pytest.mark.kitty_clause("LOG-006")
@pytest.mark.parametrize("row", ["annotation with a lane", "event_type with lanes", "a kind that is no text"])
def test_a_row_that_could_be_two_things_moves_nothing(worlds: Worlds, row: str) -> None:
    """A row of another kind that carries lane fields is that kind or an error, never a transition."""
    _control(worlds)
    world = worlds({"WP01": "claimed", "WP02": "planned"})
    log = world.mission.log
    template = {**log.rows[-1], "event_id": log.ids.ulid(log.clock.tick()), "at": log.clock.text, "wp_id": "WP01"}
    lanes = {"from_lane": "claimed", "to_lane": "done"}
    if row == "annotation with a lane":
        log.note("WP01", "hi")
        log.rewrite(log.data.replace(encode_row(log.last), encode_row({**log.last, **lanes})))
    elif row == "event_type with lanes":
        log.row({**template, **lanes, "event_type": "SomethingHappened"})
    else:
        log.row({**template, **lanes, "kind": 5})
    outcome = world.answered(world.state())
    if outcome.ok:
        lane = outcome.value["lanes"].get("WP01")
        world.check(lane == "claimed", Finding.LANE_DISAGREES, f"{row}: it moved WP01 to {lane}")
        world.check(row != "a kind that is no text", Finding.DAMAGE_ACCEPTED, f"{row} was accepted")


# --- LOG-007


@pytest.mark.kitty_clause("LOG-007")
@pytest.mark.parametrize("place", ["first", "middle", "last", "torn"])
def test_a_corrupt_line_is_named(worlds: Worlds, place: str) -> None:
    """A line that is not JSON: an error with its number, wherever it stands."""
    _control(worlds)
    world = worlds({"WP01": "in_review", "WP02": "claimed"})
    line = _corrupt(world, place)
    _expect_error(world, world.state(), line, f"a corrupt line ({place})")


@pytest.mark.kitty_clause("LOG-007")
@pytest.mark.parametrize("place", ["first", "middle", "last", "torn"])
def test_a_recovery_read_says_what_it_left_out(worlds: Worlds, place: str) -> None:
    """On request the rest is read, and every line that was left out is reported."""
    worlds.needs(Capability.RECOVERY)
    _control(worlds)
    world = worlds({"WP01": "in_review", "WP02": "claimed"})
    line = _corrupt(world, place)
    _expect_recovery(world, [line])


@pytest.mark.kitty_clause("LOG-007")
def test_a_recovery_read_reports_every_line(worlds: Worlds) -> None:
    """Several lines are bad, each in its own way: not JSON, not UTF-8, no object, no row."""
    worlds.needs(Capability.RECOVERY)
    _control(worlds)
    world = worlds({"WP01": "in_review", "WP02": "claimed"})
    lines = world.log.read_bytes().splitlines(keepends=True)
    bad = [b"oops\n", b'{"actor": "\xff"}\n', b"[1]\n", b'{"to_lane": 5}\n']
    mixed = [line for pair in zip(bad, lines, strict=False) for line in pair] + lines[len(bad) :]
    world.mission.log.rewrite(b"".join(mixed))
    _expect_recovery(world, [1, 3, 5, 7])


@pytest.mark.kitty_clause("LOG-007")
def test_a_recovery_read_chooses_in_no_silence(worlds: Worlds) -> None:
    """Two rows share an id and differ: a recovery read that counts one of them says which it left out."""
    worlds.needs(Capability.RECOVERY)
    _control(worlds)
    world = worlds({"WP01": "in_review", "WP02": "claimed"})
    if not _is_contract(world):
        not_applicable("in 3.2.x the first of two rows with one id counts, in every read")
    log = world.mission.log
    log.row({**log.lane("WP02", "in_progress").last, "to_lane": "blocked"})
    line = len(log.data.splitlines())
    outcome = world.state(recover=True)
    left_out = world.accepted(outcome, "a recovery read")["left_out"] if outcome.ok else [outcome.value]
    told = any(names_line(item, number) for item in left_out for number in (line - 1, line))
    world.check(told, Finding.DAMAGE_UNREPORTED, f"of lines {line - 1} and {line} neither is named: {left_out}")


@pytest.mark.kitty_clause("LOG-007")
def test_blank_lines_count(worlds: Worlds) -> None:
    """A line has the number that an editor shows, blank lines and all."""
    _control(worlds)
    world = worlds({"WP01": "in_review", "WP02": "claimed"})
    lines = world.log.read_bytes().splitlines(keepends=True)
    world.mission.log.rewrite(b"".join([b"\n", lines[0], b"\n", b"  \n", lines[1], b"oops\n", *lines[2:]]))
    _expect_error(world, world.state(), 6, "a corrupt line behind blank ones")


def _expect_recovery(world: World, lines: list[int]) -> None:
    """Judge a recovery read of WP01 in review and WP02 claimed: every row is there, ``lines`` were left out."""
    __tracebackhide__ = True
    answer = world.accepted(world.state(recover=True), "a recovery read")
    lanes, left_out = answer["lanes"], answer["left_out"]
    world.check(
        lanes.get("WP01") == "in_review" and lanes.get("WP02") == "claimed",
        Finding.LANE_DISAGREES,
        f"every row is there; the recovery read says {lanes}",
    )
    told = len(left_out) == len(lines) and all(any(names_line(item, line) for item in left_out) for line in lines)
    shown = [item.get("line") or item.get("message") for item in left_out]
    world.check(told, Finding.DAMAGE_UNREPORTED, f"lines {lines} were left out; reported are {shown}")


def _corrupt(world: World, place: str) -> int:
    """Put a line that is not JSON into the log and return its number; every row stays."""
    lines = world.log.read_bytes().splitlines(keepends=True)
    at = {"first": 0, "middle": len(lines) // 2}.get(place, len(lines))
    bad = b'{"event_id": "01J' if place == "torn" else b'{"event_id": "01J", oops}\n'
    world.mission.log.rewrite(b"".join([*lines[:at], bad, *lines[at:]]))
    return at + 1


# --- LOG-008

_FRAMING: dict[str, Callable[[bytes], bytes]] = {
    "CRLF": lambda data: data.replace(b"\n", b"\r\n"),
    "byte-order mark": lambda data: b"\xef\xbb\xbf" + data,
    "NUL padding": lambda data: data + b"\0" * 64,
    "NUL in a string": lambda data: data.replace(b"canonical", b"cano\0nical", 1),
    "invalid UTF-8": lambda data: data.replace(b"canonical", b"cano\xffnical", 1),
    "a cut character": lambda data: data.replace(b"canonical", b"cano\xe2\x80nical", 1),
    "U+2028": lambda data: data.replace(b"canonical", "cano\u2028nical".encode(), 1),
    "U+2029": lambda data: data.replace(b"canonical", "cano\u2029nical".encode(), 1),
    "U+0085": lambda data: data.replace(b"canonical", "cano\u0085nical".encode(), 1),
    "form feed": lambda data: data.replace(b"\n", b"\n\x0c\n", 1),
    "blank lines": lambda data: data.replace(b"\n", b"\n\n  \t\n"),
}

#: Legal JSON Lines: each row has to be read, an error is none of the answers.
_LEGAL_FRAMING = frozenset({"U+2028", "U+2029", "U+0085"})


@pytest.mark.kitty_clause("LOG-008")
@pytest.mark.parametrize("framing", _FRAMING)
def test_odd_bytes_give_whole_rows_or_an_error(worlds: Worlds, framing: str) -> None:
    """Line ends, marks and separators: one row each or a typed error, never a split row, never a traceback."""
    _control(worlds)
    world = worlds({"WP01": "in_review", "WP02": "claimed"})
    world.mission.log.rewrite(_FRAMING[framing](world.log.read_bytes()))
    outcome = world.answered(world.state())
    if outcome.ok:
        lanes = outcome.value["lanes"]
        world.check(
            lanes.get("WP01") == "in_review" and lanes.get("WP02") == "claimed",
            Finding.LANE_DISAGREES,
            f"{framing}: the rows say in_review and claimed, it says {lanes}",
        )
    elif framing in _LEGAL_FRAMING:
        world.fail(
            Finding.LEGAL_REFUSED, f"{framing} inside a JSON string is legal; it was split or refused: {outcome}"
        )


# --- LOG-009


def _wrong_shapes() -> dict[str, Callable[[dict[str, Any]], bytes]]:
    def keyed(**keys: Any) -> Callable[[dict[str, Any]], bytes]:
        return lambda row: encode_row({**row, **keys})

    def without(key: str) -> Callable[[dict[str, Any]], bytes]:
        return lambda row: encode_row({name: value for name, value in row.items() if name != key})

    def text(change: Callable[[bytes], bytes]) -> Callable[[dict[str, Any]], bytes]:
        return lambda row: change(encode_row(row))

    def annotation(**keys: Any) -> Callable[[dict[str, Any]], bytes]:
        def make(row: dict[str, Any]) -> bytes:
            kept = {key: row[key] for key in ("actor", "at", "event_id", "wp_id")}
            return encode_row({**kept, "kind": "annotation", "delta": {"note": "x"}, **keys})

        return make

    def raw(line: bytes) -> Callable[[dict[str, Any]], bytes]:
        return lambda _: line

    return {
        "an array": raw(b"[1, 2]\n"),
        "a string": raw(b'"claimed"\n'),
        "a number": raw(b"7\n"),
        "null": raw(b"null\n"),
        "an empty object": raw(b"{}\n"),
        "an unknown lane": keyed(to_lane="nirvana"),
        "an alias as lane": keyed(to_lane="doing"),
        "a list as lane": keyed(to_lane=["claimed"]),
        "no lane": without("to_lane"),
        "no event id": without("event_id"),
        "no timestamp": without("at"),
        "a list as event id": keyed(event_id=["x"]),
        "null as work package": keyed(wp_id=None),
        "a list as work package": keyed(wp_id=["WP01"]),
        "a number as timestamp": keyed(at=5),
        "a timestamp that is none": keyed(at="zzz"),
        "a string as force": keyed(force="false"),
        "null as force": keyed(force=None),
        "a number as actor": keyed(actor=5),
        "a string as evidence": keyed(evidence="x"),
        "a string as review result": keyed(review_result="approved"),
        "a list as policy metadata": keyed(policy_metadata=["x"]),
        "an unknown lane to come from": keyed(from_lane="nirvana"),
        "a number as reason": keyed(reason=5),
        "a list as review reference": keyed(review_ref=["x"]),
        "an actor of other keys": keyed(actor={"name": "x"}),
        "a path as work package": keyed(wp_id="../x"),
        "no actor": without("actor"),
        "no force": without("force"),
        "no lane to come from": without("from_lane"),
        "no execution mode": without("execution_mode"),
        "an annotation without a delta": annotation(delta=None),
        "an annotation with a list as delta": annotation(delta=["x"]),
        "an annotation with an id that is none": annotation(event_id="x"),
        "an annotation with subtasks in no lane": annotation(delta={"subtasks": {"T1": "pending"}}),
        "a repeated key with a blank": text(lambda line: line.replace(b'"to_lane"', b'"to_lane" : "done", "to_lane"')),
        "a repeated key, escaped": text(lambda line: line.replace(b'"to_lane"', b'"to\\u005flane": "done", "to_lane"')),
        "a repeated key": text(lambda line: line.replace(b'"to_lane"', b'"to_lane": "done", "to_lane"')),
        "a repeated key deep down": text(
            lambda line: line.replace(b'"policy_metadata": null', b'"policy_metadata": {"a": {"b": 1, "b": 2}}')
        ),
        "two objects on a line": text(lambda line: line.rstrip(b"\n") + line),
        "extreme depth": text(
            lambda line: line.replace(
                b'"policy_metadata": null', b'"policy_metadata": {"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
            )
        ),
        "5,000 digits": text(
            lambda line: line.replace(b'"policy_metadata": null', b'"policy_metadata": {"a": ' + b"9" * 5000 + b"}")
        ),
        "a line of 20 MB": keyed(reason="x" * 20_000_000),
    }


_SHAPES = _wrong_shapes()

#: Legal rows of extreme size: reading them right, in time, is as good an answer as refusing them by their line.
_EXTREME = frozenset({"extreme depth", "5,000 digits", "a line of 20 MB"})


@pytest.mark.kitty_clause("LOG-009")
@pytest.mark.parametrize("shape", _SHAPES)
def test_a_row_of_the_wrong_shape_is_refused(worlds: Worlds, shape: str) -> None:
    """Well-formed JSON that is no row: refused by its line, in bounded time, and never half believed."""
    _control(worlds)
    world = worlds({"WP01": "planned", "WP02": "claimed"})
    log = world.mission.log
    row = {
        **log.rows[0], "wp_id": "WP01", "from_lane": "planned", "to_lane": "claimed", "force": False,
        "event_id": log.ids.ulid(log.clock.tick()), "at": log.clock.text,
    }  # fmt: skip
    number = len(log.rows) + 1
    log.raw(_SHAPES[shape](row))
    log.lane("WP02", "in_progress")
    outcome = world.state()
    if shape in _EXTREME and outcome.ok:
        _expect_lanes(world, {"WP01": "claimed", "WP02": "in_progress"}, shape)
        return
    _expect_error(world, outcome, number, shape)


# --- LOG-010


_FOREIGN: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "another id and slug": ({"mission_slug": "elsewhere-01ABCDEF", "mission_id": "01ABCDEF00000000000000000A"}, ()),
    "another slug, no id": ({"mission_slug": "elsewhere-01ABCDEF"}, ("mission_id",)),
    "another id under this slug": ({"mission_id": "01ABCDEF00000000000000000A"}, ()),
}


@pytest.mark.kitty_clause("LOG-010")
@pytest.mark.parametrize("identity", _FOREIGN)
def test_rows_of_another_mission_do_not_count(worlds: Worlds, identity: str) -> None:
    """A row that another mission wrote into this log moves nothing here, and is reported (3.2.x: it counts)."""
    world = worlds({"WP01": "claimed", "WP02": "planned"})
    log = world.mission.log
    _expect_lanes(world, {"WP01": "claimed", "WP02": "planned"}, "rows of this mission")
    keys, drop = _FOREIGN[identity]
    log.lane("WP02", "done", force=True, drop=drop, **keys)
    number = len(log.rows)
    outcome = world.answered(world.state())
    if _is_contract(world) and outcome.declined:
        _expect_error(world, outcome, number, "a row of another mission")
        return
    lanes = world.lanes(outcome)
    expected = "planned" if _is_contract(world) else "done"
    world.check(
        lanes.get("WP02") == expected and lanes.get("WP01") == "claimed",
        Finding.LANE_DISAGREES,
        f"a row of another mission: WP02 is {expected}, it says {lanes.get('WP02')}",
    )
    if _is_contract(world):
        told = any(names_line(item, number) for item in outcome.value["reports"])
        world.check(told, Finding.DAMAGE_UNREPORTED, f"line {number} is another mission's, and is not reported")
        if _has_snapshots(world):
            count = _snapshot(world)["event_count"]
            world.check(
                count == number - 1, Finding.COUNTED_TWICE, f"{number - 1} rows are this mission's, it counts {count}"
            )


@pytest.mark.kitty_clause("LOG-010")
def test_rows_of_this_mission_count_by_their_id(worlds: Worlds) -> None:
    """A row under an older slug with this mission's id, and one that names no mission, are this mission's."""
    world = worlds({"WP01": "claimed", "WP02": "planned"})
    log = world.mission.log
    _expect_lanes(world, {"WP01": "claimed", "WP02": "planned"}, "rows of this mission")
    log.lane("WP01", "in_progress", mission_slug="renamed-since")
    log.lane("WP02", "claimed", drop=("mission_id", "mission_slug"))
    _expect_lanes(world, {"WP01": "in_progress", "WP02": "claimed"}, "an older slug, and no name at all")


# --- LOG-011


@pytest.mark.kitty_clause("LOG-011")
def test_the_snapshot_is_a_function_of_the_log(worlds: Worlds) -> None:
    """Written twice, and once more after it was thrown away: the same bytes; and they count what the log has."""
    worlds.needs(Capability.SNAPSHOT)
    world = worlds({"WP01": "done", "WP02": "in_review", "WP03": "canceled", "WP04": "planned"})
    world.mission.log.lane("WP02", "planned")
    snapshot = _snapshot(world)
    path = world.mission.paths.snapshot
    first = path.read_bytes()
    _snapshot(world)
    world.check(path.read_bytes() == first, Finding.SNAPSHOT_DIFFERS, "the second snapshot differs from the first")
    path.unlink()
    _snapshot(world)
    world.check(path.read_bytes() == first, Finding.SNAPSHOT_DIFFERS, "the snapshot differs after it was thrown away")

    rows = rows_from_bytes(world.log.read_bytes())
    expected = {"WP01": "done", "WP02": "planned", "WP03": "canceled", "WP04": "planned"}
    world.check(
        snapshot["event_count"] == len(rows),
        Finding.SNAPSHOT_DIFFERS,
        f"the log has {len(rows)} transitions, the snapshot counts {snapshot['event_count']}",
    )
    lanes = {name: _slot(snapshot, name, "lane") for name in snapshot["work_packages"]}
    world.check(lanes == expected, Finding.SNAPSHOT_DIFFERS, f"the log says {expected}, the snapshot {lanes}")
    counts = {lane: list(expected.values()).count(lane) for lane in BOARD if lane in expected.values()}
    summary = {lane: count for lane, count in snapshot["summary"].items() if count}
    world.check(
        summary == counts,
        Finding.SNAPSHOT_DIFFERS,
        f"expected {counts}, the summary is {snapshot['summary']}",
    )
    world.check(
        snapshot["last_event_id"] == rows[-1]["event_id"],
        Finding.SNAPSHOT_DIFFERS,
        f"the newest row is {rows[-1]['event_id']}, the snapshot says {snapshot['last_event_id']}",
    )


@pytest.mark.kitty_clause("LOG-011")
def test_a_snapshot_owes_nothing_to_who_writes_it_or_to_what_was_there(worlds: Worlds) -> None:
    """Another process writes the same bytes; a stale and a damaged snapshot leave no trace."""
    worlds.needs(Capability.SNAPSHOT)
    world = worlds({"WP01": "done", "WP02": "claimed"})
    world.mission.log.lane("WP02", "approved", force=True)
    snapshot = _snapshot(world)
    # The older bootstrap is a forced row.
    forced = [_slot(snapshot, name, "force_count") for name in ("WP01", "WP02")]
    world.check(forced == [1, 2], Finding.SNAPSHOT_DIFFERS, f"forced moves are 1 and 2, the snapshot says {forced}")
    path = world.mission.paths.snapshot
    first = path.read_bytes()
    path.unlink()
    request = Materialize(root=str(world.mission.root), mission=world.mission.slug)
    with another_process(world) as other:
        _snapshot(world, world.ask(request, of=other))
    world.check(path.read_bytes() == first, Finding.SNAPSHOT_DIFFERS, "another process writes another snapshot")
    path.write_bytes(b'<<<<<<< ours\n{"work_packages": {}}\n')
    _snapshot(world)
    world.check(path.read_bytes() == first, Finding.SNAPSHOT_DIFFERS, "a damaged snapshot shows in the next one")
    world.mission.log.lane("WP02", "done")
    lane = _slot(_snapshot(world), "WP02", "lane")
    world.check(lane == "done", Finding.SNAPSHOT_DIFFERS, f"WP02 is done since; the snapshot says {lane}")


@pytest.mark.kitty_clause("LOG-011")
def test_a_change_of_the_same_length_is_seen(worlds: Worlds) -> None:
    """Between two questions a lane in the log becomes another one with as many letters."""
    world = worlds({"WP01": "claimed", "WP02": "planned"})
    _expect_lanes(world, {"WP01": "claimed", "WP02": "planned"}, "before the change")
    changed = world.log.read_bytes().replace(b'"to_lane": "claimed"', b'"to_lane": "blocked"')
    world.mission.log.rewrite(changed)
    _expect_lanes(world, {"WP01": "blocked", "WP02": "planned"}, "after the change")


@pytest.mark.kitty_clause("LOG-011")
def test_a_transition_and_a_rebuild_give_one_snapshot(worlds: Worlds) -> None:
    """The snapshot that a transition leaves is the one that the log gives."""
    worlds.needs(Capability.SNAPSHOT, Capability.WRITE)
    world = worlds({"WP01": "planned", "WP02": "claimed"})
    mark = world.mark()
    world.moved(mark, world.transition("WP01", "claimed"), "WP01", "claimed")
    path = world.mission.paths.snapshot
    left = path.read_bytes() if path.exists() else None
    snapshot = _snapshot(world)
    world.check(
        _slot(snapshot, "WP01", "lane") == "claimed",
        Finding.SNAPSHOT_DIFFERS,
        "WP01 was moved to claimed, and the snapshot does not say so",
    )
    world.check(left in (None, path.read_bytes()), Finding.SNAPSHOT_DIFFERS, "the snapshot left behind was stale")


# --- LOG-012


@pytest.mark.kitty_clause("LOG-012")
def test_four_kinds_of_nothing_are_four_answers(worlds: Worlds) -> None:
    """No log, an empty one, annotations only, bootstrap only: told apart, and no lane is made up."""
    _control(worlds)
    missing = worlds({"WP01": "genesis"}, log=False)
    empty = worlds({"WP01": "genesis"})
    annotated = worlds({"WP01": "genesis"})
    annotated.mission.log.note("WP01", "hi")
    seeded = worlds({"WP01": "planned"})

    answers: dict[str, str] = {}
    words = {"missing": "missing", "empty": "empty", "annotations": "annotations-only", "bootstrap": "bootstrap-only"}
    for name, world in (("missing", missing), ("empty", empty), ("annotations", annotated), ("bootstrap", seeded)):
        outcome = world.answered(world.state())
        if not outcome.ok:
            world.check(name != "bootstrap", Finding.LEGAL_REFUSED, f"a bootstrapped mission is readable: {outcome}")
            answers[name] = str(outcome.value.get("diagnostic_code") or outcome.value.get("message"))
            continue
        lane, word = outcome.value["lanes"].get("WP01"), outcome.value["log"]
        world.check(word in (None, words[name]), Finding.ANSWERS_ALIKE, f"the log is {words[name]}, it says {word}")
        if name == "bootstrap":
            world.check(lane == "planned", Finding.LANE_DISAGREES, f"WP01 was bootstrapped to planned, it says {lane}")
        else:
            world.check(lane not in BOARD, Finding.LANE_INVENTED, f"{name}: no row moved WP01, it says {lane}")
        answers[name] = f"{outcome.value['log']} {lane if name == 'bootstrap' or outcome.value['log'] is None else ''}"
    alike = [
        f"{one} and {other}" for one in answers for other in answers if one < other and answers[one] == answers[other]
    ]
    seeded.check(not alike, Finding.ANSWERS_ALIKE, f"{'; '.join(alike)} get one answer: {answers}")


@pytest.mark.kitty_clause("LOG-012")
@pytest.mark.parametrize("bootstrap", ["genesis", "planned"])
def test_a_bootstrap_is_one_however_it_was_written(worlds: Worlds, bootstrap: str) -> None:
    """``genesis -> planned`` and the forced ``planned -> planned`` of older writers; and more than that is more."""
    world = worlds({"WP01": "planned"}, bootstrap=bootstrap)
    outcome = world.state()
    lanes = world.lanes(outcome)
    world.check(lanes.get("WP01") == "planned", Finding.LANE_DISAGREES, f"WP01 is planned, it says {lanes}")
    word = outcome.value["log"]
    world.check(word in (None, "bootstrap-only"), Finding.ANSWERS_ALIKE, f"bootstrap rows only, it says {word}")


@pytest.mark.kitty_clause("LOG-012")
def test_an_unmoved_package_has_no_lane_beside_moved_ones(worlds: Worlds) -> None:
    """A work package that no row moves has no lane, also when others have one."""
    world = worlds({"WP01": "claimed", "WP02": "genesis"})
    outcome = world.state()
    lanes = world.lanes(outcome)
    world.check(lanes.get("WP01") == "claimed", Finding.LANE_DISAGREES, f"WP01 is claimed, it says {lanes}")
    word = outcome.value["log"]
    world.check(word in (None, "active"), Finding.ANSWERS_ALIKE, f"the log moves WP01, it says {word}")
    world.check(lanes.get("WP02") not in BOARD, Finding.LANE_INVENTED, f"no row moved WP02, it says {lanes}")
