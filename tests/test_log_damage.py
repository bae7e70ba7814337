from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import FrozenInstanceError
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitty_reliability.build.clock import Clock
from kitty_reliability.build.errors import BuildError
from kitty_reliability.build.event_log import EventLog
from kitty_reliability.build.identifiers import Identifiers
from kitty_reliability.build.repository import repository
from kitty_reliability.faults import log as faults
from kitty_reliability.faults.log import VERBS, Damage, Diverged, damage, diverged
from kitty_reliability.formats.diagnostics import DiagnosticError
from kitty_reliability.formats.events import MAX_LINE_BYTES, encode_row, read_rows, recover_rows, torn_tail
from kitty_reliability.formats.identifiers import is_ulid
from kitty_reliability.formats.profiles import CONTRACT_320, SPEC_KITTY_32
from kitty_reliability.formats.strict_json import MAX_DEPTH
from kitty_reliability.observe.rows import lane_from_bytes, rows_from_bytes
from kitty_reliability.reference.reducer import Reducer

Lines = Sequence[bytes]
ELSEWHERE = b'{"actor": "x", "at": "2025-03-03T09:00:00Z", "event_id": "01JNDKSD00000000000000000Z"}\n'


def new_log(directory: Path) -> EventLog:
    """Four rows: WP01 planned and claimed, a note, WP02 planned. The reason of the last is "canonical bootstrap"."""
    log = EventLog(directory / "status.events.jsonl", mission_slug="demo", mission_id="01JNDKSD000000000000000000")
    return log.route("WP01", ["planned", "claimed"]).note("WP01", "hi").lane("WP02", "planned")


@pytest.fixture
def log(tmp_path: Path) -> EventLog:
    return new_log(tmp_path)


def swap(line: bytes, old: bytes, new: bytes) -> bytes:
    assert line.count(old) == 1
    return line.replace(old, new)


def keyed(line: bytes, **keys: Any) -> bytes:
    return encode_row({**json.loads(line), **keys})


# --- what each verb does: the call, the bytes that it leaves, and the strict reader's answer. The answer is a code
# --- and a line, or the lines of which the rows are read.

REASON = b'"reason": "canonical bootstrap"'
POLICY = b'"policy_metadata": null'
Answer = tuple[str, int] | Callable[[Lines], list[bytes]]
Case = tuple[str, dict[str, Any], Callable[[Lines], bytes], Answer]


def same(lines: Lines) -> list[bytes]:
    return list(lines)


def last(change: Callable[[bytes], bytes]) -> Callable[[Lines], bytes]:
    return lambda lines: b"".join([*lines[:3], change(lines[3])])


def last_row(change: Callable[[bytes], bytes]) -> Callable[[Lines], list[bytes]]:
    return lambda lines: [*lines[:3], change(lines[3])]


def reason(text: bytes) -> Callable[[Lines], bytes]:
    return last(lambda line: swap(line, REASON, b'"reason": "' + text + b'"'))


def policy(text: bytes) -> Callable[[Lines], bytes]:
    return last(lambda line: swap(line, POLICY, b'"policy_metadata": ' + text))


def read_reason(text: str) -> Answer:
    return last_row(lambda line: keyed(line, reason=text))


def padded(line: bytes, size: int) -> bytes:
    """A row without a reason, with one that makes the line ``size`` bytes and a newline."""
    empty = keyed(line, reason="")
    return keyed(line, reason="x" * (size + 1 - len(empty)))


CASES: dict[str, Case] = {
    "half a last row": ("torn_tail", {}, last(lambda d: d[: (len(d) - 1) // 2]), ("ROW_TORN", 4)),
    "17 bytes of the last row": ("torn_tail", {"at": 17}, last(lambda d: d[:17]), ("ROW_TORN", 4)),
    "one byte of the last row": ("torn_tail", {"at": 1}, last(lambda _: b"{"), ("ROW_TORN", 4)),
    "a cut inside a row": ("truncated_at", {"byte": 500}, lambda ls: b"".join(ls)[:500], ("ROW_TORN", 2)),
    "everything cut": ("truncated_at", {"byte": 0}, lambda _: b"", lambda _: []),
    "no newline": ("missing_newline", {}, lambda ls: b"".join(ls)[:-1], same),
    "byte-order mark": (
        "byte_order_mark", {}, lambda ls: b"\xef\xbb\xbf" + b"".join(ls), ("LOG_BYTE_ORDER_MARK", 1),
    ),
    "CRLF": ("crlf", {}, lambda ls: b"".join(line[:-1] + b"\r\n" for line in ls), same),
    "NUL padding": ("nul_padding", {"count": 3}, lambda ls: b"".join(ls) + b"\0\0\0", ("ROW_TORN", 5)),
    "the last row twice": (
        "duplicated_row", {}, lambda ls: b"".join([*ls, ls[3]]), lambda ls: [*ls, ls[3]],
    ),
    "the second row twice": (
        "duplicated_row", {"line": 2}, lambda ls: b"".join([*ls, ls[1]]), lambda ls: [*ls, ls[1]],
    ),
    "a row lost": ("lost_row", {"line": 2}, lambda ls: ls[0] + ls[2] + ls[3], lambda ls: [ls[0], ls[2], ls[3]]),
    "reversed": ("reordered", {"order": "reversed"}, lambda ls: b"".join(ls[::-1]), lambda ls: list(ls[::-1])),
    "a permutation": (
        "reordered", {"order": [3, 1, 4, 2]}, lambda ls: ls[2] + ls[0] + ls[3] + ls[1],
        lambda ls: [ls[2], ls[0], ls[3], ls[1]],
    ),
    "a seed": (
        "reordered", {"seed": 7}, lambda ls: ls[3] + ls[2] + ls[0] + ls[1],
        lambda ls: [ls[3], ls[2], ls[0], ls[1]],
    ),
    "the last two glued": (
        "glued_rows", {}, lambda ls: ls[0] + ls[1] + ls[2][:-1] + ls[3], ("ROW_NOT_JSON", 3),
    ),
    "the first two glued": ("glued_rows", {"line": 2}, lambda ls: ls[0][:-1] + b"".join(ls[1:]), ("ROW_NOT_JSON", 1)),
    "a stray line at the end": (
        "stray_line", {}, lambda ls: b"".join(ls) + b'{"event_id": "01J", oops}\n', ("ROW_NOT_JSON", 5),
    ),
    "a stray line at the top": (
        "stray_line", {"line": 1, "data": b"<html>"}, lambda ls: b"<html>\n" + b"".join(ls), ("ROW_NOT_JSON", 1),
    ),
    "a stray line behind the last, by number": (
        "stray_line", {"line": 5, "data": b"7"}, lambda ls: b"".join(ls) + b"7\n", ("ROW_NOT_OBJECT", 5),
    ),
    "a blank line": ("stray_line", {"line": 2, "data": b"  \t"}, lambda ls: ls[0] + b"  \t\n" + b"".join(ls[1:]), same),
    "a conflict": (
        "conflict_markers", {},
        lambda ls: ls[0] + ls[1] + b"<<<<<<< HEAD\n" + ls[2] + b"=======\n" + ls[3] + b">>>>>>> theirs\n",
        ("ROW_NOT_JSON", 3),
    ),
    "a conflict of two rows and one": (
        "conflict_markers", {"first": 1, "last": 3, "split": 3, "names": ("a", "lane-b")},
        lambda ls: b"<<<<<<< a\n" + ls[0] + ls[1] + b"=======\n" + ls[2] + b">>>>>>> lane-b\n" + ls[3],
        ("ROW_NOT_JSON", 1),
    ),
    "a conflict of no row and one": (
        "conflict_markers", {"first": -1}, last(lambda d: b"<<<<<<< HEAD\n=======\n" + d + b">>>>>>> theirs\n"),
        ("ROW_NOT_JSON", 4),
    ),
    "a mission mixed in": (
        "foreign_mission", {"other": ELSEWHERE.replace(b"at", b"event_type", 1) * 2},
        lambda ls: b"".join([line for row in ls[:2] for line in (row, ELSEWHERE.replace(b"at", b"event_type", 1))])
        + ls[2] + ls[3],
        lambda ls: [ls[0], ELSEWHERE.replace(b"at", b"event_type", 1), ls[1], ELSEWHERE.replace(b"at", b"event_type", 1), ls[2], ls[3]],
    ),
    "a merge in which nothing happened": (
        "merged", {"sides": Diverged(b"", b"", b""), "how": "rows"}, lambda _: b"", lambda _: [],
    ),
    "one id for two rows": (
        "conflicting_duplicate", {}, lambda ls: b"".join([*ls, keyed(ls[3], to_lane="canceled")]),
        lambda ls: [*ls, keyed(ls[3], to_lane="canceled")],
    ),
    "one id for two notes": (
        "conflicting_duplicate", {"line": 3, "delta": {"note": "ho"}},
        lambda ls: b"".join([*ls, swap(ls[2], b'"hi"', b'"ho"')]), lambda ls: [*ls, keyed(ls[2], delta={"note": "ho"})],
    ),
    "a clock an hour ahead": (
        "skewed_clock", {}, last(lambda d: swap(d, b"T09:04:", b"T10:04:")),
        last_row(lambda d: swap(d, b"T09:04:", b"T10:04:")),
    ),
    "a clock of one work package behind": (
        "skewed_clock", {"work_package": "WP01", "by": timedelta(days=-1)},
        lambda ls: b"".join([line.replace(b"-02T", b"-01T") for line in ls[:3]] + [ls[3]]),
        lambda ls: [line.replace(b"-02T", b"-01T") for line in ls[:3]] + [ls[3]],
    ),
    "an unknown kind": (
        "unknown_kind", {}, last(lambda d: swap(d, b'"mission_id"', b'"kind": "verdict", "mission_id"')),
        ("ROW_UNKNOWN_KIND", 4),
    ),
    "an array": ("wrong_shape", {"value": [1, 2]}, last(lambda _: b"[1, 2]\n"), ("ROW_NOT_OBJECT", 4)),
    "null": ("wrong_shape", {"line": 1, "value": None}, lambda ls: b"null\n" + b"".join(ls[1:]), ("ROW_NOT_OBJECT", 1)),
    "a text as force": (
        "wrong_shape", {"force": "false"}, last(lambda d: swap(d, b"false", b'"false"')), ("ROW_FIELD_INVALID", 4),
    ),
    "an object with its keys in order": (
        "wrong_shape", {"evidence": {"b": 1, "a": 2}},
        last(lambda d: swap(d, b'"evidence": null', b'"evidence": {"a": 2, "b": 1}')), ("ROW_FIELD_INVALID", 4),
    ),
    "no lane": (
        "wrong_shape", {"drop": ["to_lane"]}, last(lambda d: swap(d, b'"to_lane": "planned", ', b"")),
        ("ROW_FIELD_MISSING", 4),
    ),
    "a lone surrogate": (
        "wrong_shape", {"reason": "\ud800"}, reason(b"\\ud800"), ("ROW_NOT_JSON", 4),
    ),
    "a key twice": (
        "repeated_key", {}, last(lambda d: swap(d, b'"to_lane": "planned"', b'"to_lane": "planned", "to_lane": "done"')),
        ("ROW_REPEATED_KEY", 4),
    ),
    "a key twice, the wrong one first": (
        "repeated_key", {"place": "before", "key": "force", "value": True},
        last(lambda d: swap(d, b'"force": false', b'"force": true, "force": false')), ("ROW_REPEATED_KEY", 4),
    ),
    "nested once": (
        "deep_nesting", {"levels": 1}, policy(b"{}"), last_row(lambda d: keyed(d, policy_metadata={})),
    ),
    "nested as deep as is read": (
        "deep_nesting", {"levels": MAX_DEPTH - 1}, policy(b'{"a": ' * 62 + b"{}" + b"}" * 62),
        last_row(lambda d: swap(d, POLICY, b'"policy_metadata": ' + b'{"a": ' * 62 + b"{}" + b"}" * 62)),
    ),
    "nested one level deeper": (
        "deep_nesting", {"levels": MAX_DEPTH}, policy(b'{"a": ' * 63 + b"{}" + b"}" * 63), ("ROW_TOO_DEEP", 4),
    ),
    "nested 200,000 deep": (
        "deep_nesting", {}, policy(b'{"a": ' * 199_999 + b"{}" + b"}" * 199_999), ("ROW_TOO_DEEP", 4),
    ),
    "one digit": (
        "many_digits", {"digits": 1}, policy(b'{"a": 9}'), last_row(lambda d: keyed(d, policy_metadata={"a": 9})),
    ),
    "20 digits": (
        "many_digits", {"digits": 20}, policy(b'{"a": ' + b"9" * 20 + b"}"),
        last_row(lambda d: keyed(d, policy_metadata={"a": 10**20 - 1})),
    ),
    "5000 digits": ("many_digits", {}, policy(b'{"a": ' + b"9" * 5000 + b"}"), ("ROW_NOT_JSON", 4)),
    "a line of 5000 bytes": (
        "oversized_line", {"size": 5000},
        last(lambda d: swap(d, b'bootstrap"', b"bootstrap" + b"x" * (5001 - len(d)) + b'"')),
        last_row(lambda d: swap(d, b'bootstrap"', b"bootstrap" + b"x" * (5001 - len(d)) + b'"')),
    ),
    "a line of 2000 bytes that had no text": (
        "oversized_line", {"line": 2, "size": 2000}, lambda ls: b"".join([ls[0], padded(ls[1], 2000), *ls[2:]]),
        lambda ls: [ls[0], padded(ls[1], 2000), *ls[2:]],
    ),
    "a line one byte too long": (
        "oversized_line", {"size": MAX_LINE_BYTES + 1},
        last(lambda d: swap(d, b'bootstrap"', b"bootstrap" + b"x" * (MAX_LINE_BYTES + 2 - len(d)) + b'"')),
        ("ROW_TOO_LONG", 4),
    ),
    "U+2028": (
        "raw_separator", {}, reason(b"canonical \xe2\x80\xa8bootstrap"), read_reason("canonical \u2028bootstrap"),
    ),
    "U+0085 in an actor": (
        "raw_separator", {"separator": "\x85", "line": 3, "key": "actor"},
        lambda ls: b"".join([*ls[:2], swap(ls[2], b"implementer-agent", b"implement\xc2\x85er-agent"), ls[3]]),
        lambda ls: [*ls[:2], keyed(ls[2], actor="implement\x85er-agent"), ls[3]],
    ),
    "U+2029 where no text is": (
        "raw_separator", {"separator": "\u2029", "line": 2},
        lambda ls: b"".join([ls[0], swap(ls[1], b'"reason": null', b'"reason": "bro\xe2\x80\xa9ken"'), *ls[2:]]),
        lambda ls: [ls[0], keyed(ls[1], reason="bro\u2029ken"), *ls[2:]],
    ),
    "invalid UTF-8": ("invalid_utf8", {}, reason(b"canonical \xffbootstrap"), ("ROW_NOT_UTF8", 4)),
    "a cut character": (
        "invalid_utf8", {"data": b"\xe2\x80"}, reason(b"canonical \xe2\x80bootstrap"), ("ROW_NOT_UTF8", 4),
    ),
    "NUL in a text": ("nul_in_string", {}, reason(b"canonical \0bootstrap"), ("ROW_NOT_JSON", 4)),
    "any bytes as value": (
        "raw_value", {"key": "policy_metadata", "data": b'{"a": 1, "a": 2}'}, policy(b'{"a": 1, "a": 2}'),
        ("ROW_REPEATED_KEY", 4),
    ),
    "a row that a newline splits": ("raw_value", {"key": "reason", "data": b'"a\nb"'}, reason(b"a\nb"), ("ROW_NOT_JSON", 4)),
    "a corrupt line": (
        "corrupt_line", {"line": 2}, lambda ls: b"".join([ls[0], ls[1][:-2] + b", oops}\n", *ls[2:]]),
        ("ROW_NOT_JSON", 2),
    ),
}  # fmt: skip
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def do(case: Case, log: Path | EventLog) -> Damage:
    name, arguments, _, _ = case
    return VERBS[name](log, **arguments)


@cases
def test_a_verb_leaves_exactly_these_bytes(case: Case, log: EventLog) -> None:
    before = log.path.read_bytes()

    done = do(case, log)

    expected = case[2](before.splitlines(keepends=True))
    # One comparison of long bytes; pytest's explanation of a difference in 8 MB would take minutes.
    same_bytes = log.path.read_bytes() == log.data == done.bytes_after == expected
    assert same_bytes
    assert (done.verb, done.path, done.log, done.bytes_before) == (case[0], log.path, log, before)


@cases
def test_the_strict_reader_answers_the_damage(case: Case, log: EventLog) -> None:
    lines = log.data.splitlines(keepends=True)
    answer = case[3]

    done = do(case, log)

    if isinstance(answer, tuple):
        with pytest.raises(DiagnosticError) as caught:
            read_rows(log.path.read_bytes())
        assert (caught.value.diagnostic.code, caught.value.diagnostic.fields["line"]) == answer
        assert done.line == answer[1]
        return
    expected = [json.loads(line) for line in answer(lines)]
    assert [row.data for row in read_rows(log.path.read_bytes())] == expected


#: Verbs after which no line stands out, at least not always.
WITHOUT_A_LINE = {"crlf", "lost_row", "merged", "reordered"}


@cases
def test_a_damage_names_the_first_line_that_changed(case: Case, log: EventLog) -> None:
    before = log.data.splitlines(keepends=True)

    done = do(case, log)

    after = [line + b"\n" for line in done.bytes_after.split(b"\n")]
    after[-1] = after[-1][:-1]  # what stands behind the last newline has none
    changed = [n for n, line in enumerate(after, 1) if line and (n > len(before) or before[n - 1] != line)]
    nothing_stands_out = case[0] in WITHOUT_A_LINE or done.bytes_after == b""
    assert done.line == (None if nothing_stands_out else changed[0])


def test_a_mission_mixed_into_an_empty_log_begins_with_its_first_line(log: EventLog) -> None:
    assert faults.foreign_mission(log.rewrite(b""), ELSEWHERE).line == 1
    assert log.data == ELSEWHERE


@cases
def test_undo_puts_every_byte_back(case: Case, log: EventLog) -> None:
    before = log.path.read_bytes()

    do(case, log).undo()

    assert log.path.read_bytes() == log.data == before


@cases
def test_a_path_and_a_log_are_damaged_alike_wherever_they_are(case: Case, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first, second = new_log(tmp_path), new_log(tmp_path / "other")

    one, other = do(case, first), do(case, second.path)

    alike = one.bytes_after == other.bytes_after == second.path.read_bytes()
    assert alike
    assert (one.line, one.sentence) == (other.line, other.sentence)
    assert other.log is None
    other.undo()
    assert second.path.read_bytes() == one.bytes_before


@cases
def test_a_damage_says_in_a_sentence_what_was_done(case: Case, log: EventLog) -> None:
    done = do(case, log)

    assert str(done) == f"{case[0]}: {done.sentence}"
    assert 10 < len(done.sentence) < 200
    assert "\n" not in done.sentence
    assert len(repr(done)) < 1000
    with pytest.raises(FrozenInstanceError):
        done.line = 1  # type: ignore[misc]


def test_every_verb_is_exported_and_has_a_case_here() -> None:
    tried = {case[0] for case in CASES.values()} | {"foreign_row"}

    assert set(VERBS) == tried
    assert tried <= set(faults.__all__)
    assert all(VERBS[name] is getattr(faults, name) for name in VERBS)
    assert all(verb.__doc__ for verb in VERBS.values())


# --- what a damage means to those who read on


def reduced(data: bytes) -> Reducer:
    reducer = Reducer(CONTRACT_320, "demo", "01JNDKSD000000000000000000")
    reducer.add(read_rows(data))
    return reducer


def test_a_row_of_another_mission_is_later_than_all_others_and_does_not_count(log: EventLog) -> None:
    done = faults.foreign_row(log)

    foreign = rows_from_bytes(log.path.read_bytes())[-1]
    assert (foreign["wp_id"], foreign["to_lane"], foreign["force"]) == ("WP01", "done", True)
    assert is_ulid(foreign["mission_id"])
    assert foreign["mission_slug"].endswith(foreign["mission_id"][:8])
    assert foreign["at"] > log.rows[-1]["at"]
    assert lane_from_bytes(log.data, "WP01") == "done"  # who takes it in is led astray
    reducer = reduced(log.data)
    assert reducer.lane("WP01") == "claimed"
    assert [(report.code, report.fields["line"]) for report in reducer.reports] == [("FOREIGN_ROW", done.line)]


def test_a_row_of_another_mission_is_what_it_was_asked_to_be(log: EventLog) -> None:
    faults.foreign_row(log, "WP09", "claimed", mission_slug="other", mission_id=None, actor="eve")

    foreign = rows_from_bytes(log.data)[-1]
    assert (foreign["wp_id"], foreign["to_lane"], foreign["mission_slug"], foreign["actor"]) == (
        "WP09", "claimed", "other", "eve",
    )  # fmt: skip
    assert "mission_id" not in foreign


def test_two_rows_of_another_mission_are_two_events_and_the_same_ones_every_time(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first, second = new_log(tmp_path), new_log(tmp_path / "other")
    for log in (first, second):
        damage(log).foreign_row().foreign_row("WP02")

    assert first.data == second.data
    assert len({row["event_id"] for row in rows_from_bytes(first.data)}) == 6


def test_a_row_of_another_mission_finds_place_in_an_empty_log_and_behind_a_damaged_one(log: EventLog) -> None:
    damage(log).torn_tail(at=9).foreign_row()
    torn, foreign = log.data.split(b"\n")[3:5]
    assert (torn, json.loads(foreign)["to_lane"]) == (b'{"actor":', "done")

    log.rewrite(b"")
    faults.foreign_row(log)
    assert [row.kind for row in read_rows(log.data)] == ["lane"]


def test_a_conflicting_duplicate_is_refused_with_both_lines(log: EventLog) -> None:
    done = faults.conflicting_duplicate(log, 2)

    with pytest.raises(DiagnosticError) as caught:
        reduced(log.data)
    assert caught.value.diagnostic.code == "EVENT_ID_CONFLICT"
    assert caught.value.diagnostic.fields["lines"] == [2, done.line]


def test_a_conflicting_duplicate_of_a_canceled_row_goes_elsewhere(log: EventLog) -> None:
    log.lane("WP02", "canceled")

    faults.conflicting_duplicate(log)

    assert [row["to_lane"] for row in rows_from_bytes(log.data)[-2:]] == ["canceled", "blocked"]


def test_a_duplicate_changes_no_lane_and_no_count(log: EventLog) -> None:
    once = reduced(log.data)

    damage(log).duplicated_row(1).duplicated_row(3)

    twice = reduced(log.data)
    assert (twice.event_count, twice.lane("WP01")) == (once.event_count, once.lane("WP01")) == (3, "claimed")


def test_a_row_with_a_skewed_clock_stays_in_force(log: EventLog) -> None:
    faults.skewed_clock(log, 2, by=timedelta(hours=1))
    log.lane("WP01", "in_progress")

    assert lane_from_bytes(log.path.read_bytes(), "WP01") == "claimed"


@pytest.mark.parametrize(
    ("at", "moved"),
    [
        ("2025-03-03T09:00:00Z", "2025-03-03T09:30:00Z"),
        ("2025-03-03T09:00:00.500000Z", "2025-03-03T09:30:00.500000Z"),
        ("2025-03-03T11:45:00+02:00", "2025-03-03T12:15:00+02:00"),
        ("2025-03-03T23:45:00.000017+00:00", "2025-03-04T00:15:00.000017+00:00"),
        ("2025-03-03T09:00:00", "2025-03-03T09:30:00"),
    ],
)
def test_a_skewed_clock_keeps_its_spelling(log: EventLog, at: str, moved: str) -> None:
    log.lane("WP01", "in_progress", at=at)

    faults.skewed_clock(log, by=timedelta(minutes=30))

    assert rows_from_bytes(log.data)[-1]["at"] == moved


def test_the_clock_of_a_lifecycle_row_is_its_timestamp(log: EventLog) -> None:
    moment = log.lifecycle("MissionCreated").last["timestamp"]

    faults.skewed_clock(log, by=timedelta(days=365))

    row = rows_from_bytes(log.data)[-1]
    assert row["timestamp"] == moment.replace("2020-", "2021-")
    assert "at" not in row


@pytest.mark.parametrize("seed", range(20))
def test_a_seed_always_gives_another_order_of_the_same_lines(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"a\nb\nb")

    faults.reordered(path, seed)

    assert path.read_bytes() in (b"b\na\nb", b"b\nb\na")  # the last line still has no newline


def test_seeds_differ(log: EventLog) -> None:
    orders = {faults.reordered(new_log(log.path.parent).flush().path, seed).bytes_after for seed in range(12)}

    assert len(orders) > 3


def test_a_torn_tail_is_what_the_format_calls_torn(log: EventLog) -> None:
    faults.torn_tail(log, at=30)

    assert torn_tail(log.data) == json_line(log.rows[3])[:30]
    rows, left_out = recover_rows(log.data)
    assert [row.data for row in rows] == log.rows[:3]
    assert [(item.code, item.fields["line"]) for item in left_out] == [("ROW_TORN", 4)]


def json_line(row: dict[str, Any]) -> bytes:
    return json.dumps(row, sort_keys=True).encode()


def test_lines_with_crlf_keep_it_when_a_row_is_damaged(log: EventLog) -> None:
    damage(log).crlf().unknown_kind(2, kind="x")

    assert log.data.count(b"\r\n") == log.data.count(b"\n") == 4
    assert rows_from_bytes(log.data)[1]["kind"] == "x"


def test_the_last_row_lost_leaves_the_one_before_with_its_newline(log: EventLog) -> None:
    damage(log).missing_newline().lost_row()

    assert log.data == b"".join(map(encode_row, log.rows[:3]))


def test_a_verb_works_on_what_is_on_disk_not_on_what_the_log_wrote(log: EventLog) -> None:
    with log.path.open("ab") as file:
        file.write(b'{"event_type": "X"}\n')

    done = faults.duplicated_row(log)

    assert done.bytes_after.endswith(b'{"event_type": "X"}\n{"event_type": "X"}\n')
    assert log.data == done.bytes_after


def test_a_log_goes_on_after_damage(log: EventLog) -> None:
    faults.missing_newline(log)

    log.lane("WP01", "in_progress")

    assert log.path.read_bytes() == log.data
    with pytest.raises(DiagnosticError, match="ROW_NOT_JSON: line 4"):
        read_rows(log.data)


# --- what cannot take effect

REFUSED: dict[str, tuple[str, bytes | None, dict[str, Any], str]] = {
    "an empty log has no tail": ("torn_tail", b"", {}, "empty; write a row first"),
    "an empty log has no newline": ("missing_newline", b"", {}, "empty"),
    "an empty log has no row": ("duplicated_row", b"", {}, "empty"),
    "an empty log has no order": ("reordered", b"", {}, "would be as it is"),
    "an empty log has no lines to end": ("crlf", b"", {}, "would be as it is"),
    "an empty log cannot be cut": ("truncated_at", b"", {"byte": 0}, "0 bytes"),
    "a tail of nothing": ("torn_tail", None, {"at": 0}, "between 1 and"),
    "a tail of everything": ("torn_tail", None, {"at": 100_000}, "between 1 and"),
    "a last line of one byte": ("torn_tail", b"7\n", {}, "1 bytes, too few"),
    "a cut behind the end": ("truncated_at", None, {"byte": 100_000}, "not after 100000"),
    "a cut before the start": ("truncated_at", None, {"byte": -1}, "not after -1"),
    "no newline twice": ("missing_newline", b"{}", {}, "would be as it is"),
    "two marks": ("byte_order_mark", b"\xef\xbb\xbf{}\n", {}, "already"),
    "CRLF twice": ("crlf", b"{}\r\n", {}, "would be as it is"),
    "no padding": ("nul_padding", None, {"count": 0}, "would be as it is"),
    "line 0": ("lost_row", None, {"line": 0}, "no line 0; the log has lines 1 to 4, or -4 to -1"),
    "a line too many": ("lost_row", None, {"line": 5}, "no line 5"),
    "a line too many from the end": ("lost_row", None, {"line": -5}, "no line -5"),
    "one row in another order": ("reordered", b"{}\n", {}, "would be as it is"),
    "equal rows in another order": ("reordered", b"{}\n{}\n", {}, "would be as it is"),
    "the order that there is": ("reordered", None, {"order": [1, 2, 3, 4]}, "would be as it is"),
    "an order that loses a row": ("reordered", None, {"order": [4, 2, 1]}, "each number from 1 to 4 once"),
    "an order that doubles a row": ("reordered", None, {"order": [4, 2, 1, 1]}, "each number from 1 to 4 once"),
    "the first line glued": ("glued_rows", None, {"line": 1}, "no line before it"),
    "a stray line of two": ("stray_line", None, {"data": b"a\nb"}, "no newline"),
    "a stray line far behind": ("stray_line", None, {"line": 7}, "no line 7"),
    "a conflict of one row": ("conflict_markers", b"{}\n", {}, "no line -2"),
    "a conflict split elsewhere": ("conflict_markers", None, {"first": 2, "last": 3, "split": 1}, "split at line 1"),
    "a conflict upside down": ("conflict_markers", None, {"first": 3, "last": 2}, "split at line 2"),
    "an empty mission mixed in": ("foreign_mission", None, {"other": b""}, "no rows"),
    "a mission that is not there": ("foreign_mission", None, {"other": Path("nowhere")}, "nowhere cannot be read"),
    "an unknown lane of another mission": ("foreign_row", None, {"to": "nirvana"}, "'nirvana'"),
    "later than all time": ("foreign_row", b'{"at": "9999-12-31T23:59:59Z"}\n', {}, "no time is later"),
    "a merge of what is no row": (
        "merged", None, {"sides": Diverged(b"oops\n", b"", b""), "how": "rows"}, "line 1 is no row",
    ),
    "a merge that git declines": (
        "merged", None, {"sides": Diverged(b"\0", b"\0a", b"\0b")}, "git merge-file ended with 255",
    ),
    "a merge that changes nothing": (
        "merged", b"{}\n", {"sides": Diverged(b"{}\n", b"{}\n", b"{}\n")}, "would be as it is",
    ),
    "a conflict of nothing": ("conflicting_duplicate", None, {"line": 3}, "line 3 is no lane transition; say what differs"),
    "a conflict that agrees": ("conflicting_duplicate", None, {"wp_id": "WP02"}, "would agree"),
    "a conflict of two ids": ("conflicting_duplicate", None, {"event_id": "x"}, "one event id"),
    "a conflict without an id": ("conflicting_duplicate", b"{}\n", {"a": 1}, "one event id"),
    "no skew": ("skewed_clock", None, {"by": timedelta(0)}, "moved by nothing"),
    "the clock of nobody": ("skewed_clock", None, {"work_package": "WP07"}, "no row is about WP07"),
    "no clock": ("skewed_clock", b'{"at": 5}\n', {}, "no time that can be moved"),
    "half a clock": ("skewed_clock", b'{"at": "2025-03-03"}\n', {}, "no time that can be moved"),
    "a clock beyond time": ("skewed_clock", None, {"by": timedelta(days=9_999_999)}, "no time that can be moved"),
    "the kind that it has": ("unknown_kind", None, {"line": 3, "kind": "annotation"}, "everybody knows"),
    "a shape that is right": ("wrong_shape", None, {"wp_id": "WP02"}, "would be as it is"),
    "a shape of nothing": ("wrong_shape", None, {}, "would be as it is"),
    "two shapes": ("wrong_shape", None, {"value": [], "drop": ["at"]}, "either a value"),
    "a shape that JSON lacks": ("wrong_shape", None, {"at": float("nan")}, "no JSON value"),
    "an object that JSON lacks": ("wrong_shape", None, {"value": object()}, "no JSON value"),
    "no key to repeat": ("repeated_key", None, {"key": "nonsense"}, "no 'nonsense' to repeat"),
    "no levels": ("deep_nesting", None, {"levels": 0}, "0 levels"),
    "no digits": ("many_digits", None, {"digits": 0}, "0 digits"),
    "a line that is longer": ("oversized_line", None, {"size": 20}, "bytes already"),
    "a line that is as long": ("oversized_line", b'{"reason": "a"}\n', {"size": 15}, "has 15 bytes already"),
    "a separator that JSON forbids": ("raw_separator", None, {"separator": "\n"}, "a JSON string may hold"),
    "a separator in ASCII": ("raw_separator", None, {"separator": "\x7f"}, "beyond ASCII"),
    "a separator that is none": ("raw_separator", None, {"separator": ""}, "a JSON string may hold"),
    "a separator that no file holds": ("raw_separator", None, {"separator": "\ud800"}, "a JSON string may hold"),
    "UTF-8 that is valid": ("invalid_utf8", None, {"data": "ü".encode()}, "valid UTF-8"),
    "a row that is none": ("corrupt_line", b"oops\n", {}, "line 1 is no row any more"),
    "a value that is no row": ("nul_in_string", b"7\n", {}, "line 1 is no row any more"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "data", "arguments", "told"), REFUSED.values(), ids=REFUSED)
def test_a_verb_that_cannot_take_effect_says_so_and_leaves_every_byte(
    log: EventLog, name: str, data: bytes | None, arguments: dict[str, Any], told: str
) -> None:
    if data is not None:
        log.rewrite(data)
    before = log.path.read_bytes()

    with pytest.raises(BuildError) as caught:
        VERBS[name](log, **arguments)

    assert str(caught.value).startswith(f"{name} of {log.path}: ")
    assert told in str(caught.value)
    assert log.path.read_bytes() == log.data == before


@pytest.mark.parametrize("name", sorted(set(VERBS) - {"foreign_mission", "merged", "raw_value", "truncated_at"}))
def test_no_log_cannot_be_damaged(tmp_path: Path, name: str) -> None:
    with pytest.raises(BuildError, match=f"^{name} of .*cannot be read.*write the log first"):
        VERBS[name](tmp_path / "missing")
    with pytest.raises(BuildError, match=f"^{name} of .*cannot be read"):
        VERBS[name](tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_log_in_memory_cannot_be_damaged_before_it_is_flushed(tmp_path: Path) -> None:
    log = new_log(tmp_path).defer().note("WP01", "later")

    with pytest.raises(BuildError, match=r"flush\(\) it first"):
        faults.torn_tail(log)

    faults.torn_tail(log.flush(), at=5)
    assert log.path.read_bytes().endswith(b'\n{"act')


def test_a_git_that_is_not_there_is_named(log: EventLog, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BuildError, match="git is not installed"):
        faults.merged(log, Diverged(b"", b"a\n", b"b\n"))


# --- undo, and one after the other


def test_undo_refuses_to_lose_what_came_later(log: EventLog) -> None:
    done = faults.corrupt_line(log)
    log.note("WP01", "later")
    now = log.path.read_bytes()

    with pytest.raises(BuildError, match="not what corrupt_line left"):
        done.undo()

    assert log.path.read_bytes() == now


def test_undo_twice_and_undo_of_a_log_that_is_gone_are_refused(log: EventLog) -> None:
    done = faults.crlf(log)
    done.undo()

    with pytest.raises(BuildError, match="not what crlf left"):
        done.undo()

    log.path.unlink()
    with pytest.raises(BuildError, match="not what crlf left"):
        done.undo()
    assert not log.path.exists()


def test_damage_is_done_one_after_the_other_and_taken_back_as_a_whole(log: EventLog) -> None:
    before = log.path.read_bytes()

    chain = damage(log).duplicated_row(1).torn_tail(at=20).crlf()

    lines = before.splitlines(keepends=True)
    assert log.data == b"".join(lines).replace(b"\n", b"\r\n") + lines[0][:20]
    assert [done.verb for done in chain.damages] == ["duplicated_row", "torn_tail", "crlf"]
    chain.undo()
    assert log.path.read_bytes() == before
    assert chain.damages == []


def test_a_chain_whose_undo_is_refused_can_be_undone_later(log: EventLog) -> None:
    before = log.path.read_bytes()
    chain = damage(log.path).crlf().torn_tail()
    after = log.path.read_bytes()
    log.path.write_bytes(after + b"x")

    with pytest.raises(BuildError, match="torn_tail"):
        chain.undo()

    log.path.write_bytes(after)
    chain.undo()
    assert log.path.read_bytes() == before


def test_a_chain_knows_the_verbs_and_no_others(log: EventLog) -> None:
    chain = damage(log)

    assert set(VERBS) < set(dir(chain))
    with pytest.raises(AttributeError, match=r"'melted'; known: byte_order_mark, .*wrong_shape"):
        chain.melted()


STEPS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    name: st.just({})
    for name in VERBS
    if name not in ("deep_nesting", "oversized_line", "raw_value", "truncated_at", "merged", "foreign_mission")
}
LINE = st.sampled_from([-3, -2, -1, 1, 2, 3, 9])
STEPS |= {
    name: st.fixed_dictionaries({"line": LINE})
    for name in ("duplicated_row", "lost_row", "glued_rows", "conflicting_duplicate", "skewed_clock", "unknown_kind",
                 "repeated_key", "many_digits", "raw_separator", "invalid_utf8", "nul_in_string", "corrupt_line")
}  # fmt: skip
STEPS |= {
    "deep_nesting": st.fixed_dictionaries({"levels": st.sampled_from([1, 63, 64, 2000])}),
    "foreign_mission": st.sampled_from([{"other": b""}, {"other": ELSEWHERE}, {"other": b"a\nb\nc"}]),
    "merged": st.builds(
        lambda base, ours, how: {"sides": Diverged(base, ours, base + ELSEWHERE), "how": how},
        st.sampled_from([b"", ELSEWHERE]), st.sampled_from([b"", ELSEWHERE * 2]), st.just("rows"),
    ),
    "oversized_line": st.fixed_dictionaries({"line": LINE, "size": st.integers(0, 3000)}),
    "raw_value": st.fixed_dictionaries(
        {"key": st.sampled_from(["at", "wp_id", "event_id", "delta", "x"]), "data": st.binary(max_size=6)}
    ),
    "reordered": st.fixed_dictionaries({"seed": st.integers(0, 5)}),
    "stray_line": st.fixed_dictionaries({"data": st.binary(max_size=8)}),
    "torn_tail": st.fixed_dictionaries({"at": st.none() | st.integers(0, 400)}),
    "truncated_at": st.fixed_dictionaries({"byte": st.integers(-1, 2000)}),
    "wrong_shape": st.fixed_dictionaries(
        {"line": LINE, "wp_id": st.sampled_from([None, [], {}, 5, 1e300, "WP01", "\ud800"])}
    ),
}  # fmt: skip
CHAIN = st.lists(
    st.sampled_from(sorted(STEPS)).flatmap(lambda name: st.tuples(st.just(name), STEPS[name], st.booleans())),
    min_size=1,
    max_size=8,
)


@settings(max_examples=150)
@given(chain=CHAIN)
def test_any_chain_of_damage_can_be_read_or_is_diagnosed_and_can_be_undone(
    chain: list[tuple[str, dict[str, Any], bool]],
) -> None:
    with TemporaryDirectory() as directory:
        log = new_log(Path(directory))
        stages = [log.path.read_bytes()]
        done: list[Damage] = []
        for name, arguments, as_path in chain:
            try:
                done.append(VERBS[name](log.path if as_path else log, **arguments))
            except BuildError:
                assert log.path.read_bytes() == stages[-1]
                continue
            stages.append(log.path.read_bytes())
            assert (done[-1].bytes_before, done[-1].bytes_after) == (stages[-2], stages[-1])
            for profile in (CONTRACT_320, SPEC_KITTY_32):
                try:
                    read_rows(stages[-1], profile)
                except DiagnosticError as error:
                    assert error.diagnostic.fields["line"] >= 1  # noqa: PT017
                recover_rows(stages[-1], profile)
        while done:
            assert log.path.read_bytes() == stages.pop()
            done.pop().undo()
        assert [log.path.read_bytes()] == stages


def test_every_verb_takes_part_in_the_chains() -> None:
    assert set(STEPS) == set(VERBS)


# --- two sides


def test_a_fork_goes_on_from_where_the_log_is_with_ids_of_its_own(log: EventLog, tmp_path: Path) -> None:
    before = log.path.read_bytes()

    one, other, again = (log.fork(tmp_path / name, name[:3]) for name in ("one", "other", "one-again"))
    for fork in (one, other, again):
        fork.lane("WP01", "in_progress")

    assert log.path.read_bytes() == log.data == before
    assert (one.last["from_lane"], one.mission_id, one.lanes["WP02"]) == ("claimed", log.mission_id, "planned")
    assert one.data == one.path.read_bytes() == before + encode_row(one.last)
    assert one.last["at"] == other.last["at"] > log.last["at"]
    assert one.last["event_id"] != other.last["event_id"]
    assert again.last == one.last
    assert log.lane("WP01", "in_progress").last["event_id"] not in (one.last["event_id"], other.last["event_id"])


def test_a_fork_numbers_its_reviews_on_and_takes_along_what_is_in_memory(tmp_path: Path) -> None:
    log = EventLog(
        tmp_path / "log", mission_slug="demo", mission_id=None, clock=Clock(), ids=Identifiers("x"), bootstrap="planned",
        actor="ada", reviewer="vera",
    ).defer()  # fmt: skip
    log.route("WP01", ["planned", "claimed", "in_progress", "for_review", "in_review", "planned"])

    fork = log.fork(tmp_path / "fork", "fork")
    fork.route("WP01", ["claimed", "in_progress", "for_review", "in_review", "planned"]).lane("WP02", "planned")

    assert not log.path.exists()
    assert [row["review_ref"] for row in fork.rows if row["to_lane"] == "planned"] == [
        None, "review:WP01:1", "review:WP01:2", None,
    ]  # fmt: skip
    assert (fork.rows[6]["actor"], fork.rows[9]["actor"], fork.last["force"]) == ("ada", "vera", True)
    assert fork.path.read_bytes() == b"".join(map(encode_row, fork.rows))


def sides_of(log: EventLog, **options: bool) -> Diverged:
    return diverged(
        log,
        ours=lambda log: log.lane("WP01", "in_progress"),
        theirs=lambda log: log.lane("WP02", "claimed").note("WP02", "theirs"),
        **options,
    )


def test_two_sides_go_on_from_one_log_which_stays_as_it_is(log: EventLog) -> None:
    before = log.path.read_bytes()

    sides = sides_of(log)

    assert (sides.base, log.path.read_bytes(), log.data) == (before, before, before)
    assert [row["to_lane"] for row in rows_from_bytes(sides.ours.removeprefix(before))] == ["in_progress"]
    assert [row["wp_id"] for row in rows_from_bytes(sides.theirs.removeprefix(before))] == ["WP02", "WP02"]
    assert sides == sides_of(log)
    assert repr(sides) == "Diverged()"
    assert all(read_rows(data) for data in (sides.ours, sides.theirs))


def test_a_side_can_be_damaged(log: EventLog) -> None:
    sides = diverged(log, ours=faults.torn_tail, theirs=lambda log: damage(log).crlf().missing_newline())

    assert torn_tail(sides.ours) != b""
    assert sides.theirs == log.data.replace(b"\n", b"\r\n")[:-1].removesuffix(b"\n")


def new_rows(sides: Diverged) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    base = rows_from_bytes(sides.base)
    ours, theirs = ([row for row in rows_from_bytes(data) if row not in base] for data in (sides.ours, sides.theirs))
    return ours, theirs


def test_both_sides_can_have_one_row(log: EventLog) -> None:
    ours, theirs = new_rows(sides_of(log, duplicate=True))

    assert (len(ours), len(theirs)) == (2, 3)
    assert [row for row in ours if row in theirs] == [ours[0]]


def test_both_sides_can_have_one_id_for_two_rows(log: EventLog) -> None:
    ours, theirs = new_rows(sides_of(log, conflicting=True))

    shared = {row["event_id"] for row in ours} & {row["event_id"] for row in theirs}
    assert shared == {ours[0]["event_id"]}
    assert [ours[0]["delta"], theirs[0]["delta"]] == [{"note": "of ours"}, {"note": "of theirs"}]


def test_our_side_can_have_lost_a_row(log: EventLog) -> None:
    sides = sides_of(log, deletion=True)

    first, rest = log.data.split(b"\n", 1)
    assert sides.ours.startswith(rest)
    assert first not in sides.ours
    assert sides.theirs.startswith(sides.base)


def test_the_three_files_lie_in_one_directory_in_the_order_of_a_merge_driver(log: EventLog, tmp_path: Path) -> None:
    sides = sides_of(log)

    base, ours, theirs = sides.write(tmp_path)

    assert {path.parent for path in (base, ours, theirs)} == {tmp_path}
    assert (base.read_bytes(), ours.read_bytes(), theirs.read_bytes()) == (sides.base, sides.ours, sides.theirs)


@pytest.mark.parametrize("how", ["text", "lines"])
@pytest.mark.parametrize("options", [{}, {"duplicate": True}, {"conflicting": True}, {"deletion": True}], ids=str)
def test_a_merge_of_text_is_what_git_itself_makes_of_it(
    log: EventLog, tmp_path: Path, how: Any, options: dict[str, bool]
) -> None:
    sides = sides_of(log, **options)
    repo = repository(tmp_path / "repo")
    name, attributes = "status.events.jsonl", {".gitattributes": "*.jsonl merge=union\n"} if how == "lines" else {}
    repo.commit("base", files={name: sides.base, **attributes})
    repo.git("checkout", "--quiet", "-b", "theirs")
    repo.commit("theirs", files={name: sides.theirs})
    repo.git("checkout", "--quiet", "main")
    repo.commit("ours", files={name: sides.ours})

    repo.git("merge", "--quiet", "theirs", check=False)

    assert sides.merged(how) == (repo.root / name).read_bytes()


def test_a_merge_of_text_has_conflict_markers_and_the_verb_says_where(log: EventLog) -> None:
    done = faults.merged(log, sides_of(log))

    assert done.line == 5
    assert log.data.split(b"\n")[4] == b"<<<<<<< HEAD"
    with pytest.raises(DiagnosticError, match="ROW_NOT_JSON: line 5"):
        read_rows(log.data)


def test_a_merge_by_lines_shows_no_conflict_and_keeps_both_sides(log: EventLog) -> None:
    sides = sides_of(log, conflicting=True)

    done = faults.merged(log, sides, "lines")

    assert done.line is None
    assert b"<<<<" not in log.data
    with pytest.raises(DiagnosticError, match="EVENT_ID_CONFLICT"):
        reduced(log.data)


def test_a_merge_by_rows_is_the_union_in_order_of_time(log: EventLog) -> None:
    sides = sides_of(log, duplicate=True, deletion=True)

    faults.merged(log, sides, "rows")

    lines = log.data.splitlines()
    assert len(lines) == len(set(lines)) == 4 + 1 + 1 + 2
    assert set(lines) == set((sides.base + sides.ours + sides.theirs).splitlines())
    order = [(row["at"], row["event_id"]) for row in rows_from_bytes(log.data)]
    assert order == sorted(order)
    assert rows_from_bytes(log.data)[0] == log.rows[0]  # the row that our side had deleted is back
    assert reduced(log.data).lane("WP01") == "in_progress"


def test_a_merge_by_rows_has_both_rows_of_one_id(log: EventLog) -> None:
    merged = sides_of(log, conflicting=True).merged("rows")

    with pytest.raises(DiagnosticError, match="EVENT_ID_CONFLICT"):
        reduced(merged)


def test_a_merge_by_rows_does_not_depend_on_which_side_is_ours(log: EventLog) -> None:
    sides = sides_of(log, duplicate=True, conflicting=True)

    assert sides.merged("rows") == Diverged(sides.base, sides.theirs, sides.ours).merged("rows")
