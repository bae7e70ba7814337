"""Faults at single system calls, for a command in any language: strace records them, and injects a fault into one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from kitty_conformance.world import CommandResult, World
from kitty_reliability.implementations.protocol import Capability, Outcome, OutcomeKind, Transition
from pytest_kitty.scenarios import inconclusive

from .size_limit import limiter

__all__ = [
    "LEVEL",
    "Call",
    "CommandFault",
    "Delay",
    "carrying_the_row",
    "cut",
    "delayed",
    "inject",
    "missing",
    "record",
]

LEVEL = "strace"

_CALLS = [
    "write",
    "pwrite64",
    "writev",
    "pwritev",
    "pwritev2",
    "sendfile",
    "copy_file_range",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "fsync",
    "fdatasync",
    "ftruncate",
    "truncate",
]
_LINE = re.compile(r"^(\d+) +(\w+)\((.*)$")
_DESCRIPTOR = re.compile(r"\b\d+<([^>]*)>")
_PATH = re.compile(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"')
_WRITTEN = re.compile(r", (\d+)(?:, \w+)?\) += (-?\d+)")


@dataclass(frozen=True, slots=True)
class Call:
    """One system call on a file of the mission.

    ``number``: the how-manieth of this name in its thread, as strace counts. ``there``: the how-manieth of those on the
    path that it has in every run, 0 when it has none. ``paths``: what it is on; a rename's source and target. ``main``:
    whether the command's first thread made it. ``size``: bytes that were written, None for others.
    """

    name: str
    number: int
    there: int
    paths: tuple[str, ...]
    main: bool
    size: int | None

    def __str__(self) -> str:
        return f"{self.name} {' -> '.join(os.path.basename(path) for path in self.paths)}"  # noqa: PTH119


@dataclass(frozen=True, slots=True)
class CommandFault:
    """A command that ran with a fault in it: what it did, as an outcome, and whether the fault struck."""

    outcome: Outcome
    struck: bool


def record(world: World, request: Transition) -> list[Call]:
    """Run the implementation's own command for ``request`` and return its calls on the mission's files, in order.

    Inconclusive when there is no strace, or the command makes no such call.
    """
    world.worlds.needs(Capability.SURFACE)
    _require()
    _, lines = _trace(world, request, ["-f"])
    calls = _calls(world, lines)
    if not calls:
        inconclusive(f"{LEVEL}: the command was seen to change no file of the mission")
    return calls


def carrying_the_row(world: World, calls: Iterable[Call]) -> Call:
    """Return the last write to the log, or to what became the log by a rename."""
    log = os.path.realpath(world.log)
    calls = list(calls)
    sources = {call.paths[0] for call in calls if len(call.paths) == 2 and call.paths[1] == log}
    writes = [call for call in calls if call.size and call.paths[0] in {log, *sources}]
    if not writes:
        inconclusive(f"{LEVEL}: no write carries the row")
    return writes[-1]


def inject(world: World, request: Transition, call: Call, fault: str) -> CommandFault:
    """Run the command for ``request`` with ``fault`` at ``call``, which was recorded in a world of the same shape.

    Arguments:
        fault: ``signal=KILL`` (before the call), ``error=ENOSPC``, or ``retval=N``: N bytes are claimed, none is written.
    """
    words = ["-e", f"inject={call.name}:{fault}:when={call.there or call.number}"]
    if path := _stable(world, call.paths):
        # Whatever else a program writes, to wake its own threads for one, may differ from run to run.
        words += ["-P", path]
    if not call.main:
        words.append("-f")
    done, lines = _trace(world, request, words)
    if fault == "signal=KILL":
        struck = any("killed by SIGKILL" in line for line in lines) and _same(world, call, _unfinished(lines))
        killed = Outcome(OutcomeKind.CRASHED, {"message": f"killed before {call}"})
        return CommandFault(killed if struck else _outcome(world, done), struck)
    hit = [line for line in lines if "(INJECTED)" in line]
    struck = len(hit) == 1 and _same(world, call, hit[0])
    if fault.startswith("retval=") and struck:
        claimed = _WRITTEN.search(hit[0])
        # More than was asked for: no disk does that.
        struck = claimed is not None and int(claimed[2]) <= int(claimed[1])
    return CommandFault(_outcome(world, done), struck)


def cut(world: World, request: Transition, written: int) -> Outcome | None:
    """Run the command for ``request`` and kill it when ``written`` bytes of the row are in the log.

    A limit on the size of files makes the write a short one, and whatever the command does to the log next is its end.
    None: it came to another end.
    """
    world.worlds.needs(Capability.SURFACE)
    _require()
    words = ["-f", "-P", os.path.realpath(world.log), "-e", "inject=write,pwrite64,writev:signal=KILL:when=2"]
    others = [name for name in _CALLS if "write" not in name]
    words += ["-e", f"inject={','.join(others)}:signal=KILL:when=1"]
    done, lines = _trace(world, request, words, before=limiter(world.log.stat().st_size + written))
    if not any("killed by SIGKILL" in line for line in lines):
        return None
    return Outcome(OutcomeKind.CRASHED, {"message": f"killed with {written} bytes written; {done.status}"})


@dataclass(frozen=True, slots=True)
class Delay:
    """A disk on which everything that changes the log waits first, for a program in any language."""

    wrapper: Sequence[str]
    marker: Path

    @property
    def acted(self) -> bool:
        """Whether the program has met it."""
        return self.marker.is_file() and self.marker.stat().st_size > 0


def delayed(world: World, seconds: float) -> Delay:
    """Return what starts a program so that each of its calls that changes the log waits for ``seconds`` first.

    Inconclusive when there is no strace.
    """
    _require()
    marker = world.worlds.base / f"delay-{world.rng.randrange(10**9)}"
    calls = ",".join(_CALLS)
    words = ["strace", "-f", "-qqq", "-o", str(marker), "-P", os.path.realpath(world.log), "-e", f"trace={calls}"]
    return Delay([*words, "-e", f"inject={calls}:delay_enter={int(seconds * 10**6)}", "--"], marker)


# --- inside


def _require() -> None:
    if problem := missing():
        inconclusive(f"{LEVEL}: {problem}")


@cache
def missing() -> str | None:
    """Return why nothing can be traced here."""
    if sys.platform != "linux":
        return f"there is none on {sys.platform}"
    if shutil.which("strace") is None:
        return "it is not installed"
    done = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, text=True, check=False)
    return done.stderr.strip()[:200] or f"exit status {done.returncode}" if done.returncode else None


def _trace(
    world: World, request: Transition, words: Sequence[str], before: Sequence[str] = ()
) -> tuple[CommandResult, list[str]]:
    output = world.worlds.base / f"trace-{world.rng.randrange(10**9)}"
    wrapper = [
        *before,
        "strace",
        "-y",
        "-s",
        "0",
        "-o",
        str(output),
        "-e",
        f"trace={','.join(['execve', *_CALLS])}",
        *words,
        "--",
    ]
    done = world.run(request, wrapper=wrapper)
    lines = output.read_text(encoding="utf-8", errors="replace").splitlines() if output.is_file() else []
    if "-f" not in words:
        lines = [f"1 {line}" for line in lines]
    return done, lines


def _calls(world: World, lines: Iterable[str]) -> list[Call]:
    counts: Counter[tuple[str, ...]] = Counter()
    calls: list[Call] = []
    first = ""
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            continue
        thread, name, rest = match.groups()
        first = first or thread  # the command's own execve
        counts[thread, name] += 1
        paths = _paths(name, rest)
        if stable := _stable(world, paths):
            counts[thread, name, stable] += 1
        if any(_ours(world, path) for path in paths):
            written = _WRITTEN.search(rest)
            size = int(written[2]) if written and "write" in name else None
            there = counts[thread, name, stable]
            calls.append(Call(name, counts[thread, name], there, paths, thread == first, size))
    return calls


def _paths(name: str, rest: str) -> tuple[str, ...]:
    """Return the files that a call is on, by its printed arguments."""
    if name.startswith(("rename", "link", "unlink", "truncate")):
        return tuple(os.path.realpath(os.path.join(folder or "/", path)) for folder, path in _PATH.findall(rest))  # noqa: PTH118
    return tuple(_DESCRIPTOR.findall(rest))


def _ours(world: World, path: str) -> bool:
    return Path(path).is_relative_to(os.path.realpath(world.mission.directory))


def _stable(world: World, paths: Iterable[str]) -> str:
    """Return one of ``paths`` that a call has in every run, by its name; empty when there is none."""
    known = [os.path.realpath(path) for path in (world.log, world.mission.paths.snapshot, world.mission.directory)]
    names = {os.path.basename(path) for path in paths}  # noqa: PTH119
    return next((path for path in known if os.path.basename(path) in names), "")  # noqa: PTH119


def _unfinished(lines: Sequence[str]) -> str:
    """Return the call that the killed thread never came back from."""
    killed = next((line.split()[0] for line in lines if "killed by SIGKILL" in line), "")
    made = [line for line in lines if _LINE.match(line) and line.split()[0] == killed]
    return made[-1] if made else ""


def _same(world: World, call: Call, line: str) -> bool:
    """Say whether a printed call is ``call`` in this world: names of temporary files may differ."""
    match = _LINE.match(line)
    if match is None or match[2] != call.name:
        return False
    paths = _paths(match[2], match[3])
    log = os.path.realpath(world.log)
    was_log = os.path.basename(call.paths[-1]) == os.path.basename(log)  # noqa: PTH119
    return any(_ours(world, path) for path in paths) and (paths[-1] == log) is was_log


def _outcome(world: World, done: CommandResult) -> Outcome:
    """Return what a command claims: success by its status; anything else leaves open what has happened."""
    if done.status == 0:
        printed = done.json()
        value = dict(printed) if isinstance(printed, dict) else {}
        if value.get("event_id"):
            world.acknowledged.append(value)
        return Outcome(OutcomeKind.OK, value)
    told: Any = None
    for text in (done.stdout, done.stderr):
        try:
            told = told or json.loads(text)
        except ValueError:
            continue
    value = told if isinstance(told, dict) else {}
    return Outcome(OutcomeKind.UNKNOWN, {"message": f"exit status {done.status}", **value})
