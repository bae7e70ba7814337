"""Commands that change something here and then tell a hosted service, run once each and looked at by many scenarios.

A command costs a process, so what one did is kept for as long as the run lasts: scenarios about the same command
look at the same bytes. Each has a world, a service and a seed of its own.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from kitty_reliability.faults.locks import file_lock_held, sqlite_lock_held
from kitty_reliability.faults.network import LoopbackServer, NetworkGuard
from kitty_reliability.faults.shutdown import ran_during_shutdown
from kitty_reliability.faults.sync_script import StepLike, SyncFault, SyncScript
from kitty_reliability.faults.sync_service import SyncRequest, SyncService
from kitty_reliability.implementations.processes import Finished, clean_environment, run_to_end
from kitty_reliability.implementations.protocol import Batch, Move, Open, Recover, Repair, Request
from kitty_reliability.observe.output import Output, OutputError, one_json_value, sync_diagnostics
from kitty_reliability.observe.rows import LogMark
from pytest_kitty.scenarios import Finding, inconclusive, not_applicable

from .starts import claimed_by, ended_process, startable
from .terminals import run_in_terminals, run_merged
from .world import World, Worlds

__all__ = ["Case", "Finalizers", "Seen", "WRITERS", "failing"]

_SWITCH = "SPEC_KITTY_ENABLE_SAAS_SYNC"
_AT_ONCE = 4
#: The operations that tell the service once they are durable, and where each leaves WP01; the others tell nothing.
WRITERS: Mapping[str, str] = {
    "transition": "claimed",
    "batch": "claimed",
    "start": "in_progress",
    "recover": "planned",
    "repair": "planned",
}
_PACKAGES = [f"WP{number:02}" for number in range(1, 7)]


@dataclass(frozen=True, slots=True)
class Case:
    """A command, and what it meets.

    ``asks``: one of ``WRITERS`` (a batch is of six); or what fails here already: ``illegal``, ``damaged`` (the log),
    ``nowhere`` (no such mission). ``switch`` is what the environment says of sync, None for
    nothing. ``streams``: ``terminals`` has one for each, ``merged`` is one pipe for both; both with FORCE_COLOR.
    """

    script: SyncScript = field(default_factory=SyncScript)
    form: Literal["json", "text"] = "json"
    asks: str = "transition"
    switch: str | None = "1"
    streams: Literal["apart", "merged", "terminals"] = "apart"
    locked: bool = False
    #: What becomes of the database of what is yet to be told, once a command has made it.
    store: Literal["damaged", "locked"] | None = None
    redirected: bool = False
    ending: bool = False
    environment: tuple[tuple[str, str], ...] = ()
    #: What stands before the host in the address, such as ``user:password@``.
    user: str = ""


def failing(fault: StepLike, form: Literal["json", "text"] = "json", **more: Any) -> Case:
    """Return the case in which every attempt meets ``fault``."""
    return Case(SyncScript(default=fault), form, **more)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a command did. ``status`` is None when it had to be killed."""

    case: Case
    world: World
    mark: LogMark
    status: int | None
    stdout: Output
    stderr: Output
    requests: tuple[SyncRequest, ...]
    #: How many connections the service had, and whoever it sent its client on to.
    connections: int
    decoyed: int
    #: Whether the local change was on disk while the first request waited; None when none did.
    durable_first: bool | None
    #: How long the command took, and how long it was there once the service had its first request; None without one.
    seconds: float
    asking: float | None

    @property
    def what(self) -> str:
        """Name the case in a failure's text."""
        words = [self.case.asks, self.case.form, str(self.case.script.default.fault)]
        words += [name for name in ("locked", "redirected", "ending") if getattr(self.case, name)]
        words += [f"store {self.case.store}"] if self.case.store else []
        return f"{' '.join(words)}: exit status {self.status}, stderr {self.stderr[-300:]!r}"

    @property
    def diagnostics(self) -> list[dict[str, Any]]:
        """The diagnostics on stderr, and those in the declared field of the JSON on stdout."""
        name = self.world.implementation.greeting.sync_field
        found = sync_diagnostics(self.stderr)
        if name is not None and self.case.form == "json":
            value = self.result()
            told = value.get(name) if isinstance(value, dict) else None
            found += [one for one in told or [] if isinstance(one, dict)]
        return found

    def result(self) -> Any:
        """Return the one JSON value on stdout; a finding when it is anything else."""
        try:
            return one_json_value(self.stdout)
        except OutputError as error:
            self.world.fail(Finding.STDOUT_POLLUTED, f"{self.what}: {error}")

    def code(self) -> str:
        """Return the code of the one failure that it met; a finding when it does not tell of it."""
        found = self.diagnostics
        self.world.check(found, Finding.DIAGNOSTIC_MISSING, f"sync failed, and no diagnostic tells of it; {self.what}")
        return str(found[0].get("diagnostic_code"))

    def told(self) -> str:
        """Return the code of the failure; inconclusive when it does not tell of it, which SYN-003 and SYN-004 judge."""
        return self.code() if self.diagnostics else inconclusive(f"no diagnostic tells of the failure; {self.what}")


class Finalizers:
    """Runs cases, each once.

    Arguments:
        make: returns a builder of worlds for the name of a case.
    """

    def __init__(self, make: Callable[[str], Worlds]) -> None:
        self._make = make
        self._seen: dict[Case, Seen] = {}

    def see(self, guard: NetworkGuard, cases: Sequence[Case], *, again: bool = False) -> list[Seen]:
        """Return what the command of each case did; those that were not run yet are run now, some at once.

        ``again``: all of them are.
        """
        new = [case for case in dict.fromkeys(cases) if again or case not in self._seen]
        # The implementation is asked one thing at a time; its commands run beside each other.
        with ExitStack() as services, ThreadPoolExecutor(_AT_ONCE) as pool:
            prepared = [_Prepared(case, self._make(repr(case)), guard, services, self._patience) for case in new]
            for one in list(pool.map(_Prepared.run, prepared)):
                self._seen[one.case] = one
        return [self._seen[case] for case in cases]

    @property
    def _patience(self) -> float:
        """How long a command may take besides its sync before it is killed, in seconds: this machine may be busy."""
        took = [seen.seconds for case, seen in self._seen.items() if case == Case()]
        return 5 * took[0] if took else 60.0


class _Prepared:
    """A world for a case, and the command in it."""

    def __init__(self, case: Case, worlds: Worlds, guard: NetworkGuard, services: ExitStack, patience: float) -> None:
        self.case, self.guard = case, guard
        greeting = worlds.implementation.greeting
        if greeting.sync_variable is None:
            inconclusive("it does not say which variable holds the address of its hosted service")
        self.variable = greeting.sync_variable
        #: Generous: starting a program on a busy machine is none of the declared bound.
        self.limit = greeting.sync_seconds + max(10.0, 10 * greeting.typical_seconds, patience)
        self.patience = greeting.sync_seconds / 2
        packages = dict.fromkeys(_PACKAGES, "planned")
        self.world = startable(worlds, packages) if case.asks in ("start", "recover") else worlds(packages)
        if case.asks == "recover":
            claimed_by(self.world, "WP01", *ended_process())
            self.world.commit()
        if case.asks in ("damaged", "repair"):
            self.world.mission.log.raw(b"this is no row\n")
            self.world.commit()
        self.lock = self._lock()
        self.service = services.enter_context(SyncService(case.script))
        self.decoy = services.enter_context(SyncService())
        address = services.enter_context(_redirecting(self.decoy.url)) if case.redirected else self.service.url
        self.address = address.replace("://", f"://{case.user}")
        self.command = self.world.command(self._request(), case.form, sync_address=self.address)
        self.before = self._command_before(greeting.sync_store) if case.store else None
        self.mark = self.world.mark()

    def run(self) -> Seen:
        """Run the command."""
        environment = self._environment()
        with ExitStack() as stack:
            if self.lock is not None:
                stack.enter_context(file_lock_held(self.lock))
            for store in self._stores(environment):
                if self.case.store == "locked":
                    stack.enter_context(sqlite_lock_held(store))
                else:
                    store.write_bytes(b"no database\n" * 1000)
            watched = stack.enter_context(ThreadPoolExecutor(1))
            began = time.monotonic()
            done = watched.submit(self._started, self.command["argv"], environment)
            first = None
            if self.case.script.default.fault is SyncFault.TIMEOUT:
                while not self.service.requests and not done.done():
                    time.sleep(0.01)
                first = self._durable() if self.service.requests else None
            status, stdout, stderr = done.result()
            seconds, asked = time.monotonic() - began, self.service.requests[:1]
            asking = (datetime.now(UTC) - asked[0].at).total_seconds() if asked else None
            return Seen(
                self.case, self.world, self.mark, status, Output(stdout), Output(stderr), tuple(self.service.requests),
                len(self.service.connections), len(self.decoy.connections), first, seconds, asking,
            )  # fmt: skip

    def _durable(self) -> bool:
        """Say whether the change is on disk, or is there long before anybody gives the service up."""
        end = time.monotonic() + self.patience
        while self.mark.unchanged and time.monotonic() < end:
            time.sleep(0.01)
        return not self.mark.unchanged

    def _lock(self) -> Path | None:
        if not self.case.locked:
            return None
        root, slug = str(self.world.mission.root), self.world.mission.slug
        told = self.world.answered(self.world.ask(Open(root=root, mission=slug)))
        path = told.value.get("sync_lock_path") if told.ok else None
        if path is None:
            inconclusive("it does not say which file whoever syncs locks")
        lock = self.world.mission.root / str(path)
        lock.parent.mkdir(parents=True, exist_ok=True)
        return lock

    def _command_before(self, pattern: str | None) -> Sequence[str]:
        """Return the command whose run makes the database: it does the same to another work package."""
        if pattern is None:
            not_applicable("it declares no database of what is yet to be told")
        self.pattern = pattern
        return list(self.world.command(self.world.transition_request("WP02", "claimed"), self.case.form)["argv"])

    def _stores(self, environment: Mapping[str, str]) -> list[Path]:
        """Have the databases made by the same command for another work package, and return where they are."""
        if self.before is None:
            return []
        status, _, stderr = self._started(self.before, environment)
        if status != 0:
            inconclusive(f"before anything is wrong it ends with {status}: {stderr[-300:]!r}")
        self.mark = self.world.mark()
        found = sorted(Path(environment["HOME"]).glob(self.pattern))
        return found or inconclusive(f"no {self.pattern} is below its home, once it ran")

    def _request(self) -> Request:
        root, slug, world = str(self.world.mission.root), self.world.mission.slug, self.world
        match self.case.asks:
            case "batch":
                moves = [Move(work_package=name, to="claimed", actor=world.actor) for name in _PACKAGES]
                return Batch(root=root, mission=slug, moves=moves)
            case "start":
                return world.start_request("WP01", world.actor)
            case "recover":
                return Recover(
                    root=root, mission=slug, work_package="WP01", actor=world.actor, reason="its holder is gone"
                )
            case "repair":
                return Repair(root=root, mission=slug)
            case "illegal":
                return world.transition_request("WP01", "done")
            case "nowhere":
                return world.transition_request("WP01", "claimed").model_copy(update={"mission": "nowhere-01ZZZZZZ"})
        return world.transition_request("WP01", "claimed")

    def _environment(self) -> dict[str, str]:
        given = {**self.command["env"], **self.service.environment(), self.variable: self.address}
        given |= dict(self.case.environment)
        given |= {_SWITCH: self.case.switch or ""}
        given |= self.guard.environment(given)
        if self.case.streams != "apart":
            given = {name: value for name, value in given.items() if name != "NO_COLOR"}
            given |= {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
        given = clean_environment(given)
        if self.case.switch is None:
            del given[_SWITCH]
        return given

    def _started(self, argv: Sequence[str], environment: Mapping[str, str]) -> tuple[int | None, bytes, bytes]:
        cwd = self.command["cwd"]
        if self.case.ending:
            python, program, arguments = _as_python(argv)
            late = ran_during_shutdown(program, arguments, "", python, environment, Path(cwd), self.limit)
            return late.status, late.stdout, late.stderr
        run: Callable[..., Finished] = run_to_end
        if self.case.streams != "apart":
            run = run_merged if self.case.streams == "merged" else run_in_terminals
        try:
            done = run(argv, environment, cwd, self.limit)
        except OSError as error:
            self.world.fail(Finding.CRASH, f"`{shlex.join(argv)}` cannot be started: {error}")
        return done.status, done.stdout, done.stderr


def _as_python(argv: Sequence[str]) -> tuple[Path, str | Path, Sequence[str]]:
    """Return interpreter, program and arguments of a command in Python; inconclusive when it is none."""
    if re.fullmatch(r"python[\d.]*(\.exe)?", Path(argv[0]).name):
        if argv[1] == "-c":
            return Path(argv[0]), argv[2], argv[3:]
        if argv[1] == "-m":
            program = f"import runpy; runpy.run_module({argv[2]!r}, run_name='__main__', alter_sys=True)"
            return Path(argv[0]), program, argv[3:]
        if not argv[1].startswith("-"):
            return Path(argv[0]), Path(argv[1]), argv[2:]
    elif sys.platform != "win32" and Path(argv[0]).is_file():
        with Path(argv[0]).open("rb") as script:
            first = os.fsdecode(script.readline()).strip()
        if first.startswith("#!") and "python" in Path(first).name and " " not in first:
            return Path(first[2:]), Path(argv[0]), argv[1:]
    return inconclusive("its command is no Python program, whose interpreter could be seen to exit")


@contextmanager
def _redirecting(to: str) -> Iterator[str]:
    """Give the address of a service that sends everybody on to ``to``."""

    def serve(connection: Any) -> None:
        with connection.makefile("rb") as asked:
            head = []
            while line := asked.readline(65536).strip():
                head.append(line.lower())
            length = [line.partition(b":")[2] for line in head if line.startswith(b"content-length:")]
            asked.read(int(length[0]) if length else 0)
        answer = f"HTTP/1.1 302 Found\r\nLocation: {to}/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        connection.sendall(answer.encode())

    server = LoopbackServer(serve)
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.end()
