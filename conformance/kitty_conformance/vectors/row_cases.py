"""Lines of an event log: which of them are rows, and of what kind (clauses LOG-006 to LOG-009)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from kitty_reliability.formats.diagnostics import DiagnosticError, diagnostic
from kitty_reliability.formats.events import MAX_LINE_BYTES, encode_row, read_rows, recover_rows
from kitty_reliability.formats.instants import instant
from kitty_reliability.formats.profiles import Profile
from kitty_reliability.formats.rows import Row

from .cases import CONTRACT, Case, bytes_of, spelled

__all__ = ["annotation", "answer", "answer_instant", "cases", "event_id", "instant_cases", "lane"]

_REVIEW = {"reviewer": "bob", "verdict": "approved", "reference": "review:1"}


def event_id(number: int) -> str:
    """Return a ULID that is easy to tell from others."""
    return f"01KV{number:022d}"


def lane(number: int, **changes: Any) -> dict[str, Any]:
    """Return lane row ``number``, with every key that a writer writes; a change to ``...`` leaves the key out."""
    row = {
        "actor": "ann",
        "at": f"2026-01-05T09:{number:02d}:00+00:00",
        "event_id": event_id(number),
        "evidence": None,
        "execution_mode": "worktree",
        "force": False,
        "from_lane": "genesis",
        "mission_slug": "demo-01KVMSSN",
        "policy_metadata": None,
        "reason": None,
        "review_ref": None,
        "to_lane": "planned",
        "wp_id": "WP01",
        **changes,
    }
    return {key: value for key, value in row.items() if value is not ...}


def annotation(number: int, **changes: Any) -> dict[str, Any]:
    """Return annotation row ``number``; a change to ``...`` leaves the key out."""
    row = {
        "actor": "ann",
        "at": f"2026-01-05T09:{number:02d}:00+00:00",
        "delta": {"note": "seen"},
        "event_id": event_id(number),
        "kind": "annotation",
        "wp_id": "WP01",
        **changes,
    }
    return {key: value for key, value in row.items() if value is not ...}


def answer(given: Mapping[str, Any], profile: Profile) -> Mapping[str, Any]:
    """Return the rows of a log; with ``recover`` also what was left out."""
    data = bytes_of(given["log"])
    if not given.get("recover"):
        return {"rows": [_row(row) for row in read_rows(data, profile)]}
    rows, left_out = recover_rows(data, profile)
    lost = [{"line": one.fields["line"], "diagnostic_code": one.code} for one in left_out]
    return {"rows": [_row(row) for row in rows], "left_out": lost}


def _row(row: Row) -> dict[str, Any]:
    found = {"line": row.line, "kind": row.kind, "event_id": row.event_id}
    return found | ({"wp_id": row.data["wp_id"]} if row.kind in ("lane", "annotation") else {})


def _log(*rows: Mapping[str, Any] | str | bytes) -> bytes:
    lines = (
        row if isinstance(row, bytes) else row.encode() if isinstance(row, str) else encode_row(row) for row in rows
    )
    return b"".join(line if line.endswith(b"\n") else line + b"\n" for line in lines)


def _raw(**changes: str) -> str:
    """Return a lane row whose keys have the given texts as values, as they are."""
    texts = {key: json.dumps(value) for key, value in lane(1).items()} | changes
    return "{" + ", ".join(f'"{key}": {text}' for key, text in texts.items()) + "}"


def cases() -> Iterator[Case]:
    """Yield the cases: kinds, framing, JSON that is not one thing everywhere, shapes."""
    for name, shows, data in (*_kinds(), *_framing(), *_json(), *_shapes()):
        yield Case(name, shows, {"log": data if isinstance(data, dict) else spelled(data)})
    for name, shows, data in _recovered():
        yield Case(name, shows, {"log": spelled(data), "recover": True}, CONTRACT, "3.2.x has no recovery read")


def _kinds() -> Iterator[tuple[str, str, bytes]]:
    decision = {
        "at": "2026-01-05T09:00:00+00:00",
        "event_id": event_id(2),
        "event_type": "DecisionPointOpened",
        "payload": {},
    }
    lifecycle = {"event_type": "MissionCreated", "timestamp": "2026-01-05T09:00:00+00:00", "payload": {}}
    named = {
        "event_name": "retrospective.requested",
        "event_id": event_id(4),
        "at": "2026-01-05T09:00:00+00:00",
        "payload": {},
    }
    typed = {"type": "RetrospectiveCaptured", "event_id": event_id(5), "at": "2026-01-05T09:00:00+00:00", "wp_id": None}
    yield (
        "five-kinds",
        "One row of each kind, the retrospective one in both families",
        _log(lane(1), decision, lifecycle | {"event_id": event_id(3)}, named, typed, annotation(6)),
    )
    yield "kind-null", "A kind of null is no kind: the row is a lane row", _log(lane(1, kind=None))
    yield "kind-unknown", "A row of unknown kind is an error, whatever else it has", _log(lane(1, kind="comment"))
    yield "kind-number", "A kind that is no text is unknown", _log(lane(1, kind=1))
    yield "lifecycle-without-id", "A lifecycle row may have no event_id", _log(lifecycle)
    yield "lifecycle-id-number", "An event_id of a lifecycle row is a text", _log(lifecycle | {"event_id": 7})
    yield "event-type-null", "The key event_type decides, even when it is null", _log({"event_type": None})
    yield "event-type-on-a-lane-row", "A row cannot be a transition and something else", _log(lane(1, event_type="X"))
    yield (
        "event-name-other",
        "An event_name that is no retrospective does not make a row one",
        _log({"event_name": "x"}),
    )
    yield "type-other", "An unknown type does not make a row retrospective", _log({"type": "Surprise"})
    yield (
        "kind-before-event-type",
        "kind is looked at before event_type",
        _log(annotation(1, event_type="MissionCreated")),
    )


def _framing() -> Iterator[tuple[str, str, bytes | dict[str, Any]]]:
    one, two = encode_row(lane(1)), encode_row(lane(2))
    yield "empty", "A log of no bytes has no rows", b""
    yield "blank-lines", "Blank lines are no rows, and are counted", b"\n" + one + b"  \t\n" + two
    yield "crlf", "A carriage return before the newline is white space", one[:-1] + b"\r\n" + two
    yield "no-last-newline", "A last line that lacks only its newline is a row", one + two[:-1]
    yield "torn-end", "A last line that is cut is torn", one + two[:40]
    yield (
        "torn-in-a-character",
        "A last line that is cut inside a character is torn",
        one + '{"reason": "h\u00e4'.encode()[:-1],
    )
    yield "torn-to-nothing-but-blanks", "Blanks behind the last newline are no row", one + b"   "
    yield "glued-rows", "Two rows on one line are no row", one[:-1] + two
    yield "byte-order-mark", "A byte-order mark is refused by name", b"\xef\xbb\xbf" + one
    yield (
        "byte-order-mark-inside",
        "A byte-order mark at the start of a later line is refused",
        one + b"\xef\xbb\xbf" + two,
    )
    yield "utf-16", "A log in UTF-16 is not UTF-8", one.decode().encode("utf-16")
    yield (
        "latin-1",
        "Bytes that are not UTF-8 are refused with their line",
        one + _raw(reason='"h\u00e4"').encode("latin-1") + b"\n",
    )
    yield (
        "overlong-slash",
        "An overlong encoding of / is not UTF-8",
        _raw(reason='"@"').encode().replace(b"@", b"\xc0\xaf") + b"\n",
    )
    yield (
        "surrogate-bytes",
        "A surrogate as three bytes is not UTF-8",
        _raw(reason='"@"').encode().replace(b"@", b"\xed\xa0\x80") + b"\n",
    )
    for name, char in (("u2028", "\u2028"), ("u2029", "\u2029"), ("u0085", "\u0085")):
        yield (
            f"raw-{name}",
            f"A raw {name.upper().replace('U', 'U+', 1)} in a text ends no line",
            _log(_raw(reason=f'"a{char}b"'), lane(2)),
        )
    yield "escaped-u2028", "An escaped U+2028 is a character like any other", _log(lane(1, reason="a\u2028b"), lane(2))
    yield "form-feed", "A form feed between two objects ends no line", one[:-1] + b"\x0c" + two
    yield "nul-raw", "A raw NUL in a text is not JSON", _log(_raw(reason='"a\x00b"'))
    yield "nul-escaped", "An escaped NUL is a character like any other", _log(lane(1, reason="a\x00b"))
    yield "nul-between", "NUL bytes behind the rows, as a crash leaves them, are no rows", one + b"\x00" * 8 + b"\n"
    yield "carriage-return-alone", "A carriage return alone ends no line", one[:-1] + b"\r" + two
    yield "longest", "A line of exactly the limit is read", _long(MAX_LINE_BYTES)
    yield "overlong", "A line that is longer than the limit is refused", _long(MAX_LINE_BYTES + 1)


def _long(size: int) -> dict[str, Any]:
    before, after = _raw(reason='"@"').split("@")
    pieces = [(before, 1), ("x", size - len(before) - len(after)), (after, 1), ("\n", 1)]
    return {"pieces": [{"text": text, "times": times} for text, times in pieces]}


def _json() -> Iterator[tuple[str, str, bytes | dict[str, Any]]]:
    yield "duplicate-key", "A key twice in a row is refused", _log(_raw()[:-1] + ', "wp_id": "WP02"}')
    yield "duplicate-key-equal", "A key twice is refused, whatever its values", _log(_raw()[:-1] + ', "wp_id": "WP01"}')
    yield (
        "duplicate-key-nested",
        "A key twice in an object inside is refused",
        _log(_raw(policy_metadata='{"a": 1, "a": 2}')),
    )
    yield (
        "duplicate-key-escaped",
        "A key is the same however it is escaped",
        _log(_raw()[:-1] + ', "wp\\u005fid": "WP02"}'),
    )
    yield (
        "duplicate-key-blank-before-colon",
        "Blanks before the colon hide no repeated key",
        _log(_raw()[:-1] + ', "wp_id" : "WP02"}'),
    )
    for word in ("NaN", "Infinity", "-Infinity"):
        yield f"number-{word.lower()}", f"{word} is not JSON", _log(_raw(policy_metadata=f'{{"x": {word}}}'))
    yield "big-integer", "An integer of 40 digits is one", _log(_raw(policy_metadata='{"x": ' + "9" * 40 + "}"))
    yield (
        "integer-2-53-plus-1",
        "An integer beyond 53 bits is one",
        _log(_raw(policy_metadata='{"x": 9007199254740993}')),
    )
    yield "float-exponent", "A number with an exponent is one", _log(_raw(policy_metadata='{"x": 1e3, "y": -0.0}'))
    yield "number-leading-zero", "A number does not begin with a zero", _log(_raw(policy_metadata='{"x": 012}'))
    yield "number-plus", "A number does not begin with a plus", _log(_raw(policy_metadata='{"x": +1}'))
    yield "trailing-comma", "A comma before the brace is not JSON", _log(_raw()[:-1] + ",}")
    yield "comment", "A comment is not JSON", _log(_raw() + " // seen")
    yield "single-quotes", "Single quotes are not JSON", _log(_raw().replace('"', "'"))
    yield "lone-surrogate", "Half a character, escaped, is refused", _log(_raw(reason='"\\ud83d"'))
    yield "lone-low-surrogate", "The second half alone is refused too", _log(_raw(reason='"\\ude00"'))
    yield "surrogate-pair", "Both halves are a character", _log(_raw(reason='"\\ud83d\\ude00"'))
    yield "bad-escape", "An escape that JSON does not have is refused", _log(_raw(reason='"\\x41"'))
    yield "control-character", "A raw tab in a text is not JSON", _log(_raw(reason='"a\tb"'))
    yield "array", "An array is no row", _log("[1]")
    for name, text in (("text", '"row"'), ("number", "7"), ("null", "null"), ("true", "true")):
        yield f"value-{name}", f"{text} is JSON and no row", _log(text)
    yield "depth-63", "Sixty-three lists in the row are read", _log(_raw(extra="[" * 63 + "]" * 63))
    yield "depth-64", "Sixty-four lists in the row are too deep", _log(_raw(extra="[" * 64 + "]" * 64))
    yield "depth-100000", "Extreme depth is an error, in bounded time", {
        "pieces": [{"text": text, "times": times} for text, times in
                   ((_raw()[:-1] + ', "extra": ', 1), ("[", 100_000), ("]", 100_000), ("}\n", 1))]
    }  # fmt: skip
    yield (
        "prototype-keys",
        "Keys that are names in some languages are keys",
        _log(_raw(policy_metadata='{"__proto__": {"force": true}, "constructor": 1, "toString": null, "": 0}')),
    )
    yield (
        "prototype-top-level",
        "They are extra keys of a row like any other",
        _log(_raw(__proto__='{"to_lane": "done"}', constructor="1")),
    )
    yield "unknown-key", "Keys that nobody knows are kept", _log(lane(1, weather="fine"))


def _shapes() -> Iterator[tuple[str, str, bytes]]:
    for key in ("event_id", "wp_id", "from_lane", "to_lane", "at", "actor", "force", "execution_mode"):
        yield f"without-{key}", f"A lane row has {key}", _log(lane(1, **{key: ...}))
    for key in ("mission_slug", "evidence", "reason", "review_ref", "policy_metadata"):
        yield f"without-{key}", f"A lane row may lack {key}", _log(lane(1, **{key: ...}))
    for name, key, value in (
        ("lane-alias", "to_lane", "doing"), ("lane-upper-case", "to_lane", "PLANNED"), ("lane-blank", "from_lane", " planned"),
        ("lane-null", "to_lane", None), ("lane-list", "to_lane", ["planned"]), ("force-text", "force", "yes"),
        ("force-text-false", "force", "false"), ("force-one", "force", 1), ("force-null", "force", None),
        ("actor-null", "actor", None), ("actor-true", "actor", True), ("actor-list", "actor", []),
        ("actor-three-keys", "actor", {"role": "r", "profile": None, "tool": "t"}),
        ("actor-five-keys", "actor", {"role": "r", "profile": None, "tool": "t", "model": None, "mood": "fine"}),
        ("actor-number-inside", "actor", {"role": 1, "profile": None, "tool": "t", "model": None}),
        ("wp-id-null", "wp_id", None), ("wp-id-number", "wp_id", 1), ("wp-id-list", "wp_id", ["WP01"]),
        ("wp-id-path", "wp_id", "../../x"), ("wp-id-dots", "wp_id", "a..b"), ("wp-id-empty", "wp_id", ""),
        ("wp-id-newline", "wp_id", "WP01\n"), ("event-id-null", "event_id", None), ("event-id-number", "event_id", 7),
        ("event-id-empty", "event_id", ""), ("at-number", "at", 1767603600), ("at-null", "at", None), ("at-words", "at", "yesterday"),
        ("mode-null", "execution_mode", None), ("reason-number", "reason", 7), ("evidence-list", "evidence", [1]),
        ("evidence-without-review", "evidence", {"repos": []}), ("evidence-without-reference", "evidence", {"review": {"reviewer": "b", "verdict": "approved"}}),
        ("review-result-text", "review_result", "approved"), ("review-result-without-verdict", "review_result", {"reviewer": "b", "reference": "r"}),
        ("policy-list", "policy_metadata", [1]),
    ):  # fmt: skip
        yield name, f"A lane row with {key} = {json.dumps(value)} is refused", _log(lane(1, **{key: value}))
    yield (
        "actor-object",
        "An actor may be an object of exactly four keys",
        _log(lane(1, actor={"role": "r", "profile": None, "tool": "t", "model": None})),
    )
    yield "event-id-any-text", "The event_id of a lane row is any text", _log(lane(1, event_id="one"))
    yield "evidence-empty", "Empty evidence is as good as none", _log(lane(1, evidence={}))
    yield "review-result", "A review result has reviewer, verdict and reference", _log(lane(1, review_result=_REVIEW))
    yield "wp-id-constructor", "A work package may be called like a method", _log(lane(1, wp_id="constructor"))
    yield (
        "policy-list-on-a-claim",
        "policy_metadata of a claim is an object",
        _log(lane(1, from_lane="planned", to_lane="claimed", policy_metadata=[1])),
    )
    for name, delta in (
        ("null", None), ("list", []), ("subtasks-list", {"subtasks": ["T1"]}), ("subtask-unknown-lane", {"subtasks": {"T1": "pending"}}),
        ("pid-words", {"shell_pid": "many"}), ("pid-float", {"shell_pid": 1.5}), ("note-number", {"note": 7}), ("refs-text", {"tracker_refs": "#1"}),
        ("review-without-reason", {"review": {"at": "", "actor": "", "wp_id": ""}}), ("review-null-actor", {"review": {"at": "", "actor": None, "wp_id": "", "reason": ""}}),
    ):  # fmt: skip
        yield (
            f"delta-{name}",
            f"An annotation with delta = {json.dumps(delta)} is refused",
            _log(annotation(1, delta=delta)),
        )
    yield "annotation-pid-text", "Digits are a process id", _log(annotation(1, delta={"shell_pid": " 7 "}))
    yield (
        "annotation-unknown-member",
        "Members of delta that nobody knows are kept",
        _log(annotation(1, delta={"mood": [1]})),
    )
    yield "annotation-empty-delta", "An empty delta is read", _log(annotation(1, delta={}))
    yield "annotation-id-no-ulid", "The event_id of an annotation is a ULID", _log(annotation(1, event_id="one"))
    yield "annotation-id-lower-case", "A ULID is in upper case", _log(annotation(1, event_id=event_id(1).lower()))
    yield (
        "annotation-id-large",
        "The first character of a ULID is not looked at",
        _log(annotation(1, event_id="Z" * 26)),
    )
    yield "annotation-without-delta", "An annotation has a delta", _log(annotation(1, delta=...))
    yield "annotation-without-actor", "An annotation has an actor", _log(annotation(1, actor=...))


def _recovered() -> Iterator[tuple[str, str, bytes]]:
    one, two = encode_row(lane(1)), encode_row(lane(2))
    yield "recovered-torn-end", "A recovery read reports the torn end, by its line", one + two[:40]
    yield "recovered-middle", "A recovery read goes on behind a corrupt line", one + b"{broken\n" + two
    yield "recovered-not-utf8", "A recovery read goes on behind bytes that are not UTF-8", one + b"\xff\xfe\n" + two
    yield (
        "recovered-several",
        "A recovery read reports every line that it left out",
        b"[]\n" + one + b"7\n" + encode_row(lane(3, kind="x")),
    )


# --- instants


def answer_instant(given: Mapping[str, Any], profile: Profile) -> Mapping[str, Any]:  # noqa: ARG001
    """Return the nanoseconds since 1970 that a timestamp names."""
    try:
        return {"nanoseconds": str(instant(given["at"]))}
    except (ValueError, OverflowError):
        raise _no_instant(given["at"]) from None


def _no_instant(text: str) -> DiagnosticError:
    return diagnostic("ROW_FIELD_INVALID", line=1, key="at", problem=f"names no instant: {text!r}")


def instant_cases() -> Iterator[Case]:
    """Yield spellings of timestamps."""
    for name, shows, text in (
        ("zulu", "Z is UTC", "2026-01-05T09:00:00Z"),
        ("utc", "+00:00 is UTC", "2026-01-05T09:00:00+00:00"),
        ("minus-zero", "-00:00 is UTC", "2026-01-05T09:00:00-00:00"),
        ("lower-case-t", "t in lower case", "2026-01-05t09:00:00Z"),
        ("lower-case-z", "z in lower case is refused", "2026-01-05T09:00:00z"),
        ("blank", "A blank between date and time", "2026-01-05 09:00:00+00:00"),
        ("east", "An offset to the east", "2026-01-05T10:30:00+01:30"),
        ("west", "An offset to the west, over midnight", "2026-01-04T23:00:00-10:00"),
        ("no-colon", "An offset without a colon", "2026-01-05T10:00:00+0100"),
        ("no-offset", "Without an offset it is UTC", "2026-01-05T09:00:00"),
        ("millisecond", "Three digits of a fraction", "2026-01-05T09:00:00.120Z"),
        ("microsecond", "Six digits of a fraction", "2026-01-05T09:00:00.123456+00:00"),
        ("nanosecond", "Nine digits of a fraction: writers in other languages go on behind the sixth", "2026-01-05T09:00:00.123456789Z"),
        ("seven-digits", "Seven digits of a fraction", "2026-01-05T09:00:00.1234567+00:00"),
        ("comma", "A comma before the fraction", "2026-01-05T09:00:00,5Z"),
        ("epoch", "The first instant that is counted", "1970-01-01T00:00:00Z"),
        ("before-the-epoch", "Before it the count is negative", "1969-12-31T23:59:59.999999+00:00"),
        ("leap-day", "A leap day", "2028-02-29T00:00:00Z"),
        ("no-leap-day", "A day that is none", "2026-02-29T00:00:00Z"),
        ("leap-second", "Second 60 is refused", "2016-12-31T23:59:60Z"),
        ("date-only", "A date names no instant", "2026-01-05"),
        ("words", "Words name no instant", "yesterday"),
        ("empty", "An empty text names no instant", ""),
        ("month-13", "There is no thirteenth month", "2026-13-01T00:00:00Z"),
        ("hour-25", "There is no hour 25", "2026-01-05T25:00:00Z"),
        ("number", "Digits alone name no instant", "1767603600"),
        ("trailing", "Something behind the offset", "2026-01-05T09:00:00Z and a bit"),
    ):  # fmt: skip
        yield Case(name, shows, {"at": text}, CONTRACT, "3.2.x orders rows by the text of the timestamp")
