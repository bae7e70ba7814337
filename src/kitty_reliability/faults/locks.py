"""Locks that another process really holds: a lock file's, a database's (clauses SYN-001, STA-008)."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["HeldLock", "LockNotHeldError", "file_lock_held", "sqlite_lock_held"]


class LockNotHeldError(Exception):
    """The lock is not, or was not throughout, held by the process that was to hold it."""


@dataclass(frozen=True, slots=True)
class HeldLock:
    """A lock that another process holds: on which file, and the process's id."""

    path: Path
    process: int


#: The holder: takes the lock, says so, and keeps it until nobody can speak to it any more. Where its modules are
#: comes as an argument, for the environment, and what others put into it, is not to reach it.
_HOLDER: Final = """
import sys
kind, path, seconds, modules = sys.argv[1:]
if kind == "file":
    sys.path.append(modules)
    import filelock
    lock = filelock.FileLock(path)
    lock.acquire(timeout=float(seconds))
    if sys.platform != "win32":
        import fcntl
        record = open(path, "r+b")
        fcntl.lockf(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
else:
    import sqlite3
    lock = sqlite3.connect(path, isolation_level=None, timeout=float(seconds))
    lock.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
lock.release() if kind == "file" else lock.close()
"""
#: For an interpreter to start, take a lock or let go of it, on a busy machine.
_PATIENCE: Final = 60.0


@contextmanager
def file_lock_held(path: Path, *, seconds: float = 10.0) -> Iterator[HeldLock]:
    """Hold ``path`` as a lock file, as ``filelock`` does it, in another process for as long as the block lasts.

    A POSIX system has two kinds of locks that do not see each other; both are held.

    Arguments:
        path: the lock file itself; made if it is not there. seconds: how long to wait for somebody else's lock.

    Raises:
        LockNotHeldError: it could not be taken, or the holder ended before the block did.
    """
    import filelock

    with _held("file", path, seconds, str(Path(filelock.__file__).parent.parent)) as held:
        yield held


@contextmanager
def sqlite_lock_held(path: Path, *, seconds: float = 10.0) -> Iterator[HeldLock]:
    """Hold a sqlite database by ``BEGIN EXCLUSIVE`` in another process for as long as the block lasts.

    Nobody else can write to it; nobody can read it either, unless it is in WAL mode.

    Arguments:
        path: the database; made if it is not there. seconds: how long to wait for somebody else's lock.

    Raises:
        LockNotHeldError: it could not be taken, or the holder ended before the block did.
    """
    with _held("sqlite", path, seconds, "") as held:
        yield held


@contextmanager
def _held(kind: str, path: Path, seconds: float, modules: str) -> Iterator[HeldLock]:
    argv = [sys.executable, "-I", "-c", _HOLDER, kind, str(path), str(seconds), modules]
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said) as holder,
    ):
        watchdog = threading.Timer(seconds + _PATIENCE, holder.kill)
        watchdog.start()
        try:
            assert holder.stdout is not None
            answer = holder.stdout.readline()
        finally:
            watchdog.cancel()
            watchdog.join()
        if answer.strip() != b"held":
            holder.wait()
            said.seek(0)
            last = said.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise LockNotHeldError(f"{path} could not be taken: {last or f'status {holder.returncode}'}")
        early: int | None = None
        try:
            yield HeldLock(path, holder.pid)
            early = holder.poll()
        finally:
            try:
                holder.communicate(timeout=_PATIENCE)
            except subprocess.TimeoutExpired:
                holder.kill()
        if early is not None:
            raise LockNotHeldError(f"{path} was not held to the end: its holder ended with status {early}")
