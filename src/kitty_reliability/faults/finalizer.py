"""A command whose work succeeds and whose final sync does not (clauses SYN-001 to SYN-009; scenarios SO-01 to SO-11)."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from .process import Ran, Sandbox
from .shutdown import ran_during_shutdown
from .sync import file_lock_held, sqlite_lock_held
from .sync_script import ScriptError, SyncFault, SyncScript
from .sync_service import SyncRequest, SyncService

__all__ = ["FinalizedRun", "run_with_finalizer"]

_DATABASES: Final = frozenset({".db", ".sqlite", ".sqlite3"})


@dataclass(frozen=True, slots=True)
class FinalizedRun:
    """What became of the command, what it asked of the service, and which of its faults were met."""

    ran: Ran
    requests: tuple[SyncRequest, ...] = ()
    acted: tuple[SyncFault, ...] = ()


def run_with_finalizer(
    sandbox: Sandbox,
    argv: Sequence[str | Path],
    finalizer: str,
    *,
    times: int | None = None,
    lock: Path | None = None,
    answers: Mapping[str, Any] | None = None,
    cwd: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    seconds: float = 60.0,
    **parameters: Any,
) -> FinalizedRun:
    """Run a command with sync switched on and pointed at a service on the loopback that fails as ``finalizer`` says.

    Arguments:
        finalizer: a word of ``SyncFault``; ``parameters`` are those that it takes, such as ``retry_after``.
        times: for how many attempts it lasts; for all of them when left out.
        lock: for ``lock-held``, the lock file that another process holds, or the sqlite database (``*.db``).
        answers: paths of the service that always answer this JSON value.
        cwd, env, seconds: as of ``Sandbox.run``.

    ``interpreter-shutdown`` runs a Python program, ``[sys.executable, "program.py", ...]`` or
    ``[sys.executable, "-c", text, ...]``, in an interpreter that is already exiting.

    Raises:
        ScriptError: an unknown word, a wrong parameter, a lock without a path, a shutdown of another program.
        LockNotHeldError: the lock could not be taken.
        OSError: the command cannot be started.
    """
    fault = SyncScript.of(finalizer, times=times or 1, **parameters).steps[0].fault
    if fault is SyncFault.INTERPRETER_SHUTDOWN:
        return FinalizedRun(_during_shutdown(sandbox, argv, cwd, env, seconds))
    if fault is SyncFault.LOCK_HELD:
        if lock is None:
            raise ScriptError("lock-held needs the lock's path: lock=...")
        script = SyncScript()
    elif times is None:
        script = SyncScript(default=(finalizer, parameters))
    else:
        script = SyncScript.of(finalizer, times=times, **parameters)
    with ExitStack() as stack:
        if fault is SyncFault.LOCK_HELD and lock is not None:
            stack.enter_context(_held(lock))
        service = stack.enter_context(SyncService(script, answers=answers))
        ran = sandbox.run(argv, cwd=cwd, env={**service.environment(), **(env or {})}, seconds=seconds)
        return FinalizedRun(ran, tuple(service.requests), tuple(service.acted))


@contextmanager
def _held(path: Path) -> Iterator[None]:
    with sqlite_lock_held(path) if path.suffix in _DATABASES else file_lock_held(path):
        yield


def _during_shutdown(
    sandbox: Sandbox,
    argv: Sequence[str | Path],
    cwd: Path | str | None,
    env: Mapping[str, str] | None,
    seconds: float,
) -> Ran:
    words = tuple(str(word) for word in argv)
    program: str | Path
    if words[:1] != (sys.executable,) or len(words) < 2:
        raise ScriptError("interpreter-shutdown needs a Python program: [sys.executable, 'program.py', ...]")
    if words[1] == "-c":
        program, arguments = words[2], words[3:]
    elif words[1].startswith("-"):
        raise ScriptError(f"interpreter-shutdown runs a file or -c TEXT, not {words[1]}")
    else:
        program, arguments = Path(words[1]), words[2:]
    ran = ran_during_shutdown(
        program,
        arguments,
        environment={**sandbox.environment, "SPEC_KITTY_ENABLE_SAAS_SYNC": "1", **(env or {})},
        directory=Path(cwd or sandbox.work),
        seconds=seconds,
    )
    return replace(ran, argv=words)
