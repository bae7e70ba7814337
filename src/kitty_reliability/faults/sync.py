"""Sync that fails around a local change that succeeded (clauses SYN-001 to SYN-011).

A client that fails by script inside this process; locks that another process really holds; and work that is
really scheduled while an interpreter exits. ``sync_service`` has the same script on the wire.
"""

from __future__ import annotations

import copy
import errno
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from .sync_script import Step, SyncFault, SyncScript

__all__ = [
    "FakeSyncClient",
    "HeldLock",
    "LockNotHeldError",
    "SyncAuthError",
    "SyncCall",
    "SyncError",
    "SyncLockHeldError",
    "SyncMalformedError",
    "SyncRefusedError",
    "SyncResetError",
    "SyncShutdownError",
    "SyncStatusError",
    "SyncTimeoutError",
    "SyncUnknownError",
    "file_lock_held",
    "run_during_shutdown",
    "sqlite_lock_held",
]

# --- in this process


class SyncError(Exception):
    """What ``FakeSyncClient`` raises. Where Python has a type for the failure, the error is of that type as well."""


class SyncLockHeldError(SyncError, TimeoutError):
    """The lock of the queue could not be had in time."""


class SyncShutdownError(SyncError, RuntimeError):
    """The interpreter exits."""


class SyncRefusedError(SyncError, ConnectionRefusedError):
    """Nobody listens."""


class SyncResetError(SyncError, ConnectionResetError):
    """The connection broke."""


class SyncTimeoutError(SyncError, TimeoutError):
    """No answer came."""


class SyncMalformedError(SyncError, ValueError):
    """An answer that is no JSON, or not all of it; ``body`` is what came."""

    def __init__(self, message: str, body: str) -> None:
        super().__init__(message)
        self.body = body


class SyncStatusError(SyncError):
    """An answer with an error's status; ``retry_after`` is as the script has it."""

    def __init__(self, message: str, status: int, retry_after: int | str | None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class SyncAuthError(SyncStatusError):
    """Status 401 or 403."""


class SyncUnknownError(SyncError):
    """A failure that fits no category."""


@dataclass(frozen=True, slots=True)
class SyncCall:
    """One call of a ``FakeSyncClient``: what was asked for, with what, when, and which fault answered it."""

    operation: str
    payload: Any
    at: datetime
    fault: SyncFault


class FakeSyncClient:
    """A sync client that does what its script says, call by call, and nothing else.

    It drops no repeated call, tries nothing again and sorts nothing out: whatever of that a test sees is the
    subject's doing. Calls may come from several threads.

    Arguments:
        script: what happens to each call in turn; without one all is well.

    ``calls`` holds every call in order. ``timeout`` and ``trickle`` really take their time: ``seconds``, if
    given, and ``size`` divided by ``bytes_per_second``.

    Example::

        client = FakeSyncClient(SyncScript.of("refused", times=3))
        subject(push=partial(client.call, "push"))
        assert [call.fault for call in client.calls] == ["refused"] * 3
    """

    def __init__(self, script: SyncScript | None = None) -> None:
        self.script = script or SyncScript()
        self.calls: list[SyncCall] = []
        self._turn = threading.Lock()

    def call(self, operation: str, payload: Any = None) -> str:
        """Return the body of a good answer, or fail as the script says.

        Arguments:
            operation: what the subject calls it. payload: anything; recorded as it is now, as a copy.

        Raises:
            SyncError: the type that belongs to the fault.
        """
        kept = copy.deepcopy(payload)
        with self._turn:
            step = self.script.step(len(self.calls))
            self.calls.append(SyncCall(operation, kept, datetime.now(UTC), step.fault))
        return _perform(step)


def _perform(step: Step) -> str:
    text = step.text or ""
    match step.fault:
        case SyncFault.OK:
            return text
        case SyncFault.TRICKLE:
            time.sleep((step.size or 0) / (step.bytes_per_second or 1))
            return step.answer.decode()
        case SyncFault.LOCK_HELD:
            raise SyncLockHeldError(text)
        case SyncFault.INTERPRETER_SHUTDOWN:
            raise SyncShutdownError("cannot schedule new futures after interpreter shutdown")
        case SyncFault.REFUSED:
            raise SyncRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        case SyncFault.RESET:
            raise SyncResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        case SyncFault.TIMEOUT:
            time.sleep(step.seconds or 0)
            raise SyncTimeoutError("timed out")
        case SyncFault.MALFORMED:
            raise SyncMalformedError("the answer is not JSON", text)
        case SyncFault.OVERSIZED:
            raise SyncMalformedError(f"the answer is not JSON but {step.size} bytes of text/html", step.page)
        case SyncFault.TRUNCATED:
            body = step.answer.decode()[: (step.size or 0) // 2]
            raise SyncMalformedError(f"the answer ended after {len(body)} of {step.size} bytes", body)
        case SyncFault.UNKNOWN:
            raise SyncUnknownError(text)
        case _:
            status = HTTPStatus(int(step.fault))
            kind = SyncAuthError if step.fault in (SyncFault.UNAUTHORIZED, SyncFault.FORBIDDEN) else SyncStatusError
            raise kind(f"HTTP {status}: {text}", status, step.retry_after)


# --- locks


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


# --- the end of an interpreter

#: Runs the given program from an exit handler, when the executors have already stopped for good: that is how a
#: finalizer finds the interpreter. The status has to be forced, since exit handlers have no say in it.
_AT_EXIT: Final = """
import atexit, concurrent.futures.thread, os, runpy, sys, traceback
kind, program, first = sys.argv[1:4]
sys.argv = [program if kind == "file" else "-c", *sys.argv[4:]]
status = 0
def end():
    if status:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)
def run():
    global status
    try:
        if kind == "file":
            runpy.run_path(program, run_name="__main__")
        else:
            exec(compile(program, "<during shutdown>", "exec"), {"__name__": "__main__"})
    except SystemExit as leaving:
        if not isinstance(leaving.code, (int, type(None))):
            print(leaving.code, file=sys.stderr)
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
atexit.register(end)
atexit.register(run)
exec(compile(first, "<before shutdown>", "exec"), {"__name__": "__before__"})
"""


def run_during_shutdown(
    program: str | Path,
    *arguments: str,
    before: str = "",
    python: Path | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    seconds: float = 60.0,
) -> subprocess.CompletedProcess[str]:
    """Run a Python program inside an interpreter that is already exiting, and return what became of it.

    Whatever it hands to a thread pool fails with the interpreter's own "cannot schedule new futures after
    interpreter shutdown"; from Python 3.12 on no thread starts either. Exit handlers that it registers come too
    late; those that ``before`` registers run, and find the same.

    Arguments:
        program: source text, or the path of a file. arguments: its ``sys.argv[1:]``.
        before: source text that runs in the same process while all is well, such as slow imports.
        python: the interpreter; this one unless given. environment: all of it; inherited unless given.
        directory: where it runs. seconds: after which it is killed.

    Raises:
        subprocess.TimeoutExpired: it had to be killed.
        OSError: it cannot be started.
    """
    kind = "file" if isinstance(program, Path) else "text"
    argv = [str(python or sys.executable), "-c", _AT_EXIT, kind, str(program), before, *arguments]
    # Files, not pipes: a child that outlives the program may hold a pipe open for ever.
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        done = subprocess.run(
            argv,
            env=None if environment is None else dict(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            timeout=seconds,
            check=False,
        )
        texts = []
        for stream in (stdout, stderr):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "replace"))
    return subprocess.CompletedProcess(argv, done.returncode, *texts)
