"""Reading rows as released spec-kitty 3.2.x does (profile ``spec-kitty-3.2``; interop: section 2.2, 2.3).

Lines are split where Python's ``splitlines`` splits them, the last of two equal keys counts, and values of
the wrong type are coerced. Where the released reader dies of an undeclared exception, this one raises a
diagnostic: the class of the answer (a row, or no row) is the same.
"""

from __future__ import annotations

import json
from typing import Any, Final

from .diagnostics import diagnostic
from .identifiers import is_ulid
from .lanes import Lane
from .row_shapes import ACTOR_KEYS
from .rows import AnnotationRow, LaneRow, ParsedAnnotationRow, ParsedLaneRow, Row, kind_of

__all__ = ["read"]

_LANES: Final = frozenset(str(lane) for lane in Lane)


def read(data: bytes, *, first_line: int = 1) -> list[Row]:
    """Return the rows of ``data``; raise DiagnosticError for the first line that 3.2.x refuses."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = first_line + data.count(b"\n", 0, error.start)
        raise diagnostic("ROW_NOT_UTF8", line=line, problem=error.reason) from None
    rows: list[Row] = []
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for number, line_text in enumerate(text.splitlines(), first_line):
        stripped = line_text.strip()
        if stripped:
            rows.append(_row(stripped, number))
    return rows


def _row(text: str, line: int) -> Row:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise diagnostic("ROW_NOT_JSON", line=line, problem=str(error)[:200]) from None
    if not isinstance(data, dict):
        raise diagnostic("ROW_NOT_OBJECT", line=line)
    kind = data.get("kind")
    if kind is not None and kind != "annotation":
        raise diagnostic("ROW_UNKNOWN_KIND", line=line, kind=kind)
    try:
        if kind == "annotation":
            return _annotation(data, line)
        other = kind_of(data)
        if other is not None:
            return other(data, line)
        return _lane(data, line)
    except KeyError as error:
        raise diagnostic("ROW_FIELD_MISSING", line=line, key=str(error.args[0])) from None
    except (TypeError, AttributeError, ValueError, OverflowError) as error:
        raise diagnostic("ROW_FIELD_INVALID", line=line, key="row", problem=f"is refused: {error}") from None


def _lane(data: dict[str, Any], line: int) -> LaneRow:
    row = dict(data)
    row["event_id"] = data["event_id"]
    row["wp_id"] = _json_key(data["wp_id"])
    row["from_lane"] = _lane_name(data["from_lane"])
    row["to_lane"] = _lane_name(data["to_lane"])
    row["actor"] = _actor(data["actor"])
    row["force"] = bool(data["force"])
    _ = data["execution_mode"]
    row["mission_slug"] = data.get("mission_slug") or data.get("feature_slug") or ""
    row["evidence"] = _evidence(data.get("evidence"))
    row["review_result"] = _review_result(data.get("review_result"))
    policy = data.get("policy_metadata")
    if policy is not None and not isinstance(policy, dict) and row["to_lane"] == Lane.CLAIMED:
        raise TypeError("policy_metadata is not an object")
    return ParsedLaneRow(row, line, data["at"])


def _annotation(data: dict[str, Any], line: int) -> AnnotationRow:
    row = dict(data)
    row["wp_id"] = str(data["wp_id"])
    row["actor"] = _actor(data["actor"])
    event_id = data["event_id"]
    if not isinstance(event_id, str) or not is_ulid(event_id, strict=False):
        raise ValueError("event_id is not a ULID")
    delta = data["delta"]
    if not isinstance(delta, dict):
        raise TypeError("delta is not an object")
    row["delta"] = _delta(delta)
    return ParsedAnnotationRow(row, line, data["at"])


def _delta(delta: dict[str, Any]) -> dict[str, Any]:
    known = dict(delta)
    if delta.get("shell_pid") is not None:
        known["shell_pid"] = int(delta["shell_pid"])
    if delta.get("subtasks") is not None:
        known["subtasks"] = {str(name): _lane_name(lane) for name, lane in delta["subtasks"].items()}
    if delta.get("review") is not None:
        review = delta["review"]
        known["review"] = {key: str(review[key]) for key in ("at", "actor", "wp_id", "reason")}
    return known


def _json_key(value: Any) -> str:
    # The released reader keeps any hashable value as a key; JSON then spells it.
    if isinstance(value, list | dict):
        raise TypeError("wp_id is not hashable")
    return value if isinstance(value, str) else json.dumps(value)


def _lane_name(value: Any) -> str:
    if not isinstance(value, str) or value not in _LANES:
        raise ValueError(f"{value!r:.80} names no lane")
    return value


def _actor(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() != ACTOR_KEYS:
            raise ValueError("a structured actor has exactly four keys")
        if not all(part is None or isinstance(part, str) for part in value.values()):
            raise ValueError("the keys of a structured actor are texts or null")
        return value
    return value if isinstance(value, str) else str(value)


def _evidence(value: Any) -> Any:
    if not value:
        return None
    for key in ("reviewer", "verdict", "reference"):
        _ = value["review"][key]
    return value


def _review_result(value: Any) -> Any:
    if not value:
        return None
    result = {key: value[key] for key in ("reviewer", "verdict", "reference")}
    if value.get("feedback_path") is not None:
        result["feedback_path"] = value["feedback_path"]
    return result
