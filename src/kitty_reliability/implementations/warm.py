"""A Python command that is imported once: each run is a fork of the process that imported it. PYTEST_DONT_REWRITE"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from .base import ImplementationError
from .processes import Finished, Process, end_group, start_group

__all__ = ["Warm", "interpreter_of"]

_SERVER: Final = Path(__file__).with_name("warm_server.py")
#: How long the import may take, and how long what was killed may take to be gone, in seconds.
_IMPORT, _GONE = 300.0, 30.0
_SOME: Final = 1 << 16
#: What installers write when the path of the interpreter is too long for a #! line, or has a space in it.
_EXEC: Final = re.compile(rb"#!/bin/sh\n'''exec' (?:\"(?P<quoted>[^\"\n]+)\"|(?P<plain>\S+)) \"\$0\" \"\$@\"\n")


def interpreter_of(executable: Path) -> list[str]:
    """Return the program, and its argument if there is one, that runs the Python script ``executable``.

    Raises:
        ImplementationError: there is no such script, it is not Python, or this system cannot fork.
    """
    if not hasattr(os, "fork"):
        raise ImplementationError(f"warm needs os.fork, which this system has not; use spec-kitty:{executable}")
    try:
        with executable.open("rb") as script:
            start = script.read(4096)
    except OSError as error:
        raise ImplementationError(f"{executable} cannot be read: {error.strerror}") from None
    if match := _EXEC.match(start):
        return [os.fsdecode(match["quoted"] or match["plain"])]
    words = os.fsdecode(start.partition(b"\n")[0].removeprefix(b"#!").strip()).split(maxsplit=1)
    if not start.startswith(b"#!") or "python" not in " ".join(words):
        raise ImplementationError(f"{executable} is no Python script, and cannot be run warm; without warm: it can")
    return words


class Warm:
    """A process that has imported a command, and forks for each run of it.

    A run has the arguments, directory, session and output of its own, as if it had been started; its environment is
    that of the import, with what a run is given added. What differs: the command line that the system tells of it, its parent, and that runs share
    one hash seed.

    Args:
        executable: a Python script.
        environment: that of the import.
        directory: where the import happens.

    Raises:
        ImplementationError: it is no Python script, or cannot be imported; the text holds what it said.
    """

    def __init__(self, executable: Path, environment: Mapping[str, str], directory: Path) -> None:
        self.environment = dict(environment)
        self._executable = executable
        argv = [*interpreter_of(executable), str(_SERVER)]
        self._rest = b""
        self._process: Process | None = None
        # Files, as each run has them: what asks at import where output goes is told the same.
        self._stdout, self._stderr = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        self._channel, theirs = socket.socketpair()
        with theirs:
            argv += [str(theirs.fileno()), str(executable)]
            try:
                self._process = start_group(
                    argv,
                    environment,
                    cwd=directory,
                    stdin=subprocess.DEVNULL,
                    stdout=self._stdout,
                    stderr=self._stderr,
                    pass_fds=[theirs.fileno()],
                )
            except OSError as error:
                self.close()
                raise ImplementationError(f"{argv[0]}, which runs {executable}, cannot be started: {error}") from None
        if self._reply(_IMPORT) is None:
            self.close()
            raise ImplementationError(f"{executable} was not imported within {_IMPORT:g} s; try it without warm:")

    def run(
        self,
        argv: Sequence[str],
        directory: Path | str,
        seconds: float,
        *,
        started: Callable[[int], None] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Finished:
        """Run the command as ``argv`` without input and wait for it, as ``processes.run_to_end`` does.

        ``environment`` is added before the command runs; what it looked up while it was imported stays as it was.

        Raises:
            OSError: it cannot be started there.
            ImplementationError: the process that imported it has ended.
        """
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            began = time.monotonic()
            process = self._start(argv, directory, environment or {}, [stdout.fileno(), stderr.fileno()])
            reply = None
            try:
                if started is not None:
                    started(process)
                reply = self._reply(seconds - (time.monotonic() - began))
            finally:
                if reply is None:
                    self._end(process)
            took = time.monotonic() - began
            stdout.seek(0)
            stderr.seek(0)
            status = None if reply is None else int(reply["status"])
            return Finished(list(argv), status, stdout.read(), stderr.read(), took)

    def close(self) -> None:
        """End the process that imported the command."""
        # What was collected already has no group of its own any more; its number may be somebody else's.
        if self._process is not None and self._process.returncode is None:
            end_group(self._process)
        for open_ in (self._channel, self._stdout, self._stderr):
            open_.close()

    @property
    def _closed(self) -> bool:
        return self._channel.fileno() == -1

    def _start(
        self, argv: Sequence[str], directory: Path | str, environment: Mapping[str, str], descriptors: list[int]
    ) -> int:
        asked = {"argv": list(argv), "cwd": str(directory), "environment": dict(environment)}
        request = json.dumps(asked).encode() + b"\n"
        if self._closed:
            raise self._dead()
        self._channel.settimeout(_GONE)
        try:
            socket.send_fds(self._channel, [b"\0"], descriptors)
            self._channel.sendall(request)
        except OSError:
            raise self._dead() from None
        reply = self._reply(_GONE)
        if reply is None:
            raise self._dead()
        if "error" in reply:
            raise OSError(*reply["error"], str(directory))
        return int(reply["process"])

    def _reply(self, seconds: float) -> dict[str, Any] | None:
        """Return the next reply, None when there is none within ``seconds``."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._rest:
            self._channel.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                part = self._channel.recv(_SOME)
            except TimeoutError:
                return None
            except OSError:
                part = b""
            if not part:
                raise self._dead()
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _end(self, process: int) -> None:
        """Kill a run with its group."""
        # It may not have its group yet.
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(process, signal.SIGKILL)
        with contextlib.suppress(ImplementationError):
            if not self._closed and self._reply(_GONE) is None:
                # Its reply must not pass for that of the next run.
                self.close()

    def _dead(self) -> ImplementationError:
        """End what is left, and say that it is dead, and of what."""
        status, said = None, ""
        if self._process is not None and not self._closed:
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = self._process.wait(5)
            self._stderr.seek(0)
            said = self._stderr.read().decode("utf-8", "backslashreplace").strip()[-2000:]
        self.close()
        how = "does not answer" if status is None else f"ended with status {status}"
        return ImplementationError(
            f"the process that imported {self._executable} {how}; without warm: each run is a process of its own"
            + (f"; it said:\n{said}" if said else "")
        )
