"""Damage to an event log, verb by verb: ``torn_tail(log)``, ``conflicting_duplicate(log, actor="other")``.

Every verb takes the log as a path or an ``EventLog``, writes the damage, and returns a ``Damage``: what it did,
in which line, and ``undo()``. A verb that cannot take effect raises ``BuildError`` and leaves every byte. Lines
count from 1, or from -1 at the end. The same arguments give the same bytes.

Half a row *behind* whole ones needs no verb: ``EventLog.raw(b'{"half')``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

from kitty_reliability.build.event_log import EventLog

from .log_core import VERBS, Damage, Lines, Told, refuse, verb
from .log_rows import (
    conflicting_duplicate,
    corrupt_line,
    deep_nesting,
    invalid_utf8,
    many_digits,
    nul_in_string,
    oversized_line,
    raw_separator,
    raw_value,
    repeated_key,
    skewed_clock,
    unknown_kind,
    wrong_shape,
)
from .log_sides import Diverged, diverged, foreign_mission, foreign_row, merged

__all__ = [
    "VERBS", "Damage", "Damaged", "damage",
    # the file
    "torn_tail", "truncated_at", "missing_newline", "byte_order_mark", "crlf", "nul_padding",
    # its lines
    "duplicated_row", "lost_row", "reordered", "glued_rows", "stray_line", "conflict_markers", "foreign_row",
    "foreign_mission",
    # one row
    "conflicting_duplicate", "skewed_clock", "unknown_kind", "wrong_shape", "repeated_key", "deep_nesting",
    "many_digits", "oversized_line", "raw_separator", "invalid_utf8", "nul_in_string", "raw_value", "corrupt_line",
    # two sides
    "Diverged", "diverged", "merged",
]  # fmt: skip

_BOM: Final = b"\xef\xbb\xbf"


# --- the file


@verb
def torn_tail(log: Lines, /, *, at: int | None = None) -> Told:
    """Keep ``at`` bytes of the last line, half of it when left out, and no newline (RL-11, LOG-007, STA-009)."""
    index = log.index(-1)
    text = log.lines[index].rstrip()
    kept = len(text) // 2 if at is None else at
    if len(text) < 2:
        refuse(f"the last line has {len(text)} bytes, too few to be torn")
    if not 0 < kept < len(text):
        refuse(f"the last line has {len(text)} bytes; between 1 and {len(text) - 1} of them make it torn, not {kept}")
    log.lines[index], log.ended = text[:kept], False
    return index + 1, f"line {index + 1} is torn after {kept} of {len(text)} bytes"


@verb
def truncated_at(log: Lines, /, byte: int) -> Told:
    """Keep the first ``byte`` bytes of the file; the cut may fall on a line's end and leave no trace."""
    data = log.data
    if not 0 <= byte < len(data):
        refuse(f"the log has {len(data)} bytes; it can be cut after 0 to {len(data) - 1}, not after {byte}")
    log.data = data[:byte]
    return (None if log.ended else len(log.lines)), f"the file ends after {byte} of {len(data)} bytes"


@verb
def missing_newline(log: Lines, /) -> Told:
    """Take the newline from the last line, which stays a whole row (TD-06, STA-009)."""
    index = log.index(-1)
    log.ended = False
    return index + 1, f"line {index + 1} has no newline"


@verb
def byte_order_mark(log: Lines, /) -> Told:
    """Put a byte-order mark before the first line (LOG-008)."""
    if log.data.startswith(_BOM):
        refuse("it begins with a byte-order mark already")
    log.data = _BOM + log.data
    return 1, "line 1 begins with a byte-order mark"


@verb
def crlf(log: Lines, /) -> Told:
    """End every line with CRLF (LOG-008)."""
    log.data = log.data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return None, "lines end with CRLF"


@verb
def nul_padding(log: Lines, /, *, count: int = 64) -> Told:
    """Add ``count`` NUL bytes at the end, as a power cut leaves them (LOG-008)."""
    log.data += b"\0" * count
    return len(log.lines), f"{count} NUL bytes stand in line {len(log.lines)}, at the end"


# --- its lines


@verb
def duplicated_row(log: Lines, /, line: int = -1) -> Told:
    """Add a line once more at the end, byte for byte (LOG-002)."""
    index = log.index(line)
    log.append(log.lines[index])
    return len(log.lines), f"line {len(log.lines)} is line {index + 1} once more"


@verb
def lost_row(log: Lines, /, line: int = -1) -> Told:
    """Take a line away, its newline with it."""
    index = log.index(line)
    del log.lines[index]
    log.ended = log.ended or index == len(log.lines)
    return None, f"what was line {index + 1} is gone"


@verb
def reordered(log: Lines, /, seed: int = 0, *, order: Sequence[int] | Literal["reversed"] | None = None) -> Told:
    """Put the lines into another order: drawn from ``seed``, reversed, or that of the line numbers (LOG-001)."""
    count = len(log.lines)
    chosen: list[Any]
    if order == "reversed":
        chosen = list(range(count, 0, -1))
    elif order is not None:
        chosen = list(order) if isinstance(order, Sequence) else [order]
    else:
        chosen = list(range(1, count + 1))
        # A digest, not the random module, whose shuffle is free to change; drawn again until the order is another.
        for attempt in range(64 if len(set(log.lines)) > 1 else 0):
            chosen.sort(key=lambda number: sha256(f"{seed}:{attempt}:{number}".encode()).digest())
            if [log.lines[number - 1] for number in chosen] != log.lines:
                break
    if len(chosen) != count or set(chosen) != set(range(1, count + 1)):
        refuse(f"an order of {count} lines names each number from 1 to {count} once, not {chosen!s:.80}")
    log.lines = [log.lines[number - 1] for number in chosen]
    return None, f"the {count} lines are in another order, {chosen!s:.80}"


@verb
def glued_rows(log: Lines, /, line: int = -1) -> Told:
    """Take the newline between ``line`` and the one before it, as an append to an unended line does (STA-009)."""
    index = log.index(line)
    if index == 0:
        refuse("line 1 has no line before it to be glued to")
    if not (log.lines[index - 1].strip() and log.lines[index].strip()):
        refuse(f"line {index} or line {index + 1} is blank, so no rows would be glued")
    log.lines[index - 1 : index + 1] = [b"".join(log.lines[index - 1 : index + 1])]
    return index, f"what was line {index + 1} is glued to line {index}"


@verb
def stray_line(log: Lines, /, line: int | None = None, *, data: bytes = b'{"event_id": "01J", oops}') -> Told:
    """Put ``data``, without a newline of its own, in so that it is ``line``, the last when left out (LOG-007)."""
    if b"\n" in data:
        refuse("one line holds no newline")
    count = len(log.lines) + 1
    number = count if line is None else line if line > 0 else count + 1 + line
    if not 1 <= number <= count:
        refuse(f"there is no line {line} to be; a new one can be line 1 to {count}, or -{count} to -1 from the end")
    if number == count:
        log.append(data)
    else:
        log.lines.insert(number - 1, data)
    return number, f"line {number} is {data[:60]!r}"


@verb
def conflict_markers(
    log: Lines,
    /,
    first: int = -2,
    last: int = -1,
    *,
    split: int | None = None,
    names: tuple[str, str] = ("HEAD", "theirs"),
) -> Told:
    """Put git's conflict markers around the lines ``first`` to ``last`` (RL-12); every row stays.

    Arguments:
        split: the first line of the other side; ``last`` when left out. ``first`` leaves our side empty.
        names: what git calls the two sides.
    """
    start, end = log.index(first), log.index(last)
    middle = end if split is None else log.index(split)
    if not start <= middle <= end:
        refuse(f"lines {start + 1} to {end + 1} cannot be split at line {middle + 1}")
    if not all(name.isprintable() for name in names):
        refuse(f"a side has a name of one line, not {names!r}")
    ours, theirs = log.lines[start:middle], log.lines[middle : end + 1]
    marked = [b"<<<<<<< " + names[0].encode(), *ours, b"=======", *theirs, b">>>>>>> " + names[1].encode()]
    log.lines[start : end + 1] = marked
    log.ended = True
    return start + 1, f"a conflict of {len(ours)} and {len(theirs)} rows begins in line {start + 1}"


# --- one after the other


class Damaged:
    """The verbs as methods that can be chained: ``damage(log).torn_tail().crlf()``; ``undo()`` takes all back."""

    def __init__(self, log: Path | EventLog) -> None:
        self.log = log
        #: What was done, in order.
        self.damages: list[Damage] = []

    def __getattr__(self, name: str) -> Callable[..., Damaged]:
        if name not in VERBS:
            raise AttributeError(f"no damage is called {name!r}; known: {', '.join(sorted(VERBS))}")

        def act(*arguments: Any, **keys: Any) -> Damaged:
            self.damages.append(VERBS[name](self.log, *arguments, **keys))
            return self

        return act

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *VERBS})

    def undo(self) -> None:
        """Take back what was done, the latest first."""
        while self.damages:
            self.damages[-1].undo()
            self.damages.pop()


def damage(log: Path | EventLog) -> Damaged:
    """Return the verbs as methods of one log."""
    return Damaged(log)
