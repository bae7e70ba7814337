"""Commands run as nobody's: own HOME, own git, no network; ended, stopped or limited at will (STA-003, STA-004).

A sandbox takes nothing from the environment of whoever runs it but what programs need to start. What it starts is a
process group of its own, and none of that outlives the run. A daemon that left the group ends with the sandbox, where
the system tells whose it is (Linux).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Literal, Self

__all__ = ["NotSupportedHere", "Ran", "Running", "Sandbox"]

#: All that is taken from outside.
_KEPT: Final = re.compile(
    r"PATH|PATHEXT|PYTHONHOME|LD_LIBRARY_PATH|DYLD_\w+_PATH|SYSTEM(ROOT|DRIVE)|WINDIR|COMSPEC|(NUMBER_OF_)?PROCESSOR\w*",
    re.IGNORECASE,
)
#: What keeps a command offline and quiet. Nobody listens at port 9: whatever asks the network is refused at once.
_SETTINGS: Final = """\
SPEC_KITTY_SAAS_URL=http://127.0.0.1:9
SPEC_KITTY_ALLOW_PROTECTED_BRANCH_COMMITS=1
SPEC_KITTY_NON_INTERACTIVE=1
SPEC_KITTY_NO_UPGRADE_CHECK=1
SPEC_KITTY_NO_NAG=1
SPEC_KITTY_NO_BANNER=1
CI=1
NO_COLOR=1
TERM=dumb
COLUMNS=200
LANG=C.UTF-8
GIT_CONFIG_NOSYSTEM=1
GIT_TERMINAL_PROMPT=0
GIT_AUTHOR_NAME=Kitty Sandbox
GIT_AUTHOR_EMAIL=kitty@example.invalid
GIT_COMMITTER_NAME=Kitty Sandbox
GIT_COMMITTER_EMAIL=kitty@example.invalid
HTTP_PROXY=http://127.0.0.1:9
HTTPS_PROXY=http://127.0.0.1:9
ALL_PROXY=http://127.0.0.1:9
http_proxy=http://127.0.0.1:9
https_proxy=http://127.0.0.1:9
all_proxy=http://127.0.0.1:9
"""
_GIT_CONFIG: Final = """\
user.name=Kitty Sandbox
user.email=kitty@example.invalid
init.defaultBranch=main
commit.gpgSign=false
tag.gpgSign=false
gc.auto=0
maintenance.auto=false
core.autocrlf=false
core.fsmonitor=false
advice.detachedHead=false
"""

# Sets the limit in the process that becomes the program: set from outside it would race with the program's first
# write, and nothing may be run between fork and exec of a process that has threads. Why it could not is said through
# a pipe that closes when the program starts.
_LIMITER: Final = """\
import os, resource, signal, sys
failed, limit, ignored = map(int, sys.argv[1:4])
os.set_inheritable(failed, False)
try:
    # Python ignores both, and a program would inherit that.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN if ignored else signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    os.execvp(sys.argv[4], sys.argv[4:])
except Exception as error:
    os.write(failed, f"{getattr(error, 'errno', 0)} {getattr(error, 'strerror', error)}".encode())
"""


class NotSupportedHere(RuntimeError):
    """This system cannot do it; the text says what and why."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended.

    ``status`` is its exit status, None when a signal ended it; ``signal`` is then the signal's number. ``late``: it
    was killed because its time was up. ``seconds`` is how long it took.
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
        folders = {
            "HOME": self.home,
            "SPEC_KITTY_HOME": self.home / ".kittify",
            "XDG_CONFIG_HOME": self.home / ".config",
            "XDG_CACHE_HOME": self.home / ".cache",
            "XDG_DATA_HOME": self.home / ".local" / "share",
            "XDG_STATE_HOME": self.home / ".local" / "state",
            "XDG_RUNTIME_DIR": self.base / "run",
            "TMPDIR": self.temporary,
        }
        if sys.platform == "win32":
            folders |= {"USERPROFILE": self.home, "TEMP": self.temporary, "TMP": self.temporary}
            folders |= {"APPDATA": self.home / "AppData" / "Roaming", "LOCALAPPDATA": self.home / "AppData" / "Local"}
        for folder in (*folders.values(), self.work):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        config = self.home / ".gitconfig"
        config.write_text(re.sub(r"(?m)^(\w+)\.(\w+)=", r"[\1]\n\t\2 = ", _GIT_CONFIG), encoding="utf-8", newline="\n")
        self.environment: dict[str, str] = {
            **{name: value for name, value in os.environ.items() if _KEPT.fullmatch(name)},
            **{name: str(folder) for name, folder in folders.items()},
            **dict(line.split("=", 1) for line in _SETTINGS.splitlines()),
            "SPEC_KITTY_ENABLE_SAAS_SYNC": str(int(sync)),
            "GIT_CONFIG_GLOBAL": str(config),
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
                running = _start_limited(words, environment, directory, source, file_size_limit, ignored=ignored)
        self._started = [*(other for other in self._started if other._ran is None), running]
        return running


class Running:
    """A command that was started, with all that it starts; made by ``Sandbox.start``.

    What it prints is read all the time: it never waits for us.
    """

    def __init__(
        self,
        argv: tuple[str, ...],
        started_as: Sequence[str],
        environment: Mapping[str, str],
        cwd: Path | str,
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()

    @property
    def alive(self) -> bool:
        """Whether the program itself has not ended; a suspended one has not."""
        return self._ran is None and self._process.poll() is None

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
        took = time.monotonic() - self.started
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


def _start_limited(
    argv: tuple[str, ...], environment: Mapping[str, str], cwd: Path | str, stdin: Any, limit: int, *, ignored: bool
) -> Running:
    if sys.platform == "win32":
        raise NotSupportedHere("limiting the size of files needs RLIMIT_FSIZE, and Windows has no such limit")
    if limit < 0:  # it would be taken for a huge one
        raise ValueError(f"a limit of {limit} bytes")
    ours, theirs = os.pipe()
    with open(ours, "rb") as failed:  # noqa: PTH123 - a descriptor
        try:
            # Isolated and without site: ten milliseconds, and no variable has a say.
            words = [sys.executable, "-I", "-S", "-c", _LIMITER, str(theirs), str(limit), str(int(ignored)), *argv]
            running = Running(argv, words, environment, cwd, stdin, (theirs,))
        finally:
            os.close(theirs)
        number, _, why = failed.read().decode("utf-8", "replace").partition(" ")
    if number:
        running.kill()
        raise OSError(int(number), f"{argv[0]}, limited to {limit} bytes a file: {why}")
    return running


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


def _end_processes_with(variable: bytes) -> None:
    for entry in Path("/proc").glob("[0-9]*/environ"):
        # Others end meanwhile, or are somebody else's.
        with contextlib.suppress(OSError):
            process = int(entry.parent.name)
            if process != os.getpid() and variable in entry.read_bytes().split(b"\0"):
                os.kill(process, signal.SIGKILL)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
