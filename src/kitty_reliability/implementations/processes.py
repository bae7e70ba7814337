"""Processes that can be ended as a whole, and run without what this process's environment would add.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol

__all__ = [
    "Finished",
    "Process",
    "clean_environment",
    "end_group",
    "end_processes_with",
    "run_to_end",
    "shell_line",
    "start_group",
]

#: Variables of whoever runs the suite that would change what a command does.
_SCRUBBED: Final = re.compile(
    r"(GIT|SPEC_KITTY|SPECIFY|XDG|COV_CORE|PYTEST|KITTY)_|PYTHON(?!HOME$)|(HTTPS?|ALL|NO)_PROXY$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that was run.

    ``status`` is None when it had to be killed at its deadline, and negative when a signal ended it.
    """

    argv: Sequence[str]
    status: int | None
    stdout: bytes
    stderr: bytes
    #: How long it took, in seconds.
    seconds: float


def clean_environment(added: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without what steers git, Python or spec-kitty, and with ``added``."""
    kept = {name: value for name, value in os.environ.items() if not _SCRUBBED.match(name)}
    return kept | dict(added or {})


class Process(Protocol):
    """What was started: as much of ``subprocess.Popen`` as is used of it here."""

    pid: int
    stdin: IO[bytes] | None
    stdout: IO[bytes] | None
    stderr: IO[bytes] | None

    @property
    def returncode(self) -> int | None:
        """The exit status, when it was waited for."""
        ...  # pragma: no cover

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status, negative when a signal ended it; subprocess.TimeoutExpired after ``timeout``."""
        ...  # pragma: no cover


def start_group(argv: Sequence[str], environment: Mapping[str, str], **options: Any) -> Process:
    """Start ``argv`` as the leader of a process group of its own, so that all of it can be ended.

    A Python command of this package is forked from a process that has imported it, where the system can fork.

    Raises:
        OSError: it cannot be started.
    """
    if argv[0] == sys.executable:
        from . import forks

        if (forked := forks.start(argv, environment, **options)) is not None:
            return forked
    return subprocess.Popen(
        argv,
        env=dict(environment),
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        **options,
    )


def end_group(process: Process) -> None:
    """Kill ``process`` and everything in its group, and reap it."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], check=False, capture_output=True)
    else:
        # The group outlives its leader; macOS says "not permitted" of one that is ending.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=10)


def run_to_end(
    argv: Sequence[str],
    environment: Mapping[str, str],
    directory: Path | str,
    seconds: float,
    *,
    started: Callable[[int], None] | None = None,
) -> Finished:
    """Run a command without input and wait for it; after ``seconds`` it is killed with all its children.

    ``started`` is told the id of the process while it runs.

    Raises:
        OSError: it cannot be started.
    """
    began = time.monotonic()
    status: int | None = None
    # Files, not pipes: a child that outlives the command may hold a pipe open for ever.
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        process = start_group(argv, environment, cwd=directory, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
        try:
            if started is not None:
                started(process.pid)
            _look_at_end(process.pid, seconds)
            status = process.wait(max(seconds - (time.monotonic() - began), 0))
        except subprocess.TimeoutExpired:
            pass
        finally:
            if status is None:
                end_group(process)
        took = time.monotonic() - began
        stdout.seek(0)
        stderr.seek(0)
        return Finished(list(argv), status, stdout.read(), stderr.read(), took)


def shell_line(line: str) -> list[str]:
    """Return the command that runs ``line`` as a POSIX shell does, and ends when all that the line began has ended."""
    return ["sh", "-c", 'eval "$1"; status=$?; wait; exit $status', "sh", line]


def _look_at_end(process: int, seconds: float) -> None:
    """Wait until a process has ended, where the system tells of that: subprocess would sleep for up to 50 ms at a time."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError):  # it is gone already, or the kernel is too old
        descriptor = os.pidfd_open(process)
        try:
            waits = select.poll()
            waits.register(descriptor, select.POLLIN)
            waits.poll(seconds * 1000)
        finally:
            os.close(descriptor)


def end_processes_with(variable: str) -> None:
    """End the processes whose environment holds ``NAME=value``, where the system tells: on Linux."""
    if sys.platform != "linux":
        return
    for entry in Path("/proc").glob("[0-9]*/environ"):
        # Others end meanwhile, or are somebody else's.
        with contextlib.suppress(OSError):
            process = int(entry.parent.name)
            if process != os.getpid() and os.fsencode(variable) in entry.read_bytes().split(b"\0"):
                os.kill(process, signal.SIGKILL)
