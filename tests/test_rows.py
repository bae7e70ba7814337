from __future__ import annotations

import inspect
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitty_reliability.formats import events, row_shapes
from kitty_reliability.formats.diagnostics import TABLE, DiagnosticError
from kitty_reliability.formats.events import MAX_LINE_BYTES, encode_row, read_rows, recover_rows, torn_tail
from kitty_reliability.formats.profiles import CONTRACT_320, SPEC_KITTY_32, Profile
from kitty_reliability.formats.rows import AnnotationRow, DecisionRow, LaneRow, LifecycleRow, RetrospectiveRow, Row
from kitty_reliability.formats.strict_json import MAX_DEPTH

quick = settings(max_examples=200)
both_profiles = pytest.mark.parametrize("profile", [CONTRACT_320, SPEC_KITTY_32], ids=lambda profile: profile.name)

REVIEW = {"reviewer": "vera", "verdict": "approved", "reference": "review:1"}
LANE: dict[str, Any] = {
    "actor": "impl",
    "at": "2025-03-03T09:00:00.000017+00:00",
    "event_id": "01JNDKSD00000000000000000A",
    "evidence": None,
    "execution_mode": "worktree",
    "force": False,
    "from_lane": "planned",
    "mission_slug": "demo",
    "policy_metadata": None,
    "reason": None,
    "review_ref": None,
    "to_lane": "claimed",
    "wp_id": "WP01",
}
ANNOTATION: dict[str, Any] = {
    "actor": {"role": None, "profile": "p", "tool": "t", "model": "m"},
    "at": "2025-03-03T09:01:00+00:00",
    "delta": {"note": "hello"},
    "event_id": "01JNDKSD00000000000000000B",
    "kind": "annotation",
    "wp_id": "WP01",
}
LIFECYCLE = {"event_type": "MissionCreated", "event_id": "e1", "timestamp": "2025-03-03T09:00:00+00:00", "payload": {}}
DECISION = {"event_type": "DecisionPointOpened", "event_id": "e2", "at": "2025-03-03T09:00:00+00:00", "payload": {}}
RETROSPECTIVE = {"type": "RetrospectiveCaptured", "event_id": "e3", "at": "2025-03-03T09:00:00+00:00"}
RETROSPECTIVE_NAME = {"event_name": "retrospective.completed", "event_id": "e4", "at": "2025-03-03T09:00:00+00:00"}
EVERY_KIND = [LANE, ANNOTATION, LIFECYCLE, DECISION, RETROSPECTIVE, RETROSPECTIVE_NAME]


def line(row: Any) -> bytes:
    return json.dumps(row).encode() + b"\n"


def lane(**keys: Any) -> bytes:
    return line({**LANE, **keys})


def annotation(**keys: Any) -> bytes:
    return line({**ANNOTATION, **keys})


def delta(**members: Any) -> bytes:
    return annotation(delta=members)


def without(row: dict[str, Any], key: str) -> bytes:
    return line({name: value for name, value in row.items() if name != key})


def refused(data: bytes, profile: Profile = CONTRACT_320) -> dict[str, Any]:
    with pytest.raises(DiagnosticError) as caught:
        read_rows(data, profile)
    return caught.value.diagnostic.as_dict()


# --- bytes of a row


def test_a_row_is_written_with_sorted_keys_in_ascii_with_default_separators_and_a_newline() -> None:
    assert encode_row({"b": [1, None, True], "a": "ü\u2028"}) == b'{"a": "\\u00fc\\u2028", "b": [1, null, true]}\n'


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_cannot_hold_is_not_written(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode_row({"a": number})


# --- reading


def test_every_kind_of_row_is_recognised() -> None:
    rows = read_rows(b"".join(map(line, EVERY_KIND)))

    kinds = (LaneRow, AnnotationRow, LifecycleRow, DecisionRow, RetrospectiveRow)
    assert [[kind for kind in kinds if isinstance(row, kind)] for row in rows] == [
        [LaneRow],
        [AnnotationRow],
        [LifecycleRow],
        [DecisionRow],
        [RetrospectiveRow],
        [RetrospectiveRow],
    ]
    assert [row.kind for row in rows] == [
        "lane",
        "annotation",
        "lifecycle",
        "decision",
        "retrospective",
        "retrospective",
    ]


def test_every_row_is_written_back_byte_for_byte() -> None:
    data = b"".join(map(encode_row, EVERY_KIND))

    assert b"".join(encode_row(row.data) for row in read_rows(data)) == data


def test_the_views_of_a_lane_row_are_what_the_row_says() -> None:
    (row,) = read_rows(lane())

    assert isinstance(row, LaneRow)
    assert (row.wp_id, row.from_lane, row.to_lane) == ("WP01", "planned", "claimed")
    assert (row.event_id, row.at, row.when) == (LANE["event_id"], LANE["at"], 1740992400_000017_000)


def test_the_views_of_an_annotation_are_what_the_row_says() -> None:
    (row,) = read_rows(annotation())

    assert isinstance(row, AnnotationRow)
    assert (row.wp_id, row.delta, row.when) == ("WP01", {"note": "hello"}, 1740992460 * 10**9)


def test_the_time_of_a_lifecycle_row_is_its_timestamp() -> None:
    (row,) = read_rows(line(LIFECYCLE))

    assert row.at == "2025-03-03T09:00:00+00:00"


def test_two_rows_are_equal_when_they_say_the_same_wherever_they_stand() -> None:
    first, second, other = read_rows(lane() + lane() + lane(reason="x"))

    assert first == second
    assert first != other
    assert first != LANE


def test_a_row_shows_its_kind_and_its_line() -> None:
    assert repr(read_rows(b"\n" + lane())[0]).startswith("<LaneRow line 2: {")


def test_blank_lines_are_skipped_and_counted() -> None:
    rows = read_rows(b"\n  \n" + lane() + b"\t\r\n\n" + annotation() + b"\n")

    assert [row.line for row in rows] == [3, 6]


def test_lines_are_counted_from_the_number_given() -> None:
    assert [row.line for row in read_rows(lane() + b"\n" + lane(), first_line=7)] == [7, 9]


@both_profiles
def test_the_last_row_needs_no_newline(profile: Profile) -> None:
    assert len(read_rows(lane() + annotation().rstrip(b"\n"), profile)) == 2


@both_profiles
def test_an_empty_log_has_no_rows(profile: Profile) -> None:
    assert read_rows(b"", profile) == []


@both_profiles
def test_lines_may_end_with_carriage_return_and_newline(profile: Profile) -> None:
    rows = read_rows((lane() + annotation()).replace(b"\n", b"\r\n"), profile)

    assert [row.line for row in rows] == [1, 2]


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85", "\x1c\x1d\x1e", "\x0b\x0c"])
def test_a_row_with_a_raw_line_separator_in_a_text_stays_one_row_or_is_refused(character: str) -> None:
    data = json.dumps({**LANE, "reason": f"a{character}b"}, ensure_ascii=False).encode() + b"\n"

    rows = read_rows(data + lane())

    assert [row.line for row in rows] == [1, 2]
    assert rows[0].data["reason"] == f"a{character}b"


def test_a_raw_control_character_in_a_text_is_refused() -> None:
    assert refused(lane(reason="a\x0bb").replace(b"\\u000b", b"\x0b"))["diagnostic_code"] == "ROW_NOT_JSON"


@both_profiles
def test_unknown_keys_survive(profile: Profile) -> None:
    unknown = {"zz": {"deep": [1, {"a": None}]}, "feature_slug": "old", "x-y": "\u2028"}
    rows = [{**row, **unknown} for row in EVERY_KIND]

    for row, read in zip(rows, read_rows(b"".join(map(line, rows)), profile), strict=True):
        assert {key: read.data[key] for key in unknown} == unknown
        assert read.data.keys() >= row.keys()


@pytest.mark.parametrize(
    "row",
    [
        {**LANE, "kind": None},
        {**LANE, "type": "SomethingElse"},
        {**LANE, "event_name": "something.else"},
        {**LANE, "evidence": {}},
        {**LANE, "evidence": {"review": REVIEW, "repos": 7}},
        {**LANE, "review_result": REVIEW},
        {**LANE, "policy_metadata": {}},
        {**LANE, "actor": ANNOTATION["actor"]},
        {**LANE, "from_lane": "uninitialized", "to_lane": "genesis"},
        {key: value for key, value in LANE.items() if value is not None and key != "mission_slug"},
        {**LANE, "event_id": "any text"},
        {**LANE, "wp_id": "WP1-b"},
        {**ANNOTATION, "event_type": "MissionCreated"},
        {**ANNOTATION, "delta": {}},
        {**ANNOTATION, "delta": {"shell_pid": 42, "unknown": [1]}},
        {**ANNOTATION, "delta": {"shell_pid": " 42 "}},
        {**ANNOTATION, "delta": {"subtasks": {"T001": "done"}, "tracker_refs": ["#1"], "tracker_refs_replace": []}},
        {**ANNOTATION, "delta": {"review": dict.fromkeys(("at", "actor", "wp_id", "reason"), "")}},
        {"event_type": None},
        {"event_type": 7, "event_id": None},
        {"event_name": "retrospective.", "to_lane": 5},
        {"type": "RetrospectiveSkipped", "event_type": "DecisionPointOpened"},
    ],
    ids=repr,
)
def test_an_unusual_row_that_is_allowed_is_read_as_it_is(row: dict[str, Any]) -> None:
    (read,) = read_rows(line(row))

    assert read.data == row


@pytest.mark.parametrize(
    ("at", "when"),
    [
        ("2025-03-03T09:00:00Z", 1740992400.0),
        ("2025-03-03T10:00:00+01:00", 1740992400.0),
        ("2025-03-03T09:00:00.5+00:00", 1740992400.5),
        ("2025-03-03 09:00:00", 1740992400.0),
        ("2025-03-03T14:30:00.1234+05:30", 1740992400.1234),
        ("2025-03-03t09:00:00.000001-00:00", 1740992400.000001),
    ],
)
def test_a_timestamp_is_an_instant_however_it_is_spelled(at: str, when: float) -> None:
    (row,) = read_rows(lane(at=at))

    assert isinstance(row, LaneRow)
    assert row.when == round(when * 10**6) * 1000


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="only POSIX can change the time zone of a process")
def test_a_timestamp_without_an_offset_is_utc_wherever_the_reader_is(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        monkeypatch.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        (row,) = read_rows(lane(at="2025-03-03T09:00:00"))
    finally:
        monkeypatch.undo()
        time.tzset()

    assert isinstance(row, LaneRow)
    assert row.when == 1740992400 * 10**9


# --- refusing, under contract-320

DEEP: Any = 1
for _ in range(MAX_DEPTH):
    DEEP = [DEEP]

REFUSED: list[tuple[str, bytes, str, int]] = [
    ("invalid UTF-8", lane() + b'{"a": "\xff"}\n', "ROW_NOT_UTF8", 2),
    ("an encoded surrogate", b'{"a": "\xed\xa0\x80"}\n', "ROW_NOT_UTF8", 1),
    ("UTF-16", '{"a": 1}\n'.encode("utf-16") + b"\n", "ROW_NOT_UTF8", 1),
    ("a mark at the start", b"\xef\xbb\xbf" + lane(), "LOG_BYTE_ORDER_MARK", 1),
    ("a mark further down", lane() + b"\xef\xbb\xbf" + lane(), "LOG_BYTE_ORDER_MARK", 2),
    ("a mark and nothing", b"\xef\xbb\xbf", "LOG_BYTE_ORDER_MARK", 1),
    ("prose", lane() + b"\nhello\n" + lane(), "ROW_NOT_JSON", 3),
    ("half a row before a newline", lane()[:40] + b"\n" + lane(), "ROW_NOT_JSON", 1),
    ("two rows glued", lane().strip() + lane(), "ROW_NOT_JSON", 1),
    ("NUL bytes", lane() + b"\x00\x00\x00\n", "ROW_NOT_JSON", 2),
    ("a conflict marker", b"<<<<<<< ours\n" + lane(), "ROW_NOT_JSON", 1),
    ("NaN", lane(x=0).replace(b'"x": 0', b'"x": NaN'), "ROW_NOT_JSON", 1),
    ("a lone surrogate", lane(reason="\ud800"), "ROW_NOT_JSON", 1),
    ("digits without end", lane(x=0).replace(b'"x": 0', b'"x": ' + b"1" * 5000), "ROW_NOT_JSON", 1),
    ("half a row at the end", lane() + annotation()[:40], "ROW_TORN", 2),
    ("half a character at the end", lane() + b'{"a": "\xc3', "ROW_TORN", 2),
    ("an array", lane() + b"[]\n", "ROW_NOT_OBJECT", 2),
    ("a number", b"7\n", "ROW_NOT_OBJECT", 1),
    ("a text", b'"{}"\n', "ROW_NOT_OBJECT", 1),
    ("null", b"null", "ROW_NOT_OBJECT", 1),
    ("a repeated key", lane() + b'{"a": 1, "a": 1}\n', "ROW_REPEATED_KEY", 2),
    ("a repeated key further in", delta(note="x").replace(b'"note"', b'"note": "y", "note"'), "ROW_REPEATED_KEY", 1),
    ("a line too long", lane() + lane(reason="x" * MAX_LINE_BYTES), "ROW_TOO_LONG", 2),
    ("blanks too long", b" " * (MAX_LINE_BYTES + 1), "ROW_TOO_LONG", 1),
    ("a value too deep", lane() + lane(x=DEEP), "ROW_TOO_DEEP", 2),
    ("a value far too deep", b"[" * 100_000 + b"\n", "ROW_TOO_DEEP", 1),
    ("an unknown kind", lane() + annotation(kind="notation"), "ROW_UNKNOWN_KIND", 2),
    ("a kind that is no text", lane(kind=[1]), "ROW_UNKNOWN_KIND", 1),
    ("an empty kind", lane(kind=""), "ROW_UNKNOWN_KIND", 1),
    ("both lane and lifecycle", lane() + line({**LANE, **LIFECYCLE}), "ROW_AMBIGUOUS_KIND", 2),
    ("both lane and decision", line({**LANE, **DECISION}), "ROW_AMBIGUOUS_KIND", 1),
    ("both lane and retrospective", line({**LANE, **RETROSPECTIVE}), "ROW_AMBIGUOUS_KIND", 1),
    ("an empty object", lane() + b"{}\n", "ROW_FIELD_MISSING", 2),
    ("only an unknown type", line({"type": "Other"}), "ROW_FIELD_MISSING", 1),
    ("only an unknown event_name", line({"event_name": "other"}), "ROW_FIELD_MISSING", 1),
    ("a lane alias", lane() + lane(to_lane="doing"), "ROW_FIELD_INVALID", 2),
    ("a lifecycle id that is no text", line({**LIFECYCLE, "event_id": 7}), "ROW_FIELD_INVALID", 1),
]


@pytest.mark.parametrize(("data", "code", "number"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_bad_line_is_refused_by_code_and_number(data: bytes, code: str, number: int) -> None:
    diagnostic = refused(data)

    assert (diagnostic["diagnostic_code"], diagnostic["line"]) == (code, number)
    assert f"line {number}" in diagnostic["message"]
    assert "<" not in diagnostic["message"]  # every value that the text names was given


def test_every_code_that_reading_a_row_can_give_is_shown_by_a_case() -> None:
    source = inspect.getsource(events) + inspect.getsource(row_shapes)

    assert {code for _, _, code, _ in REFUSED} == set(re.findall(r'diagnostic\("(\w+)"', source))


@pytest.mark.parametrize("key", ["event_id", "wp_id", "from_lane", "to_lane", "at", "actor", "force", "execution_mode"])
@both_profiles
def test_a_lane_row_without_a_required_key_is_refused_by_that_key(profile: Profile, key: str) -> None:
    diagnostic = refused(without(LANE, key), profile)

    assert (diagnostic["diagnostic_code"], diagnostic["key"]) == ("ROW_FIELD_MISSING", key)


@pytest.mark.parametrize("key", ["event_id", "wp_id", "at", "actor", "delta"])
@both_profiles
def test_an_annotation_without_a_required_key_is_refused_by_that_key(profile: Profile, key: str) -> None:
    diagnostic = refused(without(ANNOTATION, key), profile)

    assert (diagnostic["diagnostic_code"], diagnostic["key"]) == ("ROW_FIELD_MISSING", key)


@pytest.mark.parametrize("key", ["reviewer", "verdict", "reference"])
def test_a_review_without_one_of_its_keys_is_refused_by_that_key(key: str) -> None:
    part = {name: value for name, value in REVIEW.items() if name != key}

    assert refused(lane(review_result=part))["key"] == f"review_result.{key}"
    assert refused(lane(evidence={"review": part}))["key"] == f"evidence.review.{key}"


@pytest.mark.parametrize("key", ["at", "actor", "wp_id", "reason"])
def test_a_review_override_without_one_of_its_keys_is_refused_by_that_key(key: str) -> None:
    part = {name: "" for name in ("at", "actor", "wp_id", "reason") if name != key}

    diagnostic = refused(delta(review=part))

    assert (diagnostic["diagnostic_code"], diagnostic["key"]) == ("ROW_FIELD_MISSING", f"delta.review.{key}")


def wrong_values() -> Iterator[tuple[str, bytes]]:
    for value in (None, 7, "", ["x"]):
        yield "event_id", lane(event_id=value)
    for value in (None, 7, "", "../WP01", "a..b", ".WP01", "WP01\n", "WP\x0001", "a/b", "a\\b", ["WP01"]):
        yield "wp_id", lane(wp_id=value)
        yield "wp_id", annotation(wp_id=value)
    for value in (None, 7, "", "doing", "Planned", "planned ", ["planned"], {}):
        yield "from_lane", lane(from_lane=value)
        yield "to_lane", lane(to_lane=value)
    for value in (None, 7, "", "now", "2025-03-03", "2025-03-03T25:00:00Z", "2025-02-30T09:00:00Z", "20250303T090000Z"):
        yield "at", lane(at=value)
        yield "at", annotation(at=value)
    four = {"role": None, "profile": None, "tool": None, "model": None}
    for value in (None, 7, True, [], {}, {**four, "more": None}, {**four, "role": 7}):
        yield "actor", lane(actor=value)
        yield "actor", annotation(actor=value)
    for value in (None, 0, 1, "true"):
        yield "force", lane(force=value)
    for value in (None, 7, []):
        yield "execution_mode", lane(execution_mode=value)
    for key in ("reason", "review_ref", "mission_slug", "mission_id", "feature_slug", "reason_source"):
        yield key, lane(**{key: 7})
    for value in (7, "x", [], False):
        yield "evidence", lane(evidence=value)
        yield "review_result", lane(review_result=value)
        yield "policy_metadata", lane(policy_metadata=value)
    yield "evidence.review", lane(evidence={"repos": []})
    yield "evidence.review", lane(evidence={"review": None})
    for key in REVIEW:
        yield f"evidence.review.{key}", lane(evidence={"review": {**REVIEW, key: None}})
        yield f"review_result.{key}", lane(review_result={**REVIEW, key: 7})
    for value in (
        None,
        7,
        "",
        "e1",
        "01jndksd00000000000000000b",
        "01JNDKSD00000000000000000I",
        ANNOTATION["event_id"] * 2,
    ):
        yield "event_id", annotation(event_id=value)
    for value in (None, 7, "x", []):
        yield "delta", annotation(delta=value)
    for key in ("shell_pid_created_at", "agent", "assignee", "role", "agent_profile", "agent_profile_version"):
        yield f"delta.{key}", delta(**{key: 7})
    for key in ("model", "provider", "note"):
        yield f"delta.{key}", delta(**{key: ["x"]})
    for value in (True, 1.5, "", "12x", "-1", [1]):
        yield "delta.shell_pid", delta(shell_pid=value)
    yield "delta.subtasks", delta(subtasks=["T001"])
    for value in ("pending", None, 7, []):
        yield "delta.subtasks.T001", delta(subtasks={"T001": value})
    for key in ("tracker_refs", "tracker_refs_replace"):
        yield f"delta.{key}", delta(**{key: "#1"})
        yield f"delta.{key}", delta(**{key: ["#1", 2]})
    yield "delta.review", delta(review=[])
    yield "delta.review.reason", delta(review={"at": "", "actor": "", "wp_id": "", "reason": None})


WRONG = list(wrong_values())


@pytest.mark.parametrize(("key", "data"), WRONG, ids=[f"{key}-{number}" for number, (key, _) in enumerate(WRONG)])
def test_a_value_of_the_wrong_shape_is_refused_by_its_key(key: str, data: bytes) -> None:
    diagnostic = refused(data)

    assert (diagnostic["diagnostic_code"], diagnostic["key"]) == ("ROW_FIELD_INVALID", key)


@pytest.mark.parametrize("pid", ["\u00b2", "1\u2460", "9" * 5000], ids=["superscript", "circled", "endless"])
def test_a_process_id_that_is_no_number_is_refused(pid: str) -> None:
    assert refused(delta(shell_pid=pid))["key"] == "delta.shell_pid"


def test_the_first_bad_line_is_the_one_that_is_named() -> None:
    assert refused(lane() + b"[]\n{\n" + lane(to_lane="x"))["line"] == 2


# --- recovering


def test_recovery_reads_what_can_be_read_and_names_every_line_that_it_left_out() -> None:
    data = lane() + b"[]\n\nhello\n" + annotation() + b'{"a": 1, "a": 2}\n' + lane()[:50]

    rows, left_out = recover_rows(data)

    assert [(row.kind, row.line) for row in rows] == [("lane", 1), ("annotation", 5)]
    assert [(item.code, item.fields["line"]) for item in left_out] == [
        ("ROW_NOT_OBJECT", 2),
        ("ROW_NOT_JSON", 4),
        ("ROW_REPEATED_KEY", 6),
        ("ROW_TORN", 7),
    ]


@both_profiles
def test_recovery_of_a_sound_log_leaves_nothing_out(profile: Profile) -> None:
    data = b"".join(map(line, EVERY_KIND))

    assert recover_rows(data, profile) == (read_rows(data, profile), [])


def test_recovery_reads_by_the_rules_of_its_profile() -> None:
    data = b"[]\n" + lane(force="yes") + b'{"half'

    rows, left_out = recover_rows(data, SPEC_KITTY_32)

    assert [(row.line, row.data["force"]) for row in rows] == [(2, True)]
    assert [(item.code, item.fields["line"]) for item in left_out] == [("ROW_NOT_OBJECT", 1), ("ROW_NOT_JSON", 3)]


@pytest.mark.parametrize(
    ("data", "tail"),
    [
        (b"", b""),
        (lane(), b""),
        (lane() + lane().strip(), b""),
        (lane() + b" \t", b""),
        (lane() + b'{"half', b'{"half'),
        (b'{"half', b'{"half'),
        (lane() + b'{"half \xc3', b'{"half \xc3'),
        (lane() + b"12", b"12"),
        (lane() + b'"text"', b'"text"'),
        (lane() + b"{}{}", b"{}{}"),
        (lane() + b'{"a": 1, "a": 2}', b""),
        (b'{"half\n' + lane(), b""),
        (lane() + b"\x00\x00", b"\x00\x00"),
    ],
)
def test_the_torn_tail_is_what_stands_after_the_last_newline_and_is_no_whole_row(data: bytes, tail: bytes) -> None:
    assert torn_tail(data) == tail


# --- reading as released versions do


@pytest.mark.parametrize(
    ("given_keys", "read_keys"),
    [
        ({"actor": 7}, {"actor": "7"}),
        ({"actor": None}, {"actor": "None"}),
        ({"actor": ["a"]}, {"actor": "['a']"}),
        ({"force": "yes"}, {"force": True}),
        ({"force": 0}, {"force": False}),
        ({"force": None}, {"force": False}),
        ({"execution_mode": 7}, {"execution_mode": 7}),
        ({"wp_id": 7}, {"wp_id": "7"}),
        ({"wp_id": None}, {"wp_id": "null"}),
        ({"wp_id": "../../x"}, {"wp_id": "../../x"}),
        ({"event_id": 7}, {"event_id": 7}),
        ({"mission_slug": None, "feature_slug": "old"}, {"mission_slug": "old"}),
        ({"mission_slug": ""}, {"mission_slug": ""}),
        ({"evidence": {}}, {"evidence": None}),
        ({"evidence": 0}, {"evidence": None}),
        ({"review_result": []}, {"review_result": None}),
        ({"review_result": {**REVIEW, "more": 1}}, {"review_result": REVIEW}),
        ({"review_result": {**REVIEW, "feedback_path": "f"}}, {"review_result": {**REVIEW, "feedback_path": "f"}}),
        ({"policy_metadata": 7, "to_lane": "planned"}, {"policy_metadata": 7}),
        ({"reason": 7}, {"reason": 7}),
        ({"at": "whenever"}, {"at": "whenever"}),
    ],
    ids=repr,
)
def test_the_released_reading_coerces_a_lane_row(given_keys: dict[str, Any], read_keys: dict[str, Any]) -> None:
    (row,) = read_rows(lane(**given_keys), SPEC_KITTY_32)

    assert isinstance(row, LaneRow)
    assert {key: row.data[key] for key in read_keys} == read_keys


@pytest.mark.parametrize(
    ("given_delta", "read_delta"),
    [
        ({"shell_pid": "42"}, {"shell_pid": 42}),
        ({"shell_pid": 42.9}, {"shell_pid": 42}),
        ({"shell_pid": None}, {"shell_pid": None}),
        ({"subtasks": {"T001": "done"}}, {"subtasks": {"T001": "done"}}),
        (
            {"review": {"at": 1, "actor": None, "wp_id": "WP01", "reason": [], "more": 1}},
            {"review": {"at": "1", "actor": "None", "wp_id": "WP01", "reason": "[]"}},
        ),
        ({"unknown": [1], "note": 7}, {"unknown": [1], "note": 7}),
    ],
    ids=repr,
)
def test_the_released_reading_coerces_a_delta(given_delta: dict[str, Any], read_delta: dict[str, Any]) -> None:
    (row,) = read_rows(annotation(delta=given_delta, wp_id=7), SPEC_KITTY_32)

    assert isinstance(row, AnnotationRow)
    assert (row.wp_id, row.delta) == ("7", read_delta)


def test_the_released_reading_orders_by_the_text_of_the_timestamp() -> None:
    rows = read_rows(lane() + annotation(), SPEC_KITTY_32)

    assert [row.when for row in rows if isinstance(row, LaneRow | AnnotationRow)] == [LANE["at"], ANNOTATION["at"]]


def test_the_released_reading_keeps_the_last_of_two_equal_keys() -> None:
    (row,) = read_rows(b'{"reason": "first", ' + lane(reason="second")[1:], SPEC_KITTY_32)

    assert row.data["reason"] == "second"


def test_the_released_reading_takes_a_row_that_is_lane_and_lifecycle_for_lifecycle() -> None:
    (row,) = read_rows(line({**LANE, **LIFECYCLE}), SPEC_KITTY_32)

    assert isinstance(row, LifecycleRow)


def test_the_released_reading_splits_a_row_at_a_raw_line_separator_and_refuses_the_half() -> None:
    data = json.dumps({**LANE, "reason": "a\u2028b"}, ensure_ascii=False).encode()

    diagnostic = refused(lane() + data, SPEC_KITTY_32)

    assert (diagnostic["diagnostic_code"], diagnostic["line"]) == ("ROW_NOT_JSON", 2)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xff\n", "ROW_NOT_UTF8"),
        (b"\xef\xbb\xbf" + lane(), "ROW_NOT_JSON"),
        (b"hello\n", "ROW_NOT_JSON"),
        (b"[" * 100_000, "ROW_NOT_JSON"),
        (b"[]\n", "ROW_NOT_OBJECT"),
        (annotation(kind="other"), "ROW_UNKNOWN_KIND"),
        (lane(to_lane="doing"), "ROW_FIELD_INVALID"),
        (lane(from_lane=7), "ROW_FIELD_INVALID"),
        (lane(wp_id=[]), "ROW_FIELD_INVALID"),
        (lane(actor={}), "ROW_FIELD_INVALID"),
        (lane(evidence="x"), "ROW_FIELD_INVALID"),
        (lane(evidence={"review": {}}), "ROW_FIELD_MISSING"),
        (lane(review_result={"reviewer": "v"}), "ROW_FIELD_MISSING"),
        (lane(policy_metadata=7), "ROW_FIELD_INVALID"),
        (annotation(event_id="e1"), "ROW_FIELD_INVALID"),
        (annotation(delta=[]), "ROW_FIELD_INVALID"),
        (delta(shell_pid="x"), "ROW_FIELD_INVALID"),
        (delta(subtasks={"T001": "pending"}), "ROW_FIELD_INVALID"),
        (delta(subtasks=[]), "ROW_FIELD_INVALID"),
        (delta(review={"at": ""}), "ROW_FIELD_MISSING"),
        (b"{}\n", "ROW_FIELD_MISSING"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_the_released_reading_refuses_by_code_and_number(data: bytes, code: str) -> None:
    diagnostic = refused(lane() + b"\n" + data, SPEC_KITTY_32)

    assert (diagnostic["diagnostic_code"], diagnostic["line"]) == (code, 3)


@pytest.mark.parametrize("pid", [b"Infinity", b"-Infinity", b"1e999"])
def test_the_released_reading_refuses_an_infinite_process_id(pid: bytes) -> None:
    data = delta(shell_pid=0).replace(b'"shell_pid": 0', b'"shell_pid": ' + pid)

    assert refused(data, SPEC_KITTY_32)["diagnostic_code"] == "ROW_FIELD_INVALID"


# --- any bytes at all

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_infinity=False) | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=4), children, max_size=3),
    max_leaves=6,
)
fragments = st.sampled_from(
    [b"\n", b"\r\n", b"\xef\xbb\xbf", b"\x00", b"\xe2\x80\xa8", b"\xc2\x85", b"{", b"}", b'"', b"\\u", b"\xff", b"NaN"]
)


@st.composite
def mutated_lines(draw: st.DrawFn) -> bytes:
    """Draw a real line with values, keys or bytes of it exchanged."""
    row = json.loads(json.dumps(draw(st.sampled_from(EVERY_KIND))))
    for _ in range(draw(st.integers(0, 3))):
        inner = draw(st.sampled_from([row, *(value for value in row.values() if isinstance(value, dict))]))
        name = draw(st.sampled_from([*inner, *LANE, *ANNOTATION, "subtasks", "shell_pid", "review", "review_result"]))
        inner[name] = draw(json_values)
    data = line(row)
    for _ in range(draw(st.integers(0, 2))):
        at, length = draw(st.integers(0, len(data))), draw(st.integers(0, 4))
        data = data[:at] + draw(st.binary(max_size=3) | fragments) + data[at + length :]
    return data


def judge(data: bytes, profile: Profile) -> None:
    refusal = None
    rows: list[Row] = []
    try:
        rows = read_rows(data, profile)
    except DiagnosticError as error:
        refusal = error.diagnostic

    assert all(isinstance(row, Row) for row in rows)
    if refusal is not None:
        lines = max(data.count(b"\n"), len(data.decode("utf-8", "replace").splitlines())) + 1
        assert refusal.code in TABLE
        assert 1 <= refusal.fields["line"] <= lines


@both_profiles
@quick
@given(st.binary() | st.lists(st.binary(max_size=6) | fragments).map(b"".join))
def test_any_bytes_are_read_or_refused_with_a_diagnostic(profile: Profile, data: bytes) -> None:
    judge(data, profile)


@both_profiles
@quick
@given(st.lists(mutated_lines(), max_size=3).map(b"".join))
def test_real_lines_that_were_tampered_with_are_read_or_refused_with_a_diagnostic(
    profile: Profile, data: bytes
) -> None:
    judge(data, profile)


@quick
@given(st.lists(mutated_lines(), max_size=4).map(b"".join))
def test_recovery_accounts_for_every_line_that_is_not_blank(data: bytes) -> None:
    rows, left_out = recover_rows(data)

    accounted = [row.line for row in rows] + [item.fields["line"] for item in left_out]
    assert sorted(accounted) == [number for number, text in enumerate(data.split(b"\n"), 1) if text.strip()]


@quick
@given(
    st.sampled_from(EVERY_KIND),
    st.dictionaries(
        st.text(max_size=4).map("x-{}".format),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8),
            lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
            max_leaves=6,
        ),
    ),
)
def test_whatever_else_a_row_holds_is_read_as_it_was_written(row: dict[str, Any], more: dict[str, Any]) -> None:
    (read,) = read_rows(encode_row({**row, **more}))

    assert read.data == {**row, **more}
