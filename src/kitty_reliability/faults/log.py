"""Damage to an event log, verb by verb: ``torn_tail(log)``, ``conflicting_duplicate(log, actor="other")``.

Every verb takes the log as a path or an ``EventLog``, writes the damage, and returns a ``Damage``: what it did,
in which line, and ``undo()``. A verb that cannot take effect raises ``BuildError`` and leaves every byte. Lines
count from 1, or from -1 at the end. The same arguments give the same bytes.

Half a row *behind* whole ones needs no verb: ``EventLog.raw(b'{"half')``.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

from kitty_reliability.build.clock import DEFAULT_START, Clock
from kitty_reliability.build.errors import BuildError
from kitty_reliability.build.event_log import EventLog
from kitty_reliability.build.identifiers import Identifiers
from kitty_reliability.formats.identifiers import mid8
from kitty_reliability.formats.instants import instant

from .log_rows import (
    VERBS,
    Damage,
    Lines,
    conflicting_duplicate,
    corrupt_line,
    deep_nesting,
    invalid_utf8,
    many_digits,
    nul_in_string,
    oversized_line,
    raw_separator,
    raw_value,
    refuse,
    repeated_key,
    skewed_clock,
    unknown_kind,
    verb,
    wrong_shape,
)

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

_Told = tuple[int | None, str]
_BOM: Final = b"\xef\xbb\xbf"
_ELSEWHERE: Final = Identifiers("elsewhere").ulid(DEFAULT_START)


# --- the file


@verb
def torn_tail(log: Lines, /, *, at: int | None = None) -> _Told:
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
def truncated_at(log: Lines, /, byte: int) -> _Told:
    """Keep the first ``byte`` bytes of the file; the cut may fall on a line's end and leave no trace."""
    data = log.data
    if not 0 <= byte < len(data):
        refuse(f"the log has {len(data)} bytes; it can be cut after 0 to {len(data) - 1}, not after {byte}")
    log.data = data[:byte]
    return (None if log.ended else len(log.lines)), f"the file ends after {byte} of {len(data)} bytes"


@verb
def missing_newline(log: Lines, /) -> _Told:
    """Take the newline from the last line, which stays a whole row (TD-06, STA-009)."""
    index = log.index(-1)
    log.ended = False
    return index + 1, f"line {index + 1} has no newline"


@verb
def byte_order_mark(log: Lines, /) -> _Told:
    """Put a byte-order mark before the first line (LOG-008)."""
    if log.data.startswith(_BOM):
        refuse("it begins with a byte-order mark already")
    log.data = _BOM + log.data
    return 1, "line 1 begins with a byte-order mark"


@verb
def crlf(log: Lines, /) -> _Told:
    """End every line with CRLF (LOG-008)."""
    log.data = log.data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return None, "lines end with CRLF"


@verb
def nul_padding(log: Lines, /, *, count: int = 64) -> _Told:
    """Add ``count`` NUL bytes at the end, as a power cut leaves them (LOG-008)."""
    log.data += b"\0" * count
    return len(log.lines), f"{count} NUL bytes stand in line {len(log.lines)}, at the end"


# --- its lines


@verb
def duplicated_row(log: Lines, /, line: int = -1) -> _Told:
    """Add a line once more at the end, byte for byte (LOG-002)."""
    index = log.index(line)
    log.append(log.lines[index])
    return len(log.lines), f"line {len(log.lines)} is line {index + 1} once more"


@verb
def lost_row(log: Lines, /, line: int = -1) -> _Told:
    """Take a line away, its newline with it."""
    index = log.index(line)
    del log.lines[index]
    log.ended = log.ended or index == len(log.lines)
    return None, f"what was line {index + 1} is gone"


@verb
def reordered(log: Lines, /, seed: int = 0, *, order: Sequence[int] | Literal["reversed"] | None = None) -> _Told:
    """Put the lines into another order: drawn from ``seed``, reversed, or that of the line numbers (LOG-001)."""
    count = len(log.lines)
    if order == "reversed":
        chosen = list(range(count, 0, -1))
    elif order is not None:
        chosen = [int(number) for number in order]
    else:
        chosen = list(range(1, count + 1))
        # A digest, not the random module, whose shuffle is free to change; drawn again until the order is another.
        for attempt in range(64 if len(set(log.lines)) > 1 else 0):
            chosen.sort(key=lambda number: sha256(f"{seed}:{attempt}:{number}".encode()).digest())
            if [log.lines[number - 1] for number in chosen] != log.lines:
                break
    if sorted(chosen) != list(range(1, count + 1)):
        refuse(f"an order of {count} lines names each number from 1 to {count} once, not {chosen!s:.80}")
    log.lines = [log.lines[number - 1] for number in chosen]
    return None, f"the {count} lines are in another order, {chosen!s:.80}"


@verb
def glued_rows(log: Lines, /, line: int = -1) -> _Told:
    """Take the newline between ``line`` and the one before it, as an append to an unended line does (STA-009)."""
    index = log.index(line)
    if index == 0:
        refuse("line 1 has no line before it to be glued to")
    log.lines[index - 1 : index + 1] = [b"".join(log.lines[index - 1 : index + 1])]
    return index, f"what was line {index + 1} is glued to line {index}"


@verb
def stray_line(log: Lines, /, line: int | None = None, *, data: bytes = b'{"event_id": "01J", oops}') -> _Told:
    """Put ``data``, without a newline of its own, in as line number ``line``, at the end when left out (LOG-007)."""
    if b"\n" in data:
        refuse("one line holds no newline")
    if line is None or line == len(log.lines) + 1:
        log.append(data)
        return len(log.lines), f"line {len(log.lines)} is {data[:60]!r}"
    index = log.index(line)
    log.lines.insert(index, data)
    return index + 1, f"line {index + 1} is {data[:60]!r}"


@verb
def conflict_markers(
    log: Lines,
    /,
    first: int = -2,
    last: int = -1,
    *,
    split: int | None = None,
    names: tuple[str, str] = ("HEAD", "theirs"),
) -> _Told:
    """Put git's conflict markers around the lines ``first`` to ``last`` (RL-12); every row stays.

    Arguments:
        split: the first line of the other side; ``last`` when left out. ``first`` leaves our side empty.
        names: what git calls the two sides.
    """
    start, end = log.index(first), log.index(last)
    middle = end if split is None else log.index(split)
    if not start <= middle <= end:
        refuse(f"lines {start + 1} to {end + 1} cannot be split at line {middle + 1}")
    ours, theirs = log.lines[start:middle], log.lines[middle : end + 1]
    marked = [b"<<<<<<< " + names[0].encode(), *ours, b"=======", *theirs, b">>>>>>> " + names[1].encode()]
    log.lines[start : end + 1] = marked
    log.ended = True
    return start + 1, f"a conflict of {len(ours)} and {len(theirs)} rows begins in line {start + 1}"


@verb
def foreign_row(
    log: Lines,
    /,
    work_package: str = "WP01",
    to: str = "done",
    *,
    mission_slug: str = f"elsewhere-{mid8(_ELSEWHERE)}",
    mission_id: str | None = _ELSEWHERE,
    **keys: Any,
) -> _Told:
    """Add a forced lane transition that another mission wrote, later than every row that is there (LOG-010).

    Arguments:
        mission_id: None leaves the key out, so that only the slug tells.
        keys: keys of the row to set.
    """
    times = [row.get("at", row.get("timestamp")) for _, row in log.rows()]
    clock = Clock(max((DEFAULT_START, *filter(None, map(_moment, times)))))
    ids = Identifiers(f"{mission_slug}:{len(log.lines)}")
    other = EventLog(Path(), mission_slug=mission_slug, mission_id=mission_id, clock=clock, ids=ids).defer()
    try:
        log.append(other.lane(work_package, to, force=True, **keys).data[:-1])
    except OverflowError:
        refuse(f"no time is later than {clock.text}")
    return len(log.lines), f"line {len(log.lines)} is a row of {mission_slug}: {work_package} to {to}"


@verb
def foreign_mission(log: Lines, /, other: Path | EventLog | bytes) -> _Told:
    """Mix the rows of another mission's log in, line by line in turn (RL-22, LOG-010)."""
    theirs = Lines(_bytes(other)).lines
    if not theirs:
        refuse("the other log has no rows")
    own = log.lines
    log.lines = [line for pair in zip_longest(own, theirs) for line in pair if line is not None]
    log.ended = True
    return (2 if own else 1), f"{len(theirs)} rows of another mission are mixed in"


# --- two sides


@dataclass(frozen=True, slots=True)
class Diverged:
    """A log and what two sides made of it, as a merge driver gets them (interop: section 5.4)."""

    base: bytes = field(repr=False)
    ours: bytes = field(repr=False)
    theirs: bytes = field(repr=False)

    def write(self, directory: Path) -> tuple[Path, Path, Path]:
        """Write the three into one existing directory and return their paths in the order ``%O %A %B``."""
        paths = directory / "base", directory / "ours", directory / "theirs"
        for path, data in zip(paths, (self.base, self.ours, self.theirs), strict=True):
            path.write_bytes(data)
        return paths

    def merged(self, how: Literal["text", "lines", "rows"] = "text") -> bytes:
        """Return what a merge would make of it.

        Arguments:
            how: ``text``: what git does without a driver, conflict markers included. ``lines``: what
                ``merge=union`` does: no markers, both sides' lines. ``rows``: each line of all three once, by
                time and id: right unless two rows share an id; a row that one side deleted is back.

        Raises:
            BuildError: git failed, or with ``rows`` a line that is no row.
        """
        if how != "rows":
            return self._by_git(["--union"] if how == "lines" else [])
        log = Lines(b"")
        for data in (self.base, self.ours, self.theirs):
            log.lines += [line for line in Lines(data).lines if line.strip()]
        rows = {log.lines[index]: row for index, row in (log.row(n) for n in range(1, len(log.lines) + 1))}
        keys = {line: (row.get("at", row.get("timestamp")), row.get("event_id")) for line, row in rows.items()}
        log.lines = sorted(rows, key=lambda line: (*(str(part or "") for part in keys[line]), line))
        return log.data

    def _by_git(self, options: list[str]) -> bytes:
        from kitty_reliability.build.repository import git_environment

        command = ["git", "-c", "merge.conflictStyle=merge", "merge-file", "-p", "-q", *options]
        with TemporaryDirectory() as directory:
            base, ours, theirs = map(str, self.write(Path(directory)))
            command += ["-L", "HEAD", "-L", "base", "-L", "theirs", ours, base, theirs]
            try:
                done = subprocess.run(command, cwd=directory, env=git_environment(), capture_output=True, check=False)
            except FileNotFoundError:
                refuse("git is not installed, or not on the path")
        # The status is the number of conflicts, as far as it goes.
        if not 0 <= done.returncode < 128:
            refuse(f"git merge-file ended with {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout


def diverged(
    log: EventLog,
    ours: Callable[[EventLog], object],
    theirs: Callable[[EventLog], object],
    *,
    duplicate: bool = False,
    conflicting: bool = False,
    deletion: bool = False,
) -> Diverged:
    """Let two sides go on from ``log``, each with a copy of its own, and return the three; ``log`` stays as it is.

    Arguments:
        ours, theirs: write or damage the copy that they are given. Both begin at one moment, with ids of their own.
        duplicate: both sides also have one and the same new row.
        conflicting: both sides also have a new row of one id and another content.
        deletion: our side has lost the first row of ``log``.
    """
    with TemporaryDirectory() as directory:
        sides = [log.fork(Path(directory, name), name) for name in ("ours", "theirs")]
        base = sides[0].path.read_bytes()
        package = next(iter(log.lanes), "WP01")
        extra = log.fork(Path(directory, "both"), "both")
        shared = extra.note(package, "on both sides").last
        disputed = extra.note(package, "disputed").last
        for side, act in zip(sides, (ours, theirs), strict=True):
            if duplicate:
                side.row(shared)
            if conflicting:
                side.row({**disputed, "delta": {"note": f"of {side.path.name}"}})
            act(side)
        if deletion:
            lost_row(sides[0], 1)
        return Diverged(base, *(side.path.read_bytes() for side in sides))


@verb
def merged(log: Lines, /, sides: Diverged, how: Literal["text", "lines", "rows"] = "text") -> _Told:
    """Make the log what a merge of two sides would give; see ``Diverged.merged`` (RL-18, LOG-013)."""
    log.data = sides.merged(how)
    markers = [number for number, line in enumerate(log.lines, 1) if line.startswith(b"<<<<<<< ")]
    return next(iter(markers), None), f"two sides are merged by {how}, with {len(markers)} conflicts in the text"


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


def _bytes(log: Path | EventLog | bytes) -> bytes:
    if isinstance(log, bytes):
        return log
    path = log.path if isinstance(log, EventLog) else log
    try:
        return path.read_bytes()
    except OSError as error:
        raise BuildError(f"{path} cannot be read ({error.strerror})") from None


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(instant(text) // 1000 / 1_000_000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
