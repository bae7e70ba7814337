"""A command that runs, or ran: what it printed, how it ended, and its whole group ended or stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

__all__ = ["NotSupportedHere", "Ran", "Running"]


class NotSupportedHere(RuntimeError):
    """This system cannot do it; the text says what and why."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended.

    ``status`` is its exit status, None when a signal ended it; ``signal`` is then the signal's number. ``late``: it
    was killed because its time was up. ``seconds`` is how long it took, as far as it was looked at meanwhile.
    """

    argv: tuple[str, ...]
    status: int | None
    signal: int | None
    stdout: bytes
    stderr: bytes
    seconds: float
    late: bool = False

    @property
    def text(self) -> str:
        r"""What stands on stdout; bytes that are not UTF-8 are shown as ``\xNN``."""
        return self.stdout.decode("utf-8", "backslashreplace")

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        if self.late:
            return f"not over after {self.seconds:.0f} s"
        return f"exit status {self.status}" if self.signal is None else f"ended by signal {self.signal}"

    def one_json(self) -> Any:
        """Return the one JSON value that stdout is (SYN-002).

        Raises:
            ValueError: empty, not UTF-8, not JSON, or more than one value; the text says what there is instead.
        """
        try:
            return json.loads(self.stdout.decode("utf-8"), parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise ValueError(
                f"stdout is not one JSON value ({error}): {self.stdout[:200]!r}; "
                f"{self.ending}, stderr ends with {self.stderr[-200:]!r}"
            ) from None


class Running:
    """A command that was started, with all that it starts; made by ``Sandbox.start``.

    What it prints is read all the time: it never waits for us.
    """

    def __init__(
        self,
        argv: tuple[str, ...],
        started_as: Sequence[str],
        environment: Mapping[str, str],
        cwd: Path | str | None,
        stdin: int | IO[bytes],
        descriptors: tuple[int, ...] = (),
    ) -> None:
        self.argv = argv
        #: When it started, on the monotonic clock, in seconds.
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            started_as,
            cwd=cwd,
            env=dict(environment),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # which has no terminal to ask at
            pass_fds=descriptors,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self.pid = self._process.pid
        self._stdout, self._stderr = _Pump(self._process.stdout), _Pump(self._process.stderr)
        self._ran: Ran | None = None
        self._ended: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()

    @property
    def alive(self) -> bool:
        """Whether the program itself has not ended; a suspended one has not."""
        if self._process.poll() is None:
            return True
        self._ended = self._ended or time.monotonic()
        return False

    @property
    def over(self) -> bool:
        """Whether it was waited for or killed, so that nothing of its group is left."""
        return self._ran is not None

    @property
    def stdout(self) -> bytes:
        """What it printed so far."""
        return bytes(self._stdout.read)

    def write(self, data: bytes) -> None:
        """Give it ``data`` to read.

        Raises:
            ValueError: it was started without ``stdin=subprocess.PIPE``, or stdin was closed.
            OSError: it does not read any more.
        """
        if self._process.stdin is None:
            raise ValueError("there is no pipe to write to: start it with stdin=subprocess.PIPE")
        left = memoryview(data)
        while left:
            left = left[self._process.stdin.write(left) :]

    def close_stdin(self) -> None:
        """Let it read to the end of its input."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def wait(self, seconds: float = 60.0) -> Ran:
        """Close stdin and wait until the program has ended; then end what is left of its group.

        After ``seconds`` it is killed, and ``late``.
        """
        self.close_stdin()
        deadline, pause = time.monotonic() + seconds, 0.0005
        # subprocess would sleep for up to 50 ms at a time.
        while self.alive and time.monotonic() < deadline:
            time.sleep(pause)
            pause = min(pause * 1.5, 0.005)
        return self._finish(late=self.alive)

    def kill(self) -> Ran:
        """Kill the whole group, now; a program that had ended stays as it was."""
        return self._finish(late=False)

    def terminate(self) -> None:
        """Ask the whole group to end (SIGTERM); on Windows the program is killed."""
        if sys.platform == "win32":
            self._process.terminate()
        else:
            self._signal(signal.SIGTERM)

    def suspend(self) -> bool:
        """Stop the whole group where it is (SIGSTOP); return whether the program stands still: not if it had ended.

        Raises:
            NotSupportedHere: on Windows.
        """
        if sys.platform == "win32":
            raise NotSupportedHere("suspending a process needs SIGSTOP, and Windows has no signals")
        if not self._signal(signal.SIGSTOP):
            return False
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return self.alive
        # A signal takes its time. An end that is seen here is left for poll() to collect.
        seen = os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        return seen is not None and seen.si_code == os.CLD_STOPPED

    def resume(self) -> None:
        """Let the whole group go on (SIGCONT).

        Raises:
            NotSupportedHere: on Windows.
        """
        if sys.platform == "win32":
            raise NotSupportedHere("resuming a process needs SIGCONT, and Windows has no signals")
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> bool:
        """Send a signal to the group, if its leader lives: afterwards the number may be somebody else's."""
        if not self.alive:
            return False
        os.killpg(self.pid, number)
        return True

    def _finish(self, *, late: bool) -> Ran:
        if self._ran is not None:
            return self._ran
        if sys.platform == "win32":
            if self.alive:
                subprocess.run(["taskkill", "/F", "/T", "/PID", str(self.pid)], check=False, capture_output=True)
        else:
            # The group outlives its leader; macOS says "not permitted" of one that is ending.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        code = self._process.wait()
        took = (self._ended or time.monotonic()) - self.started
        if sys.platform != "win32":
            _wait_for_group(self.pid)
        self.close_stdin()
        status, number = (code, None) if code >= 0 else (None, -code)
        # A daemon may hold the pipes for ever: what was read a little later is all.
        deadline = time.monotonic() + 1
        stdout, stderr = (pump.finish(deadline) for pump in (self._stdout, self._stderr))
        self._ran = Ran(self.argv, status, number, stdout, stderr, took, late)
        return self._ran


class _Pump(threading.Thread):
    """Reads a pipe to its end."""

    def __init__(self, pipe: Any) -> None:
        super().__init__(daemon=True)
        self.read = bytearray()
        self._pipe = pipe
        self.start()

    def run(self) -> None:
        with self._pipe:
            while chunk := self._pipe.read(1 << 16):
                self.read += chunk

    def finish(self, deadline: float) -> bytes:
        """Return what was read, once the pipe is closed or the deadline is over."""
        self.join(timeout=max(0.0, deadline - time.monotonic()))
        return bytes(self.read)


def _wait_for_group(group: int) -> None:
    """Wait until a group that was killed is gone: so long its files are open and its locks are held."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and _has_living_members(group):
        time.sleep(0.001)


def _has_living_members(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    # Who was killed stays listed until somebody collects it, which not every container does.
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, its_group = entry.read_text("utf-8", "replace").rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                return True
    return sys.platform != "linux"


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
