"""What a row of each kind must have under ``contract-320`` (clauses LOG-006, LOG-008, LOG-009, SEC-002).

Written by hand rather than as validation models: a log is read thousands of times a day, and this is the loop
that every line goes through. The order of the checks is the order of the diagnostics.
"""

from __future__ import annotations

import re
from typing import Any, Final

from .diagnostics import DiagnosticError, diagnostic
from .identifiers import is_safe_segment, is_ulid
from .instants import instant
from .lanes import Lane
from .rows import AnnotationRow, LaneRow, ParsedAnnotationRow, ParsedLaneRow, Row, kind_of

__all__ = ["ACTOR_KEYS", "RUNTIME_TEXTS", "checked"]

#: A structured actor has exactly these keys, each a string or null.
ACTOR_KEYS: Final = frozenset({"role", "profile", "tool", "model"})

#: The runtime slots that an annotation replaces by a text.
RUNTIME_TEXTS: Final = (
    "shell_pid_created_at",
    "agent",
    "assignee",
    "role",
    "agent_profile",
    "agent_profile_version",
    "model",
    "provider",
)

_DIGITS: Final = re.compile(r"\s*[0-9]{1,18}\s*\Z")
_LANES: Final = frozenset(str(lane) for lane in Lane)
_OPTIONAL_TEXT: Final = ("reason", "review_ref", "mission_slug", "mission_id", "feature_slug", "reason_source")
_OVERRIDE_KEYS: Final = ("at", "actor", "wp_id", "reason")
_REVIEW_KEYS: Final = ("reviewer", "verdict", "reference")

# Ids repeat thousands of times in a log; each is looked at once. Bounded, since a hostile log may hold many.
_known_ids: set[str] = set()
_KNOWN_IDS_LIMIT: Final = 4096


def checked(data: dict[str, Any], line: int) -> Row:
    """Return the row of ``data``, its shape checked.

    Raises:
        DiagnosticError: unknown kind, missing field, wrong type, with the line number.
    """
    kind = data.get("kind")
    if kind is not None:
        if kind == "annotation":
            return _annotation(data, line)
        raise diagnostic("ROW_UNKNOWN_KIND", line=line, kind=kind)
    other = kind_of(data)
    if other is None:
        return _lane(data, line)
    if "to_lane" in data and "from_lane" in data:
        raise diagnostic("ROW_AMBIGUOUS_KIND", line=line, other=other.kind)
    event_id = data.get("event_id")
    if event_id is not None and event_id.__class__ is not str:
        raise _invalid(line, "event_id", "is not a text")
    return other(data, line)


def _lane(data: dict[str, Any], line: int) -> LaneRow:
    try:
        event_id = data["event_id"]
        wp_id = data["wp_id"]
        from_lane = data["from_lane"]
        to_lane = data["to_lane"]
        at = data["at"]
        actor = data["actor"]
        force = data["force"]
        mode = data["execution_mode"]
    except KeyError as error:
        raise diagnostic("ROW_FIELD_MISSING", line=line, key=error.args[0]) from None
    if event_id.__class__ is not str or not event_id:
        raise _invalid(line, "event_id", "is not a text")
    _check_work_package(wp_id, line)
    if from_lane.__class__ is not str or from_lane not in _LANES:
        raise _invalid(line, "from_lane", f"names no lane: {from_lane!r:.80}")
    if to_lane.__class__ is not str or to_lane not in _LANES:
        raise _invalid(line, "to_lane", f"names no lane: {to_lane!r:.80}")
    if actor.__class__ is not str:
        _check_actor(actor, line)
    if force.__class__ is not bool:
        raise _invalid(line, "force", "is neither true nor false")
    if mode.__class__ is not str:
        raise _invalid(line, "execution_mode", "is not a text")
    get = data.get
    for key in _OPTIONAL_TEXT:
        value = get(key)
        if value is not None and value.__class__ is not str:
            raise _invalid(line, key, "is not a text")
    evidence = get("evidence")
    if evidence is not None:
        _check_evidence(evidence, line)
    result = get("review_result")
    if result is not None:
        _check_texts(result, _REVIEW_KEYS, "review_result", line)
    policy = get("policy_metadata")
    if policy is not None and policy.__class__ is not dict:
        raise _invalid(line, "policy_metadata", "is not an object")
    return ParsedLaneRow(data, line, _moment(at, line))


def _annotation(data: dict[str, Any], line: int) -> AnnotationRow:
    for key in ("event_id", "wp_id", "at", "actor", "delta"):
        if key not in data:
            raise diagnostic("ROW_FIELD_MISSING", line=line, key=key)
    event_id = data["event_id"]
    if event_id.__class__ is not str or not is_ulid(event_id, strict=False):
        raise _invalid(line, "event_id", "is not a ULID")
    _check_work_package(data["wp_id"], line)
    if data["actor"].__class__ is not str:
        _check_actor(data["actor"], line)
    delta = data["delta"]
    if delta.__class__ is not dict:
        raise _invalid(line, "delta", "is not an object")
    _check_delta(delta, line)
    return ParsedAnnotationRow(data, line, _moment(data["at"], line))


def _check_delta(delta: dict[str, Any], line: int) -> None:
    for key in (*RUNTIME_TEXTS, "note"):
        value = delta.get(key)
        if value is not None and value.__class__ is not str:
            raise _invalid(line, f"delta.{key}", "is not a text")
    pid = delta.get("shell_pid")
    if pid is not None and pid.__class__ is not int and not (pid.__class__ is str and _DIGITS.match(pid)):
        raise _invalid(line, "delta.shell_pid", "is not a process id")
    subtasks = delta.get("subtasks")
    if subtasks is not None:
        if subtasks.__class__ is not dict:
            raise _invalid(line, "delta.subtasks", "is not an object")
        for name, lane in subtasks.items():
            if lane.__class__ is not str or lane not in _LANES:
                raise _invalid(line, f"delta.subtasks.{name}", f"names no lane: {lane!r:.80}")
    for key in ("tracker_refs", "tracker_refs_replace"):
        refs = delta.get(key)
        if refs is not None and (refs.__class__ is not list or any(ref.__class__ is not str for ref in refs)):
            raise _invalid(line, f"delta.{key}", "is not a list of texts")
    review = delta.get("review")
    if review is not None:
        _check_texts(review, _OVERRIDE_KEYS, "delta.review", line)


def _check_work_package(wp_id: Any, line: int) -> None:
    if wp_id.__class__ is str:
        if wp_id in _known_ids:
            return
        if is_safe_segment(wp_id):
            if len(_known_ids) < _KNOWN_IDS_LIMIT:
                _known_ids.add(wp_id)
            return
    raise _invalid(line, "wp_id", "is not a work package id")


def _check_actor(actor: Any, line: int) -> None:
    if (
        actor.__class__ is dict
        and actor.keys() == ACTOR_KEYS
        and all(value is None or value.__class__ is str for value in actor.values())
    ):
        return
    raise _invalid(line, "actor", f"is neither a text nor an object of {', '.join(sorted(ACTOR_KEYS))}")


def _check_evidence(evidence: Any, line: int) -> None:
    if evidence.__class__ is not dict:
        raise _invalid(line, "evidence", "is not an object")
    if evidence:
        _check_texts(evidence.get("review"), _REVIEW_KEYS, "evidence.review", line)


def _check_texts(value: Any, keys: tuple[str, ...], name: str, line: int) -> None:
    if value.__class__ is not dict:
        raise _invalid(line, name, "is not an object")
    for key in keys:
        if key not in value:
            raise diagnostic("ROW_FIELD_MISSING", line=line, key=f"{name}.{key}")
        if value[key].__class__ is not str:
            raise _invalid(line, f"{name}.{key}", "is not a text")


def _moment(at: Any, line: int) -> int:
    if at.__class__ is str:
        try:
            return instant(at)
        except (ValueError, OverflowError):
            pass
    raise _invalid(line, "at", f"names no instant: {at!r:.80}")


def _invalid(line: int, key: str, problem: str) -> DiagnosticError:
    return diagnostic("ROW_FIELD_INVALID", line=line, key=key, problem=problem)
