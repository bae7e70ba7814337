"""Mistakes that are made late: the reference, until the Nth thing that is asked of a repository.

A program that knows nothing is caught by the first thing that has to succeed. What stands behind that in a scenario is
there for who gets so far; ``mutant:KIND@N`` does, and goes wrong then. Each counts for itself, in each process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from kitty_conformance.nulls import NULLS
from kitty_reliability.formats.diagnostics import DiagnosticError
from kitty_reliability.formats.mission import MissionPaths
from kitty_reliability.implementations.protocol import Outcome, Request
from kitty_reliability.reference.adapter import Reference

__all__ = ["KINDS", "Late", "create"]


class Late(Reference):
    """The reference, which goes wrong from the Nth thing on that is asked about a repository."""

    def __init__(self, kind: str, number: int) -> None:
        super().__init__()
        self.name = f"{kind}@{number}"
        self.command = ("-m", "kitty_conformance.mutants", self.name)
        self._number = number
        self._null = NULLS[kind]() if kind in NULLS else None
        self._spoil = _SPOILERS.get(kind)
        self._asked: Counter[str] = Counter()

    def answer(self, request: Request) -> Outcome:
        """Answer ``request``, by mistake when it is late enough."""
        root = getattr(getattr(request, "request", request), "root", None)
        if root is None:
            return super().answer(request)
        self._asked[root] += 1
        if self._asked[root] < self._number:
            return super().answer(request)
        if self._null is not None:
            return self._null.answer(request)
        outcome = super().answer(request)
        return self._spoil(self, request, outcome) if self._spoil is not None else outcome

    def log_of(self, request: Any) -> MissionPaths | None:
        """Return the paths of the mission that ``request`` is about, if there is one."""
        try:
            return self.workflow.find(request.root, request.mission)
        except (AttributeError, DiagnosticError):
            return None


def _bare(late: Late, request: Any, outcome: Outcome) -> Outcome:  # noqa: ARG001 - one signature
    """Decline with a sentence that names nothing."""
    return Outcome(outcome.kind, {"message": "no"}) if outcome.declined else outcome


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


_SPOILERS: Final = {"bare": _bare, "meddle": _meddle, "lose": _lose}
KINDS: Final = (*NULLS, *_SPOILERS)


def create(name: str) -> Callable[[], Reference]:
    """Return what makes the program called ``name``, KIND@N; LookupError with the known kinds otherwise."""
    kind, _, number = name.partition("@")
    if kind not in KINDS or not number.isdecimal():
        raise LookupError(f"unknown mistake {name!r}; known, each with @N behind it: {', '.join(KINDS)}")
    return partial(Late, kind, int(number))
