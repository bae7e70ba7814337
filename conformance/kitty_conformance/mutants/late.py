"""Mistakes that are made late: the reference, until the Nth thing that is asked of a repository.

A program that knows nothing is caught by the first thing that has to succeed. What stands behind that in a scenario is
there for who gets so far; ``mutant:KIND@N`` does, and goes wrong then. Each counts for itself, in each process.
``mutant:KIND@M.N`` leaves the worlds of a scenario alone that are before its Mth.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, redirect_stdout
from functools import partial
from io import StringIO
from typing import Any, Final

from kitty_conformance.nulls import NULLS
from kitty_reliability.formats.diagnostics import DiagnosticError
from kitty_reliability.formats.mission import MissionPaths
from kitty_reliability.implementations.protocol import Outcome, OutcomeKind, Request
from kitty_reliability.reference.adapter import Reference
from kitty_reliability.reference.commands import main

#: How a world of a scenario is called, in the order in which they are built.
_WORLD: Final = re.compile(r"[\\/]world-(\d+)\b")

__all__ = ["KINDS", "OF_COMMANDS", "REFUSERS", "SPOILERS", "Late", "create"]


class Late(Reference):
    """The reference, which goes wrong from the Nth thing on that is asked about a repository."""

    def __init__(self, kind: str, world: int, number: int) -> None:
        super().__init__()
        self.name = f"{kind}@{number}" if world == 1 else f"{kind}@{world}.{number}"
        self.command = ("-m", "kitty_conformance.mutants", self.name)
        self._world = world
        self._number = number
        self._null = NULLS["refuse" if kind in REFUSERS else kind]() if kind in (*NULLS, *REFUSERS) else None
        self._spoil = {**SPOILERS, **REFUSERS}.get(kind)
        self._asked: Counter[str] = Counter()

    def run(self, argv: Sequence[str]) -> int:
        """Run a command, by mistake in a world that is late enough, and return its exit status."""
        kind = "" if self._is_early(" ".join(argv)) else self.name.partition("@")[0]
        printed = StringIO()
        if kind == "chatter":
            print("\x1b[33mHint: there is a newer version\x1b[0m")
        if kind == "trace":
            print("Traceback (most recent call last)", file=sys.stderr)
        with redirect_stdout(printed) if kind == "wrap" else nullcontext():
            status = main(argv, self)
        if kind == "wrap":
            print(f"[{printed.getvalue()}]")
        return int(not status) if kind == "end" else status

    def answer(self, request: Request) -> Outcome:
        """Answer ``request``, by mistake when it is late enough."""
        root = getattr(getattr(request, "request", request), "root", None)
        if root is None:
            return super().answer(request)
        self._asked[root] += 1
        if self._asked[root] < self._number or self._is_early(root):
            return super().answer(request)
        outcome = super().answer(request) if self._null is None else self._null.answer(request)
        return self._spoil(self, request, outcome) if self._spoil is not None else outcome

    def _is_early(self, text: str) -> bool:
        world = _WORLD.search(text)
        return world is not None and int(world[1]) < self._world

    def log_of(self, request: Any) -> MissionPaths | None:
        """Return the paths of the mission that ``request`` is about, if there is one."""
        try:
            return self.workflow.find(request.root, request.mission)
        except (AttributeError, DiagnosticError):
            return None


def _bare(late: Late, request: Any, outcome: Outcome) -> Outcome:  # noqa: ARG001 - one signature
    """Decline with a sentence that names nothing."""
    return Outcome(outcome.kind, {"message": "no"}) if outcome.declined else outcome


def _doubt(late: Late, request: Any, outcome: Outcome) -> Outcome:
    """Lose the first row of the log, and do not know what became of it."""
    _lose(late, request, outcome)
    return Outcome(OutcomeKind.UNKNOWN, {"message": "it may have happened"})


def _meddle(late: Late, request: Any, outcome: Outcome) -> Outcome:
    """Leave something in the log, whatever was asked."""
    paths = late.log_of(request)
    if paths is not None and paths.log.is_file():
        with paths.log.open("ab") as log:
            log.write(b"\n")
    return outcome


def _lose(late: Late, request: Any, outcome: Outcome) -> Outcome:
    """Lose the first row of the log, whatever was asked."""
    paths = late.log_of(request)
    if paths is not None and paths.log.is_file():
        paths.log.write_bytes(paths.log.read_bytes().partition(b"\n")[2])
    return outcome


def _agree(late: Late, request: Any, outcome: Outcome) -> Outcome:  # noqa: ARG001 - one signature
    """Say yes to what is to be declined."""
    return NULLS["accept"]().answer(request) if outcome.declined else outcome


def _spite(late: Late, request: Any, outcome: Outcome) -> Outcome:
    """Decline, and leave something in the log."""
    return _meddle(late, request, outcome) if outcome.declined else outcome


def _rob(late: Late, request: Any, outcome: Outcome) -> Outcome:
    """Decline, and lose the first row of the log."""
    return _lose(late, request, outcome) if outcome.declined else outcome


def _misread(late: Late, request: Any, outcome: Outcome) -> Outcome:  # noqa: ARG001 - one signature
    """Say of each work package that it is where it was not."""
    lanes = outcome.value.get("lanes")
    if lanes is None:
        return outcome
    said = {name: "blocked" if lane != "blocked" else "planned" for name, lane in lanes.items()}
    return Outcome(outcome.kind, {**outcome.value, "lanes": said})


def _turn(late: Late, request: Any, outcome: Outcome) -> Outcome:  # noqa: ARG001 - one signature
    """Let pass what blocks, and block what passes."""
    value = dict(outcome.value)
    if "blocked" in value:
        value["blocked"] = not value["blocked"]
    if "outcome" in value:
        value["outcome"] = "scope_violation" if value["outcome"] == "allowed" else "allowed"
    return Outcome(outcome.kind, value)


def _empty(late: Late, request: Any, outcome: Outcome) -> Outcome:  # noqa: ARG001 - one signature
    """Have nothing in any list, take a change for none, and count one too many."""
    value = {key: [] if isinstance(value, list) else value for key, value in outcome.value.items()}
    value |= {key: value[key] + 1 for key in ("ahead", "behind") if isinstance(value.get(key), int)}
    value |= {"changed": not value["changed"]} if "changed" in value else {}
    return Outcome(outcome.kind, value)


def _thin(late: Late, request: Any, outcome: Outcome) -> Outcome:  # noqa: ARG001 - one signature
    """Decline with a code and a sentence, and name nothing else."""
    kept = {key: value for key, value in outcome.value.items() if key in ("diagnostic_code", "message")}
    return Outcome(outcome.kind, kept) if outcome.declined else outcome


def _astray(late: Late, request: Any, outcome: Outcome) -> Outcome:  # noqa: ARG001 - one signature
    """Name another file than the one that it is about."""
    named = {key: f"{value}~" for key, value in outcome.value.items() if "path" in key and isinstance(value, str)}
    return Outcome(outcome.kind, {**outcome.value, **named})


def _nowhere(late: Late, request: Any, outcome: Outcome) -> Outcome:  # noqa: ARG001 - one signature
    """Name a program that is not there."""
    value = dict(outcome.value)
    value |= {"argv": ["no-such-program"]} if "argv" in value else {}
    value |= {"commands": [["no-such-program"]]} if value.get("commands") else {}
    return Outcome(outcome.kind, value)


def _skew(late: Late, request: Any, outcome: Outcome) -> Outcome:
    """Leave a snapshot of something else beside the log."""
    paths = late.log_of(request)
    if paths is not None and paths.snapshot.is_file():
        text = paths.snapshot.read_bytes().replace(b'"lane":', b'"line":')
        paths.snapshot.write_bytes(text.replace(b'"event_count":', b'"event_counts":'))
    return outcome


def _break(late: Late, request: Any, outcome: Outcome) -> Outcome:
    """Leave half a snapshot beside the log."""
    paths = late.log_of(request)
    if paths is not None and paths.snapshot.is_file():
        paths.snapshot.write_bytes(b"{")
    return outcome


def _twist(late: Late, request: Any, outcome: Outcome) -> Outcome:
    """Count one too many of everything in a snapshot, told and written."""
    return _rewritten(late, request, outcome, lambda value: value + 1 if type(value) is int else value)


def _swap(late: Late, request: Any, outcome: Outcome) -> Outcome:
    """Have other words in a snapshot, told and written."""
    return _rewritten(late, request, outcome, lambda value: f"{value}~" if isinstance(value, str) else value)


def _rewritten(late: Late, request: Any, outcome: Outcome, change: Callable[[Any], Any]) -> Outcome:
    paths = late.log_of(request)
    if paths is None or "snapshot" not in outcome.value:
        return outcome

    def anew(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: anew(item) for key, item in value.items()}
        return [anew(item) for item in value] if isinstance(value, list) else change(value)

    snapshot = anew(outcome.value["snapshot"])
    paths.snapshot.write_text(json.dumps(snapshot), encoding="utf-8")
    return Outcome(outcome.kind, {**outcome.value, "snapshot": snapshot})


#: What becomes of the answers of the reference.
SPOILERS: Final = {
    "bare": _bare, "meddle": _meddle, "lose": _lose, "agree": _agree, "spite": _spite, "rob": _rob,
    "misread": _misread, "turn": _turn, "empty": _empty, "skew": _skew, "break": _break,
    "thin": _thin, "astray": _astray, "nowhere": _nowhere, "twist": _twist, "swap": _swap,
}  # fmt: skip
#: Refuse everything, and that is not all.
REFUSERS: Final = {"sulk": _meddle, "smash": _lose, "mumble": _bare, "doubt": _doubt}
#: Commands that end with 0 where they have to fail and the other way round, say more, or print a list of their one value.
OF_COMMANDS: Final = ("end", "chatter", "trace", "wrap")
KINDS: Final = (*NULLS, *SPOILERS, *REFUSERS, *OF_COMMANDS)


def create(name: str) -> Callable[[], Reference]:
    """Return what makes the program called ``name``, KIND@N; LookupError with the known kinds otherwise."""
    kind, _, when = name.partition("@")
    world, _, number = when.rpartition(".")
    if kind not in KINDS or not (world or "1").isdecimal() or not number.isdecimal():
        raise LookupError(f"unknown mistake {name!r}; known, each with @N behind it: {', '.join(KINDS)}")
    return partial(Late, kind, int(world or 1), int(number))
