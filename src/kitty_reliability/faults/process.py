"""Commands run as nobody's: own HOME, own git, no network; ended, stopped or limited at will (STA-003, STA-004).

A sandbox takes nothing from the environment of whoever runs it but what programs need to start. What it starts is a
process group of its own, and none of that outlives the run. A daemon that left the group ends with the sandbox, where
the system tells whose it is (Linux).
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final, Literal, Self

from kitty_reliability.formats.quiet import GIT_CONFIG, private

from .limits import start_limited
from .running import NotSupportedHere, Ran, Running

__all__ = ["NotSupportedHere", "Ran", "Running", "Sandbox"]

#: All that is taken from outside.
_KEPT: Final = re.compile(
    r"PATH|PATHEXT|PYTHONHOME|LD_LIBRARY_PATH|DYLD_\w+_PATH|SYSTEM(ROOT|DRIVE)|WINDIR|COMSPEC|(NUMBER_OF_)?PROCESSOR\w*",
    re.IGNORECASE,
)


class Sandbox:
    """A place to run commands in that neither see nor touch anything of the user's (blackbox: section 2).

    Use it as a context manager, or call ``close``. ``environment`` is all the environment its commands have; change it
    as you like.

    Arguments:
        base: a directory for it; made if it is not there.
        sync: whether SPEC_KITTY_ENABLE_SAAS_SYNC is on; the network is dead either way.

    Raises:
        ValueError: its HOME would be the user's own.
    """

    def __init__(self, base: Path | str, *, sync: bool = False) -> None:
        self.base = Path(base).resolve()
        self.home = self.base / "home"
        self.temporary = self.base / "tmp"
        #: Where commands run unless they are told otherwise.
        self.work = self.base / "work"
        # What has this HOME is ended in the end.
        if self.home == Path("~").expanduser().resolve():
            raise ValueError(f"{self.home} is the user's own home")
        variables, folders = private(self.base, sync=sync)
        for folder in (*folders, self.work):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.home / ".gitconfig").write_text(GIT_CONFIG, encoding="utf-8", newline="\n")
        self.environment: dict[str, str] = {
            **{name: value for name, value in os.environ.items() if _KEPT.fullmatch(name)},
            **variables,
            # A repository that is not there must not be looked for above the sandbox.
            "GIT_CEILING_DIRECTORIES": str(self.base.parent),
        }
        self._started: list[Running] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything that was started here, and what it left behind where that can be told (Linux)."""
        while self._started:
            self._started.pop().kill()
        if sys.platform == "linux":
            _end_processes_with(b"HOME=" + os.fsencode(self.home))

    def run(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        cwd: Path | str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        seconds: float = 60.0,
        file_size_limit: int | None = None,
        file_size_signal: Literal["default", "ignored"] = "default",
    ) -> Ran:
        """Run a command until it has ended, or kill it after ``seconds``; other arguments and errors as of ``start``."""
        with self.start(
            argv, cwd=cwd, env=env, stdin=stdin, file_size_limit=file_size_limit, file_size_signal=file_size_signal
        ) as running:
            return running.wait(seconds)

    def start(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        cwd: Path | str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes | int | None = None,
        file_size_limit: int | None = None,
        file_size_signal: Literal["default", "ignored"] = "default",
    ) -> Running:
        """Start a command; it ends with the ``with`` block of what is returned.

        Arguments:
            argv: the program and its arguments.
            cwd: where it runs; ``work`` by default, never where this process happens to be.
            env: variables beside those of ``environment``.
            stdin: what it reads; nothing by default. ``subprocess.PIPE``: what ``Running.write`` is given. Another
                number: a file descriptor to read from.
            file_size_limit: how large a file may become, in bytes: a write is cut off there and the next one fails.
                Holds for every file that the program and its children write, but not for stdout and stderr. Python
                leaves no compiled files then: they would be torn as well, and stay.
            file_size_signal: ``default``: a write that fails kills the program, unless it ignores the signal, as Python
                and Node do. ``ignored``: it is an error, EFBIG.

        Raises:
            OSError: it cannot be started, or the limit cannot be set.
            ValueError: a limit below 0.
            NotSupportedHere: a limit, on Windows.
        """
        words = tuple(os.fspath(word) for word in argv)
        environment, directory = self.environment | dict(env or {}), cwd or self.work
        with contextlib.ExitStack() as stack:
            source: int | IO[bytes] = subprocess.DEVNULL
            if isinstance(stdin, bytes):
                # A file, not a pipe: a program that does not read must not block us.
                source = stack.enter_context(tempfile.TemporaryFile())
                source.write(stdin)
                source.seek(0)
            elif stdin is not None:
                source = stdin
            if file_size_limit is None:
                running = Running(words, words, environment, directory, source)
            else:
                environment = {"PYTHONDONTWRITEBYTECODE": "1"} | environment
                ignored = file_size_signal == "ignored"
                running = start_limited(words, environment, directory, source, file_size_limit, ignored=ignored)
        self._started = [*(other for other in self._started if not other.over), running]
        return running


def _end_processes_with(variable: bytes) -> None:
    """Kill whoever has the variable and wait until nobody has: one may just have started another."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        found = False
        for entry in Path("/proc").glob("[0-9]*/environ"):
            # Others end meanwhile, or are somebody else's. Of those that ended nothing can be read.
            with contextlib.suppress(OSError):
                process = int(entry.parent.name)
                if process != os.getpid() and variable in entry.read_bytes().split(b"\0"):
                    os.kill(process, signal.SIGKILL)
                    found = True
        if not found:
            return
        time.sleep(0.001)
