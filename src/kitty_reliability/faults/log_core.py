"""What every damage verb is made of: the lines of a log, the record of a damage, and the way back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, Final, NoReturn, ParamSpec, TypeAlias

from kitty_reliability.build.errors import BuildError
from kitty_reliability.build.event_log import EventLog
from kitty_reliability.formats.strict_json import parse

__all__ = ["VERBS", "Damage", "Lines", "Told", "refuse", "spelled", "verb"]

_Arguments = ParamSpec("_Arguments")
#: The number of the damaged line, and a sentence.
Told: TypeAlias = tuple[int | None, str]


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
        if not isinstance(line, int):
            refuse(f"a line has a number, not {line!r}")
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
        texts = {key: spelled(value) for key, value in row.items()} | dict(raw or {})
        members = b", ".join(spelled(key) + b": " + text for key, text in sorted(texts.items()))
        # What stands behind the row stays: a log with CRLF keeps it.
        self.lines[index] = b"{" + members + b"}" + before[len(before.rstrip()) :]

    def append(self, line: bytes) -> None:
        """Add a line of its own at the end, also when the last one is not ended."""
        self.lines.append(line)
        self.ended = True


#: Every verb by its name.
VERBS: Final[dict[str, Callable[..., Damage]]] = {}


def verb(
    change: Callable[Concatenate[Lines, _Arguments], Told],
) -> Callable[Concatenate[Path | EventLog, _Arguments], Damage]:
    """Make a damage verb of a function that changes ``Lines`` and tells the damaged line and a sentence.

    The verb takes the log as a path or an ``EventLog`` and returns a ``Damage``. It raises ``BuildError``, and
    leaves every byte, when the log cannot be read or written, keeps its rows in memory, or would not change.
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
            _write(log, after)
        except BuildError as error:
            raise BuildError(f"{name} of {path}: {error}") from None
        return Damage(name, line, sentence, path, before, after, log if isinstance(log, EventLog) else None)

    VERBS[name] = act
    return act


def refuse(reason: str) -> NoReturn:
    """Say that a verb cannot take effect."""
    raise BuildError(reason)


def spelled(value: Any) -> bytes:
    """Return a value as JSON, as writers spell it, or refuse."""
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
    try:
        if isinstance(log, EventLog):
            log.rewrite(data)
        else:
            log.write_bytes(data)
    except OSError as error:
        refuse(f"it cannot be written ({error.strerror})")
