"""LOG: reading and reducing the event log."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from kitty_reliability.formats.events import encode_row
from kitty_reliability.implementations.protocol import Capability, Outcome
from kitty_reliability.observe.rows import rows_from_bytes
from pytest_kitty.scenarios import Finding

from .lane_table import BOARD
from .world import World, Worlds

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


def _expect_error(world: World, outcome: Outcome, line: int | None, what: str) -> None:
    """Judge that reading was declined with a diagnostic that names ``line``."""
    __tracebackhide__ = True
    diagnostic = world.declined(outcome, what, Finding.DAMAGE_ACCEPTED)
    if line is not None:
        text = json.dumps(dict(diagnostic))
        named = diagnostic.get("line") == line or re.search(rf"\bline {line}\b", text)
        world.check(named, Finding.WRONG_DIAGNOSTIC, f"{what}: line {line} is not named: {outcome}")


def _snapshot(world: World) -> dict[str, Any]:
    """Materialize, and return the snapshot as it is on disk."""
    __tracebackhide__ = True
    world.worlds.needs(Capability.SNAPSHOT)
    answer = world.accepted(world.materialize(), "the snapshot is written")
    path = world.mission.paths.snapshot
    world.check(path.is_file(), Finding.SNAPSHOT_DIFFERS, "the snapshot was reported, and there is no status.json")
    on_disk: dict[str, Any] = json.loads(path.read_bytes())
    world.check(
        on_disk["work_packages"] == answer["snapshot"]["work_packages"],
        Finding.SNAPSHOT_DIFFERS,
        "the snapshot that was reported is not the one on disk",
    )
    return on_disk


def _is_contract(world: World) -> bool:
    return world.profile.name == "contract-320"


# --- LOG-001


@pytest.mark.kitty_clause("LOG-001")
@pytest.mark.parametrize("shuffle", range(4))
def test_the_order_of_lines_does_not_matter(worlds: Worlds, shuffle: int) -> None:
    """The same rows in another order reduce to the same lanes."""
    world = worlds({"WP01": "done", "WP02": "in_review", "WP03": "blocked"})
    world.mission.log.lane("WP02", "planned").lane("WP02", "claimed")
    expected = {"WP01": "done", "WP02": "claimed", "WP03": "blocked"}
    twin = worlds({"WP01": "done"})
    _expect_lanes(twin, {"WP01": "done"}, "rows in order")

    lines = world.log.read_bytes().splitlines(keepends=True)
    if shuffle == 0:
        lines.reverse()
    else:
        world.rng.shuffle(lines)
    world.mission.log.rewrite(b"".join(lines))
    _expect_lanes(world, expected, "the rows in another order", Finding.ORDER_MATTERS)


# --- LOG-002


@pytest.mark.kitty_clause("LOG-002")
def test_a_lane_row_counts_once(worlds: Worlds) -> None:
    """A forced row and an early row, each there twice: lane, count of events and force count as if once."""
    world = worlds({"WP01": "claimed", "WP02": "planned"})
    world.mission.log.lane("WP01", "approved", force=True)
    _expect_lanes(world, {"WP01": "approved"}, "each row once")
    once = _snapshot(world)
    lines = world.log.read_bytes().splitlines(keepends=True)
    world.mission.log.rewrite(b"".join([*lines, lines[-1], lines[0]]))
    _expect_lanes(world, {"WP01": "approved", "WP02": "planned"}, "rows that are there twice", Finding.COUNTED_TWICE)
    twice = _snapshot(world)
    counts = [(found["event_count"], found["work_packages"]["WP01"]["force_count"]) for found in (once, twice)]
    world.check(
        counts[0] == counts[1],
        Finding.COUNTED_TWICE,
        f"events and forced moves are {counts[0]} with each row once and {counts[1]} with two of them twice",
    )
    # Three rows of WP01 (the bootstrap is a forced one) and one of WP02.
    world.check(
        twice["event_count"] == 4, Finding.COUNTED_TWICE, f"four distinct rows, it counts {twice['event_count']}"
    )


@pytest.mark.kitty_clause("LOG-002")
def test_an_annotation_counts_once(worlds: Worlds) -> None:
    """A note that is there twice, as one event, is one note (3.2.x: two)."""
    world = worlds({"WP01": "claimed"})
    world.mission.log.note("WP01", "first").note("WP01", "second")
    notes = _snapshot(world)["work_packages"]["WP01"].get("notes")
    world.check(notes == ["first", "second"], Finding.SNAPSHOT_DIFFERS, f"two notes, it has {notes}")
    world.mission.log.raw(encode_row(world.mission.log.last))
    expected = ["first", "second"] if _is_contract(world) else ["first", "second", "second"]
    notes = _snapshot(world)["work_packages"]["WP01"].get("notes")
    world.check(notes == expected, Finding.COUNTED_TWICE, f"the second note is there twice: {notes}")


# --- LOG-003


@pytest.mark.kitty_clause("LOG-003")
@pytest.mark.parametrize("first", ["claimed", "blocked"])
def test_one_id_with_two_contents_is_refused(worlds: Worlds, first: str) -> None:
    """Two rows share an event id and differ: refused, naming both lines (3.2.x: the first counts)."""
    world = worlds({"WP01": "planned", "WP02": "claimed"})
    _expect_lanes(world, {"WP01": "planned", "WP02": "claimed"}, "distinct ids")
    log = world.mission.log
    log.lane("WP01", first)
    second = {**log.last, "to_lane": "blocked" if first == "claimed" else "claimed"}
    log.row(second)
    lines = len(log.data.splitlines())
    if _is_contract(world):
        outcome = world.state()
        _expect_error(world, outcome, None, "two contents under one event id")
        text = json.dumps(dict(outcome.value))
        both = all(re.search(rf"\b{number}\b", text) for number in (lines - 1, lines))
        world.check(both, Finding.WRONG_DIAGNOSTIC, f"lines {lines - 1} and {lines} are not both named: {outcome}")
    else:
        _expect_lanes(world, {"WP01": first, "WP02": "claimed"}, "the first of two rows with one id")


# --- LOG-004


@pytest.mark.kitty_clause("LOG-004")
@pytest.mark.parametrize("back_to", ["in_progress", "planned"])
@pytest.mark.parametrize("order", ["approval first", "rejection first"])
def test_a_rejection_outranks_an_approval_of_the_same_instant(worlds: Worlds, back_to: str, order: str) -> None:
    """Two reviewers decide at one instant, one each way: the rejection stands, whichever has the higher id."""
    world = worlds({"WP01": "in_review", "WP02": "in_review"})
    log = world.mission.log
    log.lane("WP02", "approved")
    _expect_lanes(world, {"WP01": "in_review", "WP02": "approved"}, "an approval alone")
    first, second = ("approved", back_to) if order == "approval first" else (back_to, "approved")
    moment = log.lane("WP01", first).last["at"]
    log.lane("WP01", second, at=moment, from_lane="in_review")
    protected = _is_contract(world) or back_to == "in_progress"
    expected = back_to if protected or second == back_to else "approved"
    _expect_lanes(world, {"WP01": expected, "WP02": "approved"}, f"rejection to {back_to} and approval at one instant")


# --- LOG-005

_SPELLINGS = {
    "Z before a fraction": ("2025-03-03T12:00:00Z", "2025-03-03T12:00:00.500000+00:00"),
    "an earlier instant with a later hour": ("2025-03-03T13:00:00+02:00", "2025-03-03T12:00:00+00:00"),
    "a negative offset": ("2025-03-03T06:30:00-05:00", "2025-03-03T12:00:00.000001+00:00"),
    "Z after plain": ("2025-03-03T12:00:00+00:00", "2025-03-03T12:00:01Z"),
    "the day before, by its date": ("2025-03-04T01:00:00+14:00", "2025-03-03T12:00:00+00:00"),
}


@pytest.mark.kitty_clause("LOG-005")
@pytest.mark.parametrize("spelling", _SPELLINGS)
def test_rows_are_ordered_by_instant(worlds: Worlds, spelling: str) -> None:
    """Two rows, the later one spelled so that its text may sort first (3.2.x: the text decides)."""
    earlier, later = _SPELLINGS[spelling]
    world = worlds({"WP01": "planned", "WP02": "claimed"})
    _expect_lanes(world, {"WP01": "planned", "WP02": "claimed"}, "rows of one spelling")
    world.mission.log.lane("WP01", "claimed", at=earlier).lane("WP01", "in_progress", at=later)
    by_text = "in_progress" if earlier < later else "claimed"
    expected = "in_progress" if _is_contract(world) else by_text
    _expect_lanes(world, {"WP01": expected, "WP02": "claimed"}, f"{earlier} then {later}")


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


@pytest.mark.kitty_clause("LOG-006")
def test_other_rows_survive_a_transition(worlds: Worlds) -> None:
    """A writer that rewrites the log keeps every row that it does not write itself, keys it does not know included."""
    worlds.needs(Capability.WRITE)
    world = worlds({"WP01": "planned"})
    _mixed(world)
    world.mission.log.lane("WP01", "claimed", an_unknown_key={"kept": True})
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
@pytest.mark.parametrize("place", ["middle", "last", "torn"])
def test_a_recovery_read_says_what_it_left_out(worlds: Worlds, place: str) -> None:
    """On request the rest is read, and every line that was left out is reported."""
    worlds.needs(Capability.RECOVERY)
    _control(worlds)
    world = worlds({"WP01": "in_review", "WP02": "claimed"})
    line = _corrupt(world, place)
    answer = world.accepted(world.state(recover=True), "a recovery read")
    lanes = answer["lanes"]
    world.check(
        lanes.get("WP01") == "in_review" and lanes.get("WP02") == "claimed",
        Finding.LANE_DISAGREES,
        f"every row is there; the recovery read says {lanes}",
    )
    numbers = [item.get("line") for item in answer["left_out"]]
    world.check(numbers == [line], Finding.DAMAGE_UNREPORTED, f"line {line} was left out; reported are {numbers}")


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


@pytest.mark.kitty_clause("LOG-010")
@pytest.mark.parametrize("identity", ["id and slug", "slug alone"])
def test_rows_of_another_mission_do_not_count(worlds: Worlds, identity: str) -> None:
    """A row that another mission wrote into this log moves nothing here, and is reported (3.2.x: it counts)."""
    world = worlds({"WP01": "claimed", "WP02": "planned"})
    log = world.mission.log
    _expect_lanes(world, {"WP01": "claimed", "WP02": "planned"}, "rows of this mission")
    foreign: dict[str, Any] = {"mission_slug": "elsewhere-01ABCDEF", "mission_id": log.ids.ulid(log.clock.now)}
    drop = () if identity == "id and slug" else ("mission_id",)
    log.lane("WP02", "done", force=True, drop=drop, **foreign)
    number = len(log.rows)
    contract = _is_contract(world)
    expected = "planned" if contract else "done"
    outcome = world.state()
    lanes = world.lanes(outcome)
    world.check(
        lanes.get("WP02") == expected and lanes.get("WP01") == "claimed",
        Finding.LANE_DISAGREES,
        f"a row of another mission: WP02 is {expected}, it says {lanes.get('WP02')}",
    )
    if contract:
        told = [item for item in outcome.value["reports"] if item.get("line") == number]
        world.check(told, Finding.DAMAGE_UNREPORTED, f"line {number} is another mission's, and is not reported")


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
    lanes = {name: entry["lane"] for name, entry in snapshot["work_packages"].items()}
    world.check(lanes == expected, Finding.SNAPSHOT_DIFFERS, f"the log says {expected}, the snapshot {lanes}")
    counts = {lane: list(expected.values()).count(lane) for lane in BOARD}
    world.check(
        snapshot["summary"] == counts,
        Finding.SNAPSHOT_DIFFERS,
        f"expected {counts}, the summary is {snapshot['summary']}",
    )
    world.check(
        snapshot["last_event_id"] == rows[-1]["event_id"],
        Finding.SNAPSHOT_DIFFERS,
        f"the newest row is {rows[-1]['event_id']}, the snapshot says {snapshot['last_event_id']}",
    )


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
        snapshot["work_packages"]["WP01"]["lane"] == "claimed",
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
    for name, world in (("missing", missing), ("empty", empty), ("annotations", annotated), ("bootstrap", seeded)):
        outcome = world.answered(world.state())
        if not outcome.ok:
            world.check(name != "bootstrap", Finding.LEGAL_REFUSED, f"a bootstrapped mission is readable: {outcome}")
            answers[name] = str(outcome.value.get("diagnostic_code") or outcome.value.get("message"))
            continue
        lane = outcome.value["lanes"].get("WP01")
        if name == "bootstrap":
            world.check(lane == "planned", Finding.LANE_DISAGREES, f"WP01 was bootstrapped to planned, it says {lane}")
        else:
            world.check(lane not in BOARD, Finding.LANE_INVENTED, f"{name}: no row moved WP01, it says {lane}")
        answers[name] = f"{outcome.value['log']} {lane if name == 'bootstrap' or outcome.value['log'] is None else ''}"
    alike = [
        f"{one} and {other}" for one in answers for other in answers if one < other and answers[one] == answers[other]
    ]
    seeded.check(not alike, Finding.ANSWERS_ALIKE, f"{'; '.join(alike)} get one answer: {answers}")
