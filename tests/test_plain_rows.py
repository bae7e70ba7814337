"""The short way to read a lane row says the same as the long way, which alone defines what a row is."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from hypothesis import example, given, settings
from hypothesis import strategies as st

from kitty_reliability.formats import events
from kitty_reliability.formats.diagnostics import DiagnosticError
from kitty_reliability.formats.plain_rows import PlainLaneRow
from kitty_reliability.formats.rows import LaneRow

MEMBERS = (
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
VALUES = [b"null", b"true", b"1", b"1.0", b"{}", b"[]", b'""', b'"x"', b'"done"', b'"../x"', b'"2025-13-01T00:00:00Z"']
TOKENS = [b'"', b"\\", b'\\"', b", ", b"}", b"..", b"\xff", b"\x00", b"\n", b"\x7f", b"\\u00e9", b'"kind": null, ']
PLAIN = b"{" + b", ".join(MEMBERS) + b"}\n"

places = st.integers(0, len(PLAIN) - 1)
members = st.sampled_from(range(len(MEMBERS)))


def joined(order: list[bytes]) -> bytes:
    return b"{" + b", ".join(order) + b"}\n"


tampered = st.one_of(
    st.builds(lambda at, put: PLAIN[:at] + put + PLAIN[at:], places, st.sampled_from(TOKENS)),
    st.builds(lambda at, put: PLAIN[:at] + bytes([put]) + PLAIN[at + 1 :], places, st.integers(0, 255)),
    st.builds(lambda at, less: PLAIN[:at] + PLAIN[at + less :], places, st.integers(1, 30)),
    st.builds(lambda at, twice: joined([*MEMBERS[:at], MEMBERS[twice], *MEMBERS[at:]]), members, members),
    st.builds(
        lambda at, put: joined([*MEMBERS[:at], MEMBERS[at].split(b": ")[0] + b": " + put, *MEMBERS[at + 1 :]]),
        members,
        st.sampled_from(VALUES),
    ),
    st.permutations(MEMBERS).map(joined),
)


def said(row: Any) -> Any:
    own = ("wp_id", "from_lane", "to_lane", "force", "mission_id", "policy_metadata", "review_result", "when")
    values = [getattr(row, name) for name in own] if isinstance(row, LaneRow) else []
    return row.kind, row.line, row.event_id, row.at, values, row.data


def read(data: bytes) -> Any:
    try:
        return [said(row) for row in events.read_rows(data)]
    except DiagnosticError as error:
        return error.diagnostic


def test_what_is_as_writers_write_it_is_read_the_short_way() -> None:
    assert [type(row) for row in events.read_rows(PLAIN)] == [PlainLaneRow]


@settings(max_examples=1500, deadline=None)
@given(tampered)
@example(PLAIN)
def test_both_ways_say_the_same(line: bytes) -> None:
    short = read(PLAIN + line)
    with patch.object(events, "plain_row", lambda *_: None):
        assert short == read(PLAIN + line)
