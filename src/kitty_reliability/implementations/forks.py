"""Runs of this package's own Python commands, forked from a process that has imported them.

A command that is started reads hundreds of modules before it does anything, and whoever judges the reference, or a
mutant of it, starts hundreds. A run that is forked has the arguments, environment, directory, session, streams and end
of its own, as if it had been started. What differs: the command line and the environment that the system tells of it,
its parent, and that runs share one hash seed. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

from .base import ImplementationError

__all__ = ["Forked", "start"]

#: What may be forked: it is known to do nothing when it is imported.
_COMMANDS: Final = ("kitty_reliability.reference", "kitty_conformance.mutants")
_SERVE: Final = "kitty_reliability.implementations.serve"
_SERVED: Final = re.compile(r"reference|mutant:.+")
#: What an interpreter goes by when it starts, or a module when it is imported.
_AT_START: Final = re.compile(r"PYTHON|LC_|LANG|LD_|DYLD_|TZ$|KITTY_STOPPED_CLOCK$")
#: Set to anything, it has each run started.
_NEVER: Final = "KITTY_NO_FORKS"
#: At most so many processes that import, one for each of those environments; the oldest ends.
_MOST: Final = 3
#: How long they may take to end, in seconds.
_GONE: Final = 5.0

_Key = tuple[tuple[str, str], ...]
_servers: dict[_Key, tuple[subprocess.Popen[bytes], socket.socket]] = {}
_ending: list[subprocess.Popen[bytes]] = []
_asking = threading.Lock()


class Forked:
    """A run: as much of ``subprocess.Popen`` as whoever waits for it needs."""

    def __init__(self, argv: Sequence[str], own: socket.socket, pid: int, streams: Sequence[IO[bytes] | None]) -> None:
        self.args = argv
        self.pid = pid
        self.returncode: int | None = None
        self.stdin, self.stdout, self.stderr = streams
        self._own = own
        self._waiting = threading.Lock()

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status, negative when a signal ended it.

        Raises:
            subprocess.TimeoutExpired: it runs still, after ``timeout`` seconds.
            ImplementationError: who forked it has ended, so that nobody can tell.
        """
        with self._waiting:
            if self.returncode is None:
                self._own.settimeout(None if timeout is None else max(timeout, 0.001))
                try:
                    self.returncode = _number(self._own)
                except TimeoutError:
                    raise subprocess.TimeoutExpired(list(self.args), timeout or 0) from None
                except OSError as error:
                    self._own.close()
                    raise ImplementationError(f"the process that forked {self.pid} has ended: {error}") from None
                self._own.close()
            return self.returncode


def start(argv: Sequence[str], environment: Mapping[str, str], **options: Any) -> Forked | None:
    """Fork a run of ``argv`` as the leader of a session of its own; None when it has to be started instead.

    Arguments:
        environment: all of it.
        options: ``cwd``, ``stdin``, ``stdout``, ``stderr`` and ``bufsize`` as of ``subprocess.Popen``.
    """
    asked = _asked(argv)
    if asked is None or not hasattr(os, "fork") or os.environ.get(_NEVER):
        return None
    asked |= {"environment": dict(environment), "cwd": str(options.get("cwd") or Path.cwd())}
    own, theirs = socket.socketpair()
    with contextlib.ExitStack() as stack:
        given, streams = _streams(options, stack)
        try:
            with theirs, _asking:
                channel = _server(tuple(sorted(item for item in environment.items() if _AT_START.match(item[0]))))
                socket.send_fds(channel, [b"\0"], [theirs.fileno(), *given])
            own.sendall(json.dumps(asked).encode() + b"\n")
            process = _number(own)
        except OSError:
            process = 0
    if process == 0:
        own.close()
        for stream in filter(None, streams):
            stream.close()
        return None
    return Forked(argv, own, process, streams)


def _asked(argv: Sequence[str]) -> dict[str, Any] | None:
    """Return which module is to be run how; None for what is no command of this package."""
    safe_path = list(argv[1:2]) == ["-P"]
    words = list(argv[1 + safe_path :])
    if argv[0] != sys.executable or len(words) < 2 or words[0] != "-m":
        return None
    _, module, *arguments = words
    if module not in _COMMANDS and not (module == _SERVE and _SERVED.fullmatch("".join(arguments[:1]))):
        return None
    return {"module": module, "arguments": arguments, "safe_path": safe_path}


def _streams(options: Mapping[str, Any], stack: contextlib.ExitStack) -> tuple[list[int], list[IO[bytes] | None]]:
    """Return what the run gets as stdin, stdout and stderr, and our ends of the pipes among them."""
    given: list[int] = []
    ours: list[IO[bytes] | None] = [None, None, None]
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        wanted = options.get(name)
        if wanted == subprocess.PIPE:
            reads, writes = os.pipe()
            theirs, mine = (writes, reads) if number else (reads, writes)
            stack.callback(os.close, theirs)
            ours[number] = os.fdopen(mine, "rb" if number else "wb", buffering=options.get("bufsize", -1))
        elif wanted == subprocess.DEVNULL:
            theirs = os.open(os.devnull, os.O_RDWR)
            stack.callback(os.close, theirs)
        elif wanted == subprocess.STDOUT:
            theirs = given[1]
        else:
            theirs = number if wanted is None else wanted if isinstance(wanted, int) else wanted.fileno()
        given.append(theirs)
    return given, ours


def _server(key: _Key) -> socket.socket:
    """Return the channel to the process that imports in the environment ``key``."""
    if key in _servers:
        process, channel = _servers[key]
        if process.poll() is None:
            return channel
        _end(key)
    while len(_servers) >= _MOST:
        _end(next(iter(_servers)))
    channel, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.fork_server", str(theirs.fileno())],
            env=dict(key),
            # Not where modules might lie.
            cwd=os.path.abspath(os.sep),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    _servers[key] = process, channel
    return channel


def _end(key: _Key) -> None:
    """Let a process that imports end, as soon as the runs that it forked have ended."""
    process, channel = _servers.pop(key)
    channel.close()
    _ending[:] = [one for one in (*_ending, process) if one.poll() is None]


@atexit.register
def _end_all() -> None:
    for key in list(_servers):
        _end(key)
    for process in _ending:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GONE)


def _number(own: socket.socket) -> int:
    """Return the next number that is told; OSError when nobody is there to tell it."""
    told = own.recv(4)
    if not told:
        raise ConnectionResetError("nobody is there any more")
    return int.from_bytes(told, "big", signed=True)
