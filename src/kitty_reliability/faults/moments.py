"""Kill or suspend a command at a chosen moment, or at every moment there is (STA-004; scenarios: TD-17, CR-01).

Moments are seen from outside, by looking every third of a millisecond: it works for any program and needs no
privilege, and what happens between two looks is one moment. Every fault says whether it took effect.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .process import Ran, Running, Sandbox

__all__ = [
    "CrashPoint",
    "Moment",
    "NoEffect",
    "after",
    "appears",
    "changes_size",
    "crash_points",
    "disappears",
    "holds",
    "kill_when",
    "reaches",
    "ref_moves",
    "suspend_when",
]

#: Between two looks, in seconds: some files are there for a millisecond only, and a look costs a tenth of this.
_PAUSE: Final = 0.0003

#: How often a crash point that came too late is tried again.
_TRIES: Final = 2


class NoEffect(RuntimeError):
    """A fault never took effect, so what was seen proves nothing."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something to wait for: what it is, in words, and whether it came by now."""

    words: str
    came: Callable[[], bool]


def appears(path: Path) -> Moment:
    """Return the moment when there is something at ``path``, be it a dangling link."""
    return Moment(f"{path} appears", lambda: os.path.lexists(path))


def disappears(path: Path) -> Moment:
    """Return the moment when ``path`` is gone again; it may still have to appear."""
    was_there = os.path.lexists(path)

    def came() -> bool:
        nonlocal was_there
        is_there = os.path.lexists(path)
        was_there = was_there or is_there
        return was_there and not is_there

    return Moment(f"{path} disappears", came)


def changes_size(path: Path) -> Moment:
    """Return the moment when the file at ``path`` has another size than now, or comes or goes."""
    before = _size(path)
    return Moment(f"{path} changes its size", lambda: _size(path) != before)


def holds(path: Path, needle: bytes) -> Moment:
    """Return the moment when the file at ``path`` has ``needle`` in it."""

    def came() -> bool:
        try:
            return needle in path.read_bytes()
        except OSError:
            return False

    return Moment(f"{path} holds {needle!r}", came)


def ref_moves(repository: Path, ref: str = "HEAD") -> Moment:
    """Return the moment when ``ref`` names another commit than now, or comes or goes.

    Arguments:
        repository: a checkout, linked worktrees included.
        ref: a full name: ``HEAD``, ``refs/heads/main``.

    Raises:
        ValueError: there is no git repository.
    """
    before = _commit_of(repository, ref)
    return Moment(f"{ref} of {repository} moves", lambda: _commit_of(repository, ref) != before)


def after(seconds: float) -> Moment:
    """Return the moment ``seconds`` from now."""
    then = time.monotonic() + seconds
    return Moment(f"{seconds} s have passed", lambda: time.monotonic() >= then)


def reaches(running: Running, moment: Moment, seconds: float = 60.0) -> bool:
    """Wait for the moment; return False if the program ended before, or ``seconds`` were over."""
    deadline = time.monotonic() + seconds
    while running.alive and time.monotonic() < deadline:
        if moment.came():
            return True
        time.sleep(_PAUSE)
    return False


def kill_when(running: Running, moment: Moment, seconds: float = 60.0) -> bool:
    """Kill the group at the moment; return whether that is what ended the program.

    A moment that is told by a change must be made before the program is started: ``disappears``, ``changes_size`` and
    ``ref_moves`` compare with how it was then. When the moment does not come, the program is left as it is.
    """
    return reaches(running, moment, seconds) and _kill(running)


def suspend_when(running: Running, moment: Moment, seconds: float = 60.0) -> bool:
    """Suspend the group at the moment; return whether the program stands still now. Otherwise as ``kill_when``.

    Raises:
        NotSupportedHere: on Windows.
    """
    return reaches(running, moment, seconds) and running.suspend()


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """One run that was killed at a change, or the last one, which was not.

    ``number`` is how many changes it got to make; ``changes`` has one sentence for each that was seen. ``struck``: it
    was killed there; else it came to its end.
    """

    number: int
    changes: tuple[str, ...]
    struck: bool
    ran: Ran


def crash_points(
    command: Callable[[], Running] | Sequence[str],
    watch: Iterable[Path | Callable[[], Any]],
    *,
    sandbox: Sandbox | None = None,
    prepare: Callable[[], object] = lambda: None,
    seconds: float = 60.0,
    most: int = 1000,
) -> Iterator[CrashPoint]:
    """Run a command again and again, killed at the first change, the second, ... until it ends unharmed.

    The last point is the unharmed one. What happens between two looks is one change, so a point may be missing; each
    one that is yielded did happen, and nothing of the run is alive when it is.

    Arguments:
        command: what starts it; or its words, which are run in ``sandbox``.
        watch: files, directories (with all they hold, so keep them small), or functions whose value is compared.
        prepare: puts the world back to where a run begins; called before each.
        seconds: what one run may take.
        most: how many points there may be.

    Raises:
        NoEffect: not one run was killed at a change, or there were more than ``most`` points.
        TimeoutError: a run neither ended nor got to its point in time.
        ValueError: words without a sandbox.
    """
    watched = tuple(watch)
    number = tries = 0
    struck_any = False
    while number < most:
        number += 1
        prepare()
        before = _look(watched)
        with _start(command, sandbox) as running:
            changes = _wait_for_changes(running, watched, before, number, seconds)
            struck = len(changes) == number and _kill(running)
            ran = running.kill()
        struck_any = struck_any or struck
        if not struck and len(changes) == number and tries < _TRIES:
            # Seen too late: it was over by then. There may be a point here all the same.
            tries, number = tries + 1, number - 1
            continue
        tries = 0
        if not (struck or struck_any):
            raise NoEffect(
                f"it was never killed at a change: {ran.ending}; changes seen: {', '.join(changes) or 'none'}"
            )
        yield CrashPoint(number, tuple(changes), struck, ran)
        if not struck:
            return
    raise NoEffect(f"there are more than {most} crash points")


def _start(command: Callable[[], Running] | Sequence[str], sandbox: Sandbox | None) -> Running:
    if callable(command):
        return command()
    if sandbox is None:
        raise ValueError("words need a sandbox to be run in")
    return sandbox.start(command)


def _kill(running: Running) -> bool:
    was_alive = running.alive
    ran = running.kill()
    # Windows does not say what ended a process.
    return was_alive and (sys.platform == "win32" or ran.signal == signal.SIGKILL)


def _wait_for_changes(
    running: Running, watched: Sequence[Any], before: Mapping[str, Any], number: int, seconds: float
) -> list[str]:
    """Return what changed, a sentence a look, after ``number`` changes or when the program has ended."""
    deadline = time.monotonic() + seconds
    changes: list[str] = []
    while len(changes) < number:
        # Asked before the look: what it did last is seen.
        alive = running.alive
        now = _look(watched)
        if now != before:
            changes.append(_difference(before, now))
            before = now
        elif not alive:
            break
        elif time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds} s it neither ended nor made change {number}; seen: {changes}")
        else:
            time.sleep(_PAUSE)
    return changes


def _look(watched: Iterable[Any]) -> dict[str, Any]:
    """Return path -> what tells that it changed, for everything there is."""
    seen: dict[str, Any] = {}
    for number, item in enumerate(watched):
        if callable(item):
            seen[f"value {number}"] = item()
        else:
            _look_at(os.fspath(item), seen)
    return seen


def _look_at(path: str, seen: dict[str, Any]) -> None:
    try:
        status = os.lstat(path)
        if not stat.S_ISDIR(status.st_mode):
            seen[path] = (status.st_size, status.st_ino, status.st_mtime_ns)
            return
        seen[path] = "directory"
        names = sorted(os.listdir(path))  # noqa: PTH208 - a Path a name would cost more than the look
    except OSError:
        return  # gone between two calls
    for name in names:
        _look_at(os.path.join(path, name), seen)  # noqa: PTH118


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    said = []
    for path in sorted({*before, *now}):
        old, new = before.get(path), now.get(path)
        if path not in before:
            said.append(f"{path} appeared")
        elif path not in now:
            said.append(f"{path} disappeared")
        elif isinstance(old, tuple) and isinstance(new, tuple) and old != new:
            said.append(f"{path} was written ({old[0]} -> {new[0]} bytes)")
        elif old != new:
            said.append(f"{path} changed from {old!r} to {new!r}")
    return "; ".join(said)


def _size(path: Path) -> int | None:
    try:
        return path.lstat().st_size
    except OSError:
        return None


def _commit_of(repository: Path, ref: str) -> str | None:
    """Return the id that a ref has, read from git's files: starting git takes longer than moments last."""
    git = repository / ".git"
    if git.is_file():
        git = repository / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
    if not (git / "HEAD").is_file():
        raise ValueError(f"{repository} is not a checkout of a git repository")
    common = git / (_text(git / "commondir") or ".").strip()
    for _ in range(5):  # a ref may name another
        # HEAD and a few others are a worktree's own, the rest is shared.
        said = _text(git / ref) or _text(common / ref)
        if said is None:
            packed = (line.split(" ") for line in (_text(common / "packed-refs") or "").splitlines())
            return next((line[0] for line in packed if line[1:] == [ref]), None)
        if not said.startswith("ref:"):
            return said.strip()
        ref = said.removeprefix("ref:").strip()
    return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None
