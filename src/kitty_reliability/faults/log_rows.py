"""Damage to single rows of an event log (the other verbs: ``faults.log``).

A row that a verb changes is spelled anew as writers spell it (``encode_row``); every other line keeps its bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from kitty_reliability.formats.instants import instant

from .log_core import VERBS, Damage, Lines, Told, refuse, spelled, verb

__all__ = ["VERBS", "Damage", "Lines", "refuse", "verb"]

_MISSING: Final = object()


# --- a row that is JSON, and says something else


@verb
def conflicting_duplicate(log: Lines, /, line: int = -1, **keys: Any) -> Told:
    """Add a second row with the event id of ``line`` that differs in ``keys`` (LOG-003).

    Without ``keys`` a lane transition differs in where it goes to.
    """
    index, row = log.row(line)
    if not isinstance(row.get("event_id"), str) or "event_id" in keys:
        refuse(f"two rows conflict by having one event id, and line {index + 1} gives none to share")
    if not keys:
        if "to_lane" not in row:
            refuse(f"line {index + 1} is no lane transition; say what differs, such as actor='other'")
        keys = {"to_lane": "blocked" if row["to_lane"] == "canceled" else "canceled"}
    if all(key in row and spelled(row[key]) == spelled(value) for key, value in keys.items()):
        refuse(f"line {index + 1} says {', '.join(keys)} like that already, so the two rows would agree")
    log.append(b"")
    log.spell(len(log.lines) - 1, {**row, **keys})
    return len(log.lines), f"line {len(log.lines)} has the event id of line {index + 1} and another {', '.join(keys)}"


@verb
def skewed_clock(
    log: Lines, /, line: int = -1, *, by: timedelta = timedelta(hours=1), work_package: str | None = None
) -> Told:
    """Move the time of ``line``, or of every row of ``work_package``, by ``by``; the spelling stays (TD-05)."""
    if not by:
        refuse("a clock that is moved by nothing is right")
    if work_package is None:
        chosen = [log.row(line)]
    else:
        chosen = [(index, row) for index, row in log.rows() if row.get("wp_id") == work_package]
        if not chosen:
            refuse(f"no row is about {work_package}")
    for index, row in chosen:
        key = "at" if "at" in row else "timestamp"
        log.spell(index, {**row, key: _moved(row.get(key), by, index + 1)})
    first, way = chosen[0][0] + 1, "ahead" if by > timedelta(0) else "behind"
    return first, f"the clock of {len(chosen)} rows, the first in line {first}, is {abs(by)} {way}"


@verb
def unknown_kind(log: Lines, /, line: int = -1, *, kind: str = "verdict") -> Told:
    """Give a row a ``kind`` that nobody knows (LOG-006)."""
    index, row = log.row(line)
    if kind == "annotation":
        refuse("annotation is the one kind that everybody knows")
    log.spell(index, {**row, "kind": kind})
    return index + 1, f"line {index + 1} is of kind {kind!r}"


@verb
def wrong_shape(log: Lines, /, line: int = -1, *, value: Any = _MISSING, drop: Iterable[str] = (), **keys: Any) -> Told:
    """Make a row well-formed JSON of the wrong shape (LOG-009).

    Arguments:
        value: what stands there instead of the row: ``[1, 2]``, ``"claimed"``, ``None``, ``{}`` ...
        drop: keys to leave out; keys: values to set, such as ``force="false"``, ``event_id=["x"]``.
    """
    index, row = log.row(line)
    dropped = tuple(drop)
    if value is not _MISSING:
        if dropped or keys:
            refuse("give either a value for the whole line, or keys to set and to drop")
        log.lines[index] = spelled(value)
        return index + 1, f"line {index + 1} is {spelled(value)[:60].decode()}"
    log.spell(index, {key: item for key, item in {**row, **keys}.items() if key not in dropped})
    parts = [f"{key} = {spelled(item)[:60].decode()}" for key, item in keys.items()] + [f"no {key}" for key in dropped]
    return index + 1, f"line {index + 1} has {', '.join(parts) or 'the usual spelling'}"


# --- a row that is JSON at its limits


@verb
def repeated_key(
    log: Lines,
    /,
    line: int = -1,
    *,
    key: str = "to_lane",
    value: Any = "done",
    place: Literal["before", "after"] = "after",
) -> Told:
    """Write ``key`` a second time, with ``value``, before or after the one that is there (LOG-009, SI-11)."""
    index, row = log.row(line)
    if key not in row:
        refuse(f"line {index + 1} has no {key!r} to repeat")
    if place not in ("before", "after"):
        refuse(f"a place is before or after, not {place!r}")
    pair = [spelled(row[key]), spelled(value)]
    if place == "before":
        pair.reverse()
    log.spell(index, row, {key: (b", " + spelled(key) + b": ").join(pair)})
    return index + 1, f"line {index + 1} has {key!r} twice"


@verb
def deep_nesting(log: Lines, /, line: int = -1, *, levels: int = 200_000, key: str = "policy_metadata") -> Told:
    """Set ``key`` to ``levels`` objects, one inside the other (LOG-009, SI-10)."""
    index, row = log.row(line)
    if levels < 1:
        refuse(f"{levels} levels are none")
    log.spell(index, row, {key: b'{"a": ' * (levels - 1) + b"{}" + b"}" * (levels - 1)})
    return index + 1, f"{key!r} of line {index + 1} is nested {levels} levels deep"


@verb
def many_digits(log: Lines, /, line: int = -1, *, digits: int = 5000, key: str = "policy_metadata") -> Told:
    """Set ``key`` to an object that holds an integer of ``digits`` digits (LOG-009, SI-10)."""
    index, row = log.row(line)
    if digits < 1:
        refuse(f"{digits} digits are none")
    log.spell(index, row, {key: b'{"a": ' + b"9" * digits + b"}"})
    return index + 1, f"{key!r} of line {index + 1} holds {digits} digits"


@verb
def oversized_line(log: Lines, /, line: int = -1, *, size: int = 20_000_000, key: str = "reason") -> Told:
    """Lengthen the text of ``key`` until the line has ``size`` bytes (LOG-009, SI-10)."""
    index, row = log.row(line)
    text = row[key] if isinstance(row.get(key), str) else ""
    log.spell(index, {**row, key: text})
    missing = size - len(log.lines[index])
    if missing < 1:
        refuse(f"line {index + 1} has {len(log.lines[index])} bytes already")
    log.spell(index, {**row, key: text + "x" * missing})
    return index + 1, f"line {index + 1} has {size} bytes"


@verb
def raw_separator(log: Lines, /, separator: str = "\u2028", line: int = -1, *, key: str = "reason") -> Told:
    """Put a character that some readers split lines at into the text of ``key``, unescaped: legal (LOG-008).

    U+2028, U+2029 and U+0085 are such characters. For bytes that JSON forbids there is ``raw_value``.
    """
    if not separator or min(separator) <= "\x7f" or any("\ud800" <= char <= "\udfff" for char in separator):
        refuse(f"{separator!r} is no character beyond ASCII that a JSON string may hold")
    index = _break_text(log, line, key, separator.encode())
    return index + 1, f"{key!r} of line {index + 1} holds a raw {separator.encode('unicode_escape').decode()}"


# --- a row that is not JSON any more


@verb
def invalid_utf8(log: Lines, /, line: int = -1, *, key: str = "reason", data: bytes = b"\xff") -> Told:
    """Put bytes that are not UTF-8 into the text of ``key``; ``b"\\xe2\\x80"`` is a character cut short (LOG-008)."""
    if b"\n" in data:
        refuse("one line holds no newline")
    try:
        data.decode()
    except UnicodeDecodeError:
        index = _break_text(log, line, key, data)
    else:
        refuse(f"{data!r} is valid UTF-8")
    return index + 1, f"{key!r} of line {index + 1} holds {data!r}"


@verb
def nul_in_string(log: Lines, /, line: int = -1, *, key: str = "reason") -> Told:
    """Put a raw NUL into the text of ``key`` (LOG-008)."""
    index = _break_text(log, line, key, b"\0")
    return index + 1, f"{key!r} of line {index + 1} holds a raw NUL"


@verb
def raw_value(log: Lines, /, line: int = -1, *, key: str, data: bytes) -> Told:
    """Set ``key`` to any bytes, as they are: the way out when no other verb says it."""
    index, row = log.row(line)
    log.spell(index, row, {key: data})
    return index + 1, f"{key!r} of line {index + 1} is {data[:60]!r}"


@verb
def corrupt_line(log: Lines, /, line: int = -1) -> Told:
    """Make a row something that is not JSON; nothing of its text is lost (LOG-007)."""
    index, _ = log.row(line)
    start, _, rest = log.lines[index].rpartition(b"}")
    log.lines[index] = start + b", oops}" + rest
    return index + 1, f"line {index + 1} is not JSON"


# --- inside


def _break_text(log: Lines, line: int, key: str, data: bytes) -> int:
    index, row = log.row(line)
    text = row[key] if isinstance(row.get(key), str) and row[key] else "broken"
    half = (len(text) + 1) // 2
    log.spell(index, row, {key: spelled(text[:half])[:-1] + data + spelled(text[half:])[1:]})
    return index


def _moved(text: Any, by: timedelta, line: int) -> str:
    try:
        instant(text)
        moment = datetime.fromisoformat(text) + by
    except (TypeError, ValueError, OverflowError):
        refuse(f"line {line} has no time that can be moved by {by}: {text!r}")
    zone = "Z" if text.endswith(("Z", "z")) else moment.isoformat()[len(moment.replace(tzinfo=None).isoformat()) :]
    # As many digits as there were, unless the move needs more; what a datetime cannot hold stays.
    digits = "".join(re.findall(r"[.,](\d+)", text))
    fraction = f"{moment.microsecond:06}{digits[6:]}"
    fraction = fraction[: max(len(digits), len(fraction.rstrip("0")))]
    return moment.replace(tzinfo=None, microsecond=0).isoformat() + f".{fraction}" * bool(fraction) + zone
