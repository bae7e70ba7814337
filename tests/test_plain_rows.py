"""The short way to read rows says the same as the long way, which alone defines what a row is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kitty_reliability.formats import events, plain_rows
from kitty_reliability.formats.diagnostics import DiagnosticError
from kitty_reliability.formats.plain_rows import LONGEST_PORTION, PlainAnnotationRow, PlainLaneRow
from kitty_reliability.formats.rows import ParsedAnnotationRow, ParsedLaneRow, Row

LANE = (
    b'"actor": "impl"',
    b'"at": "2025-03-03T09:00:00.000017+00:00"',
    b'"event_id": "01JNDKSD00000000000000000A"',
    b'"evidence": null',
    b'"execution_mode": "worktree"',
    b'"force": false',
    b'"from_lane": "planned"',
    b'"mission_id": "01JNDKSD00000000000000000B"',
    b'"mission_slug": "demo"',
    b'"policy_metadata": null',
    b'"reason": "it is time"',
    b'"review_ref": null',
    b'"review_result": null',
    b'"to_lane": "claimed"',
    b'"wp_id": "WP01"',
)
ACTOR = b'"actor": {"model": null, "profile": "x", "role": "implementer", "tool": "y"}'
REVIEW = b'{"reference": "tasks/WP01/review-cycle-1.md", "reviewer": "rev", "verdict": "approved"}'
RICH = (
    ACTOR,
    *LANE[1:3],
    b'"evidence": {"review": ' + REVIEW + b"}",
    *LANE[4:9],
    b'"policy_metadata": {"agent": "x", "gate": {"blocked": false, "new": [], "old": ["a", "b"]}, "shell_pid": 4711}',
    rb'"reason": "\u2014 he said \"no\", and \\"',
    LANE[11],
    b'"review_result": ' + REVIEW,
    *LANE[13:],
)
ANNOTATION = (
    ACTOR,
    LANE[1],
    (
        b'"delta": {"agent": "x", "note": "\\"", "review": {"actor": "", "at": "", "reason": "", "wp_id": ""}, '
        b'"shell_pid": 1, "subtasks": {"T001": "done", "T002": "planned"}, "tracker_refs": ["#1"]}'
    ),
    LANE[2],
    b'"kind": "annotation"',
    LANE[14],
)
VALUES = [
    b"null", b"true", b"1", b"-0", b"1.0", b"1e400", b"NaN", b"123456789012345678901234567890", b"{}", b"[]", b'""',
    b'"x"', b'"done"', b'"../x"', b'"1"', b'"2025-13-01T00:00:00Z"', b'"2025-01-01"', b'"2025-01-01 00:00:00.1234567890+05"',
    b'{"review": ' + REVIEW + b"}", REVIEW, b'{"a": 1.5, "a": 2}', b'{"a": [[]]}', b"[" * 70 + b"]" * 70, b'{"\\"a\\\\": "\\\\"}',
]  # fmt: skip
TOKENS = [
    b'"', b"\\", b'\\"', b"\\\\", b"\\u0022", b"\\u005c", b"\\u00e9", b"\\ud800", b"\\ud83d\\ude00", b", ", b"}", b"}{", b"..", b"\t",
    b"\n", b"\r", b"\x00", b"\x7f", b"\xff", b"\xc3\xa4", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b'"kind": null, ',
    b'"line": 0, ', b'"when": 7, ', b'"extra": {"a": 1}, ', b'"feature_slug": "x", ',
]  # fmt: skip


def joined(members: tuple[bytes, ...] | list[bytes]) -> bytes:
    return b"{" + b", ".join(members) + b"}\n"


@st.composite
def tampered(draw: Any) -> bytes:
    members = draw(st.sampled_from([LANE, RICH, ANNOTATION]))
    line = joined(members)
    at, one = draw(st.integers(0, len(line) - 1)), draw(st.integers(0, len(members) - 1))
    ways: list[Callable[[], bytes]] = [
        lambda: line[:at] + draw(st.sampled_from(TOKENS)) + line[at:],
        lambda: line[:at] + bytes([draw(st.integers(0, 255))]) + line[at + 1 :],
        lambda: line[:at] + line[at + draw(st.integers(1, 30)) :],
        lambda: joined([*members[:one], draw(st.sampled_from(members)), *members[one:]]),
        lambda: joined([*members[:one], members[one].split(b": ")[0] + b": " + draw(values), *members[one + 1 :]]),
        lambda: joined([*members[:one], *members[one + 1 :]]),
        lambda: joined(draw(st.permutations(members))),
        lambda: line.replace(
            draw(st.sampled_from([b", ", b": ", b'"'])), draw(st.sampled_from([b" ,\t", b":", b""])), 2
        ),
    ]
    return draw(st.sampled_from(ways))()


values = st.sampled_from(VALUES)


def said(row: Row) -> Any:
    own = (
        "actor", "wp_id", "from_lane", "to_lane", "force", "mission_id", "mission_slug", "policy_metadata", "review_ref",
        "review_result", "delta", "when",
    )  # fmt: skip
    # An empty slug names no mission, as none does.
    values = {name: getattr(row, name) or None for name in own if hasattr(row, name)}
    return row.kind, row.line, row.event_id, row.at, repr(row).partition("{")[0], values, row.data


def read(data: bytes) -> Any:
    try:
        return [said(row) for row in events.read_rows(data)]
    except DiagnosticError as error:
        return error.diagnostic


def read_the_long_way(data: bytes) -> Any:
    with patch.object(plain_rows, "plain_rows", lambda _, lines, __: [None] * len(lines)):
        return read(data)


def types(data: bytes) -> list[type[Row]]:
    return [type(row) for row in events.read_rows(data)]


def test_what_is_as_writers_write_it_is_read_the_short_way() -> None:
    log = joined(LANE) + joined(RICH) + joined(LANE[:12] + LANE[13:]) + joined(ANNOTATION)

    assert types(log) == [PlainLaneRow, PlainLaneRow, PlainLaneRow, PlainAnnotationRow]
    assert read(log) == read_the_long_way(log)


def test_one_line_that_is_not_plain_leaves_the_others_to_the_short_way() -> None:
    unknown_slot = joined(ANNOTATION).replace(b'"note"', b'"colour"')
    numbered = joined(LANE).replace(b"it is", b"\\u0022")

    assert types(joined(LANE) + unknown_slot + numbered) == [PlainLaneRow, ParsedAnnotationRow, ParsedLaneRow]


def test_a_row_that_is_longer_than_a_portion_stands_between_others() -> None:
    long = joined(LANE).replace(b"it is time", b"x" * LONGEST_PORTION)
    log = joined(LANE) * 500 + long + joined(RICH) + joined(ANNOTATION)[:-1]

    assert types(log) == [*[PlainLaneRow] * 500, ParsedLaneRow, PlainLaneRow, PlainAnnotationRow]
    assert read(log) == read_the_long_way(log)


@pytest.mark.parametrize("twice", LANE)
def test_no_key_is_twice_in_a_line(twice: bytes) -> None:
    refusal = read(joined(LANE) + joined([twice, *LANE]))

    assert (refusal.code, refusal.fields["line"]) == ("ROW_REPEATED_KEY", 2)


@settings(max_examples=1500, deadline=None)
@given(tampered())
@example(joined(LANE))
@example(joined(RICH) + joined(ANNOTATION))
def test_both_ways_say_the_same(line: bytes) -> None:
    assert read(joined(LANE) + line + joined(RICH)) == read_the_long_way(joined(LANE) + line + joined(RICH))
