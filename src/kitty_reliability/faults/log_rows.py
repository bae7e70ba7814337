"""Damage to single rows of an event log, and what every damage verb is made of (the others: ``faults.log``).

A row that a verb changes is spelled anew as writers spell it (``encode_row``); every other line keeps its bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, Final, Literal, NoReturn, ParamSpec

from kitty_reliability.build.errors import BuildError
from kitty_reliability.build.event_log import EventLog
from kitty_reliability.formats.instants import instant
from kitty_reliability.formats.strict_json import parse

__all__ = ["VERBS", "Damage", "Lines", "refuse", "verb"]

_Arguments = ParamSpec("_Arguments")
_Told = tuple[int | None, str]
_MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class Damage:
    """What a verb did.

    Arguments:
        verb: its name.
        line: the first line that is damaged, numbered as after the damage; None when no line stands out.
        sentence: what happened, for people.
        path: the log.
        bytes_before, bytes_after: the whole file.
        log: the ``EventLog`` that the verb was given, None when it was a path.
    """

    verb: str
    line: int | None
    sentence: str
    path: Path
    bytes_before: bytes = field(repr=False)
    bytes_after: bytes = field(repr=False)
    log: EventLog | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.verb}: {self.sentence}"

    def undo(self) -> None:
        """Put the bytes back.

        Raises:
            BuildError: the log is not what this damage left, so that undoing it would lose what came later.
        """
        try:
            now = self.path.read_bytes()
        except OSError:
            now = None
        if now != self.bytes_after:
            raise BuildError(f"{self.path} is not what {self.verb} left; undo what came later first")
        _write(self.log or self.path, self.bytes_before)


class Lines:
    """The bytes of a log while a verb works on them: ``lines``, and whether the last one is ``ended``."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @property
    def data(self) -> bytes:
        """The bytes that the lines make."""
        return b"\n".join(self.lines) + b"\n" * (self.ended and bool(self.lines))

    @data.setter
    def data(self, data: bytes) -> None:
        # Only a newline ends a line; splitlines() knows a dozen others.
        self.lines = data.split(b"\n")
        self.ended = not self.lines[-1]
        if self.ended:
            self.lines.pop()

    def index(self, line: int) -> int:
        """Return the index of a line, which counts from 1 at the top or from -1 at the end."""
        count = len(self.lines)
        if not count:
            refuse("the log is empty; write a row first")
        if not (1 <= line <= count or -count <= line <= -1):
            refuse(f"there is no line {line}; the log has lines 1 to {count}, or -{count} to -1 from the end")
        return line - 1 if line > 0 else count + line

    def row(self, line: int) -> tuple[int, dict[str, Any]]:
        """Return the index of a line and the object on it."""
        index = self.index(line)
        try:
            value = parse(self.lines[index])
        except ValueError as error:
            refuse(f"line {index + 1} is no row any more ({error}); choose another line or another order")
        if not isinstance(value, dict):
            refuse(f"line {index + 1} is no row any more; choose another line or another order")
        return index, value

    def rows(self) -> list[tuple[int, dict[str, Any]]]:
        """Return the index and the object of every line that is a row."""
        found = []
        for index, text in enumerate(self.lines):
            try:
                value = parse(text)
            except ValueError:
                continue
            if isinstance(value, dict):
                found.append((index, value))
        return found

    def spell(self, index: int, row: Mapping[str, Any], raw: Mapping[str, bytes] | None = None) -> None:
        """Set a line to ``row``, spelled as ``encode_row`` does; the values in ``raw`` are bytes as they are."""
        before = self.lines[index]
        texts = {key: _json(value) for key, value in row.items()} | dict(raw or {})
        spelled = b", ".join(_json(key) + b": " + text for key, text in sorted(texts.items()))
        # What stands behind the row stays: a log with CRLF keeps it.
        self.lines[index] = b"{" + spelled + b"}" + before[len(before.rstrip()) :]

    def append(self, line: bytes) -> None:
        """Add a line of its own at the end, also when the last one is not ended."""
        self.lines.append(line)
        self.ended = True


#: Every verb by its name.
VERBS: Final[dict[str, Callable[..., Damage]]] = {}


def verb(
    change: Callable[Concatenate[Lines, _Arguments], _Told],
) -> Callable[Concatenate[Path | EventLog, _Arguments], Damage]:
    """Make a damage verb of a function that changes ``Lines`` and tells the damaged line and a sentence.

    The verb takes the log as a path or an ``EventLog`` and returns a ``Damage``. It raises ``BuildError``, and
    leaves every byte, when the log cannot be read, keeps its rows in memory, or would not change.
    """
    name = change.__name__

    @wraps(change)
    def act(log: Path | EventLog, /, *arguments: _Arguments.args, **keys: _Arguments.kwargs) -> Damage:
        path = log.path if isinstance(log, EventLog) else log
        try:
            if isinstance(log, EventLog) and log.deferred:
                refuse("the log keeps its rows in memory; flush() it first")
            before = _read(path)
            lines = Lines(before)
            line, sentence = change(lines, *arguments, **keys)
            after = lines.data
            if after == before:
                refuse("the log would be as it is, so nothing would be damaged")
        except BuildError as error:
            raise BuildError(f"{name} of {path}: {error}") from None
        _write(log, after)
        return Damage(name, line, sentence, path, before, after, log if isinstance(log, EventLog) else None)

    VERBS[name] = act
    return act


def refuse(reason: str) -> NoReturn:
    """Say that a verb cannot take effect."""
    raise BuildError(reason)


# --- a row that is JSON, and says something else


@verb
def conflicting_duplicate(log: Lines, /, line: int = -1, **keys: Any) -> _Told:
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
    if all(row.get(key, _MISSING) == value for key, value in keys.items()):
        refuse(f"line {index + 1} says {', '.join(keys)} like that already, so the two rows would agree")
    log.append(b"")
    log.spell(len(log.lines) - 1, {**row, **keys})
    return len(log.lines), f"line {len(log.lines)} has the event id of line {index + 1} and another {', '.join(keys)}"


@verb
def skewed_clock(
    log: Lines, /, line: int = -1, *, by: timedelta = timedelta(hours=1), work_package: str | None = None
) -> _Told:
    """Move the time of ``line``, or of every row of ``work_package``, by ``by``; the spelling stays (TD-05)."""
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
def unknown_kind(log: Lines, /, line: int = -1, *, kind: str = "verdict") -> _Told:
    """Give a row a ``kind`` that nobody knows (LOG-006)."""
    index, row = log.row(line)
    log.spell(index, {**row, "kind": kind})
    return index + 1, f"line {index + 1} is of kind {kind!r}"


@verb
def wrong_shape(
    log: Lines, /, line: int = -1, *, value: Any = _MISSING, drop: Iterable[str] = (), **keys: Any
) -> _Told:
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
        log.lines[index] = _json(value)
        return index + 1, f"line {index + 1} is {_json(value)[:60].decode()}"
    log.spell(index, {key: item for key, item in {**row, **keys}.items() if key not in dropped})
    parts = [f"{key} = {_json(item)[:60].decode()}" for key, item in keys.items()] + [f"no {key}" for key in dropped]
    return index + 1, f"line {index + 1} has {', '.join(parts) or 'the usual spelling'}"


# --- a row that is JSON at its limits


@verb
def repeated_key(
    log: Lines,
    line: int = -1,
    *,
    key: str = "to_lane",
    value: Any = "done",
    place: Literal["before", "after"] = "after",
) -> _Told:
    """Write ``key`` a second time, with ``value``, before or after the one that is there (LOG-009, SI-11)."""
    index, row = log.row(line)
    if key not in row:
        refuse(f"line {index + 1} has no {key!r} to repeat")
    pair = [_json(row[key]), _json(value)]
    if place == "before":
        pair.reverse()
    log.spell(index, row, {key: (b", " + _json(key) + b": ").join(pair)})
    return index + 1, f"line {index + 1} has {key!r} twice"


@verb
def deep_nesting(log: Lines, /, line: int = -1, *, levels: int = 200_000, key: str = "policy_metadata") -> _Told:
    """Set ``key`` to ``levels`` objects, one inside the other (LOG-009, SI-10)."""
    index, row = log.row(line)
    if levels < 1:
        refuse(f"{levels} levels are none")
    log.spell(index, row, {key: b'{"a": ' * (levels - 1) + b"{}" + b"}" * (levels - 1)})
    return index + 1, f"{key!r} of line {index + 1} is nested {levels} levels deep"


@verb
def many_digits(log: Lines, /, line: int = -1, *, digits: int = 5000, key: str = "policy_metadata") -> _Told:
    """Set ``key`` to an object that holds an integer of ``digits`` digits (LOG-009, SI-10)."""
    index, row = log.row(line)
    if digits < 1:
        refuse(f"{digits} digits are none")
    log.spell(index, row, {key: b'{"a": ' + b"9" * digits + b"}"})
    return index + 1, f"{key!r} of line {index + 1} holds {digits} digits"


@verb
def oversized_line(log: Lines, /, line: int = -1, *, size: int = 20_000_000, key: str = "reason") -> _Told:
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
def raw_separator(log: Lines, /, separator: str = "\u2028", line: int = -1, *, key: str = "reason") -> _Told:
    """Put a character that some readers split lines at into the text of ``key``, unescaped: legal (LOG-008).

    U+2028, U+2029 and U+0085 are such characters. For bytes that JSON forbids there is ``raw_value``.
    """
    if not separator or min(separator) <= "\x7f" or any("\ud800" <= char <= "\udfff" for char in separator):
        refuse(f"{separator!r} is no character beyond ASCII that a JSON string may hold")
    index = _break_text(log, line, key, separator.encode())
    return index + 1, f"{key!r} of line {index + 1} holds a raw {separator.encode('unicode_escape').decode()}"


# --- a row that is not JSON any more


@verb
def invalid_utf8(log: Lines, /, line: int = -1, *, key: str = "reason", data: bytes = b"\xff") -> _Told:
    """Put bytes that are not UTF-8 into the text of ``key``; ``b"\\xe2\\x80"`` is a character cut short (LOG-008)."""
    try:
        data.decode()
    except UnicodeDecodeError:
        index = _break_text(log, line, key, data)
    else:
        refuse(f"{data!r} is valid UTF-8")
    return index + 1, f"{key!r} of line {index + 1} holds {data!r}"


@verb
def nul_in_string(log: Lines, /, line: int = -1, *, key: str = "reason") -> _Told:
    """Put a raw NUL into the text of ``key`` (LOG-008)."""
    index = _break_text(log, line, key, b"\0")
    return index + 1, f"{key!r} of line {index + 1} holds a raw NUL"


@verb
def raw_value(log: Lines, /, line: int = -1, *, key: str, data: bytes) -> _Told:
    """Set ``key`` to any bytes, as they are: the way out when no other verb says it."""
    index, row = log.row(line)
    log.spell(index, row, {key: data})
    return index + 1, f"{key!r} of line {index + 1} is {data[:60]!r}"


@verb
def corrupt_line(log: Lines, /, line: int = -1) -> _Told:
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
    log.spell(index, row, {key: _json(text[:half])[:-1] + data + _json(text[half:])[1:]})
    return index


def _moved(text: Any, by: timedelta, line: int) -> str:
    try:
        instant(text)
        moment = datetime.fromisoformat(text) + by
    except (TypeError, ValueError, OverflowError):
        refuse(f"line {line} has no time that can be moved by {by}: {text!r}")
    return moment.replace(tzinfo=None).isoformat() + "Z" if text.endswith(("Z", "z")) else moment.isoformat()


def _json(value: Any) -> bytes:
    try:
        return json.dumps(value, sort_keys=True, allow_nan=False).encode("ascii")
    except (TypeError, ValueError) as error:
        refuse(f"{value!r:.80} is no JSON value: {error}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        refuse(f"it cannot be read ({error.strerror}); write the log first")


def _write(log: Path | EventLog, data: bytes) -> None:
    if isinstance(log, EventLog):
        log.rewrite(data)
    else:
        log.write_bytes(data)
