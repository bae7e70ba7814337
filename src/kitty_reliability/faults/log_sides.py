"""What somebody else wrote into a log: another mission, or the other side of a merge.

(LOG-010, LOG-013; scenarios: RL-12, RL-18, RL-22)
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
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

from .log_core import Lines, Told, refuse, verb

__all__ = ["Diverged", "diverged", "foreign_mission", "foreign_row", "merged"]

_ELSEWHERE: Final = Identifiers("elsewhere").ulid(DEFAULT_START)

# --- another mission


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
) -> Told:
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
    except TypeError as error:
        refuse(f"{keys!r:.80} makes no row: {error}")
    return len(log.lines), f"line {len(log.lines)} is a row of {mission_slug}: {work_package} to {to}"


@verb
def foreign_mission(log: Lines, /, other: Path | EventLog | bytes) -> Told:
    """Mix the rows of another mission's log in, line by line in turn (RL-22, LOG-010)."""
    theirs = Lines(_bytes(other)).lines
    if not theirs:
        refuse("the other log has no rows")
    own = log.lines
    if set(theirs) <= set(own):
        refuse("every row of the other log is in this one, so none is of another mission")
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
            BuildError: git failed, an unknown ``how``, or with ``rows`` a line that is no row.
        """
        if how not in ("text", "lines", "rows"):
            refuse(f"a merge is one of text, lines and rows, not {how!r}")
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
            left = Lines(sides[0].path.read_bytes())
            del left.lines[left.index(1)]
            sides[0].rewrite(left.data)
        return Diverged(base, *(side.path.read_bytes() for side in sides))


@verb
def merged(log: Lines, /, sides: Diverged, how: Literal["text", "lines", "rows"] = "text") -> Told:
    """Make the log what a merge of two sides would give; see ``Diverged.merged`` (RL-18, LOG-013)."""
    log.data = sides.merged(how)
    markers = [number for number, line in enumerate(log.lines, 1) if line.startswith(b"<<<<<<< ")]
    return next(iter(markers), None), f"two sides are merged by {how}, with {len(markers)} conflicts in the text"


def _bytes(log: Path | EventLog | bytes) -> bytes:
    if isinstance(log, bytes):
        return log
    if isinstance(log, EventLog) and log.deferred:
        return log.data
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
