"""Real processes let go at once, and what they claimed compared with what is there (STA-008; scenarios: RL-19, RL-20).

Each contestant is started, stands ready and waits; one pipe that is closed lets all of them go. A command is then
executed by the process that waited; of a Python function even the import is over by then.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from .process import Ran, Running, Sandbox

__all__ = ["Call", "NoRace", "Race", "race"]

# Ready is a file, go is the end of stdin: nothing to poll for those who race. Windows cannot replace a process.
_COMMAND: Final = """\
import os, signal, subprocess, sys
if sys.platform != "win32" and not any(
    os.access(os.path.join(folder, sys.argv[2]), os.X_OK) for folder in ([""] if os.path.dirname(sys.argv[2]) else os.get_exec_path())
):
    sys.exit(f"{sys.argv[2]} is not there, or is no program")
open(sys.argv[1], "x").close()
os.read(0, 1)
nothing = os.open(os.devnull, os.O_RDONLY)
os.dup2(nothing, 0)
os.close(nothing)
if sys.platform == "win32":
    sys.exit(subprocess.call(sys.argv[2:]))
for name in ("SIGPIPE", "SIGXFSZ"):
    signal.signal(getattr(signal, name), signal.SIG_DFL)
os.execvp(sys.argv[2], sys.argv[2:])
"""
_CALL: Final = """\
import importlib, json, os, sys
module, name = sys.argv[2].split(":")
sys.path[:0] = json.loads(sys.argv[4])
function, arguments = getattr(importlib.import_module(module), name), json.loads(sys.argv[3])
open(sys.argv[1], "x").close()
os.read(0, 1)
print(json.dumps(function(*arguments)))
"""


class NoRace(RuntimeError):
    """There was no race, because not everybody got to the start; the text says who did not, and why."""


@dataclass(frozen=True, slots=True)
class Call:
    """A Python function to call in a process of its own.

    What it returns is printed as JSON; an exception is an exit status of 1 and a traceback on stderr.

    Arguments:
        target: ``module:function``.
        arguments: what it is given; plain JSON values.
        path: directories to look in first for the module.
    """

    target: str
    arguments: tuple[Any, ...] = ()
    path: tuple[Path, ...] = ()


def _reported_event_id(ran: Ran) -> list[str]:
    """Return the ``event_id`` of the one JSON object that a command printed that exited with 0; of others, none.

    Raises:
        ValueError: it exited with 0 and printed something else.
    """
    if ran.status != 0:
        return []
    said = ran.one_json()
    if not isinstance(said, dict):
        raise ValueError(f"stdout is not a JSON object: {said!r}")
    # A no-op reports no event.
    return [said["event_id"]] if said.get("event_id") is not None else []


@dataclass(frozen=True, slots=True)
class Race:
    """How it went for each contestant, by its number; ``seconds`` of a run count from the start of the race."""

    runs: tuple[Ran, ...]

    def successes(self, predicate: Callable[[Ran], bool] = lambda ran: ran.status == 0) -> list[Ran]:
        """Return the runs that succeeded: by default, those that exited with 0."""
        return [ran for ran in self.runs if predicate(ran)]

    def assert_log_equals_successes(
        self, log: Path, event_ids: Callable[[Ran], Iterable[str]] = _reported_event_id, *, before: bytes = b""
    ) -> None:
        """Check that the rows of the log are those that were reported, each once (STA-008).

        Arguments:
            log: a file of JSON lines. Rows without ``event_id`` are nobody's.
            event_ids: the ids that a run reported as written (ValueError: it cannot be told); by default the
                ``event_id`` that it printed if it exited with 0.
            before: what the log held before the race, and must begin with still.

        Raises:
            AssertionError: ids are missing, doubled, not reported by anybody, or reported by two; lines or reports are
                not JSON objects; what was there before is not there now. The text names each.
        """
        content = log.read_bytes() if log.exists() else b""
        problems = []
        if not content.startswith(before):
            problems.append(f"the {len(before)} bytes that the log held before are not its beginning any more")
            before = b""
        written, broken = _ids_in(content[len(before) :], before.count(b"\n") + 1)
        problems += broken
        reported: Counter[str] = Counter()
        for index, ran in enumerate(self.runs):
            try:
                reported.update(map(str, event_ids(ran)))
            except ValueError as error:
                problems.append(f"contestant {index}: {error}")
        for what, ids in (
            ("reported and not in the log", [name for name in reported if name not in written]),
            ("in the log and not reported", [name for name in written if name not in reported]),
            ("in the log more than once", [f"{name} ({count} times)" for name, count in written.items() if count > 1]),
            ("reported more than once", [f"{name} ({count} times)" for name, count in reported.items() if count > 1]),
        ):
            if ids:
                problems.append(f"{what}: {', '.join(sorted(ids))}")
        if problems:
            endings = Counter(ran.ending for ran in self.runs)
            raise AssertionError(
                f"{log} does not hold what {len(self.runs)} processes reported "
                f"({', '.join(f'{count} x {ending}' for ending, count in sorted(endings.items()))}):\n  "
                + "\n  ".join(problems)
            )


def race(
    number: int,
    contestant: Callable[[int], Sequence[str | os.PathLike[str]] | Call],
    sandbox: Sandbox,
    *,
    cwd: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    seconds: float = 120.0,
) -> Race:
    """Start processes, let them go all at once, and wait until all have ended.

    Arguments:
        number: how many, at least 2.
        contestant: gives the command, or the call, of the contestant with this number, from 0.
        cwd, env: as of ``Sandbox.start``; stdin is empty.
        seconds: what getting ready may take, and then the race; who is not over then is killed, and ``late``.

    Raises:
        NoRace: somebody did not get to the start: a module or function that is not there, say.
        OSError: a process cannot be started.
        ValueError: fewer than two: nobody would race.
    """
    if number < 2:
        raise ValueError(f"a race of {number} proves nothing; it takes two at least")
    started: list[tuple[tuple[str, ...], Running]] = []
    with TemporaryDirectory(dir=sandbox.base, prefix="race-") as folder:
        ready = [Path(folder, str(index)) for index in range(number)]
        gate, opener = os.pipe()
        try:
            for index in range(number):
                what = contestant(index)
                running = sandbox.start(_waiting(what, ready[index]), cwd=cwd, env=env, stdin=gate)
                started.append((_words(what), running))
            _wait_until_ready([running for _, running in started], ready, seconds)
        except BaseException:
            for _, running in started:
                running.kill()
            os.close(opener)
            raise
        finally:
            os.close(gate)
        os.close(opener)
        begun = time.monotonic()
        # All are looked at, so that each one's end is seen when it comes.
        on_their_way = [running for _, running in started]
        while on_their_way and time.monotonic() < begun + seconds:
            time.sleep(0.002)
            on_their_way = [running for running in on_their_way if running.alive]
        runs = []
        for words, running in started:
            ran = running.wait(0)
            runs.append(replace(ran, argv=words, seconds=ran.seconds - (begun - running.started)))
    return Race(tuple(runs))


def _words(contestant: Sequence[str | os.PathLike[str]] | Call) -> tuple[str, ...]:
    if isinstance(contestant, Call):
        return (contestant.target, *map(json.dumps, contestant.arguments))
    return tuple(os.fspath(word) for word in contestant)


def _waiting(contestant: Sequence[str | os.PathLike[str]] | Call, ready: Path) -> list[str]:
    """Return the words of a process that says when it is ready, and goes on when its stdin ends."""
    if isinstance(contestant, Call):
        arguments, path = json.dumps(contestant.arguments), json.dumps([str(folder) for folder in contestant.path])
        return [sys.executable, "-c", _CALL, str(ready), contestant.target, arguments, path]
    return [sys.executable, "-I", "-S", "-c", _COMMAND, str(ready), *_words(contestant)]


def _wait_until_ready(contestants: Sequence[Running], ready: Sequence[Path], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for index, (running, file) in enumerate(zip(contestants, ready, strict=True)):
        while not file.exists():
            if not running.alive or time.monotonic() > deadline:
                ran = running.wait(0)
                raise NoRace(f"contestant {index} did not get to the start: {ran.ending}: {_end_of(ran.stderr)}")
            time.sleep(0.001)


def _end_of(said: bytes) -> str:
    return said.decode("utf-8", "backslashreplace").strip()[-500:]


def _ids_in(content: bytes, line: int) -> tuple[Counter[str], list[str]]:
    """Return how often each event id stands in the lines, and one sentence for each line that is no JSON object."""
    ids: Counter[str] = Counter()
    broken = []
    for number, row in enumerate(content.split(b"\n"), start=line):
        if not row.strip():
            continue
        try:
            data = json.loads(row)
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            broken.append(f"line {number} is not a JSON object: {row[:80]!r}")
        elif data.get("event_id") is not None:
            ids[str(data["event_id"])] += 1
    return ids, broken
