"""Another way to keep the promises of SYN, and mistakes in it: a field of the JSON, and a database of what is yet to be told.

``tells-in-a-field`` makes no mistake. The reference has neither, so it shows that the suite can look at both.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from kitty_reliability.implementations.protocol import Hello, Outcome, Request, Surface
from kitty_reliability.reference.syncing import FinalSync, SyncDiagnostic

from .base import Mutant, Reference, declare

__all__ = ["MUTANTS", "VARIANTS", "TellsInAField"]

_FIELD = "sync_diagnostics"


class _Keeping(FinalSync):
    """Writes what is to be told into a database first; tells of it on stderr only where there is no JSON."""

    #: How long it waits for the database, in seconds.
    patience: ClassVar[float] = 1.0

    def finish(self, request: Request, outcome: Outcome, *, as_json: bool) -> None:
        if not as_json:
            super().finish(request, outcome, as_json=as_json)

    def sync(self, request: Any, outcome: Outcome) -> list[SyncDiagnostic]:
        try:
            self.keep(json.dumps(dict(outcome.value)))
        except sqlite3.Error as error:
            return self.not_kept(error)
        return super().sync(request, outcome)

    def keep(self, message: str) -> None:
        with closing(sqlite3.connect(Path.home() / "outbox.db", timeout=self.patience)) as database, database:
            database.execute("create table if not exists outbox (message text)")
            database.execute("insert into outbox values (?)", (message,))

    def not_kept(self, error: sqlite3.Error) -> list[SyncDiagnostic]:
        return [SyncDiagnostic("sync.store_failure", f"it cannot be written down ({type(error).__name__})")]


class TellsInAField(Reference):
    """The diagnostics of sync stand in a field of the JSON; with text they are lines on stderr."""

    name = "tells-in-a-field"
    command = ("-m", "kitty_conformance.mutants", "tells-in-a-field")
    sync_class = _Keeping

    def hello(self, request: Hello) -> Outcome:
        """Declare both."""
        outcome = super().hello(request)
        return replace(outcome, value={**outcome.value, "sync_field": _FIELD, "sync_store": "*.db"})

    def surface(self, request: Surface) -> Outcome:
        """Name the command, with a home of its own for the database."""
        outcome = super().surface(request)
        home = Path(outcome.value["cwd"]).absolute() / ".kittify" / "home"
        if request.sync_address is not None:
            home.mkdir(parents=True, exist_ok=True)
        return replace(outcome, value={**outcome.value, "env": {"HOME": str(home), "USERPROFILE": str(home)}})

    def answer(self, request: Request) -> Outcome:
        """Sync before the result is told, when it is the command that is asked for JSON."""
        outcome = super().answer(request)
        if "--format=json" not in sys.argv or not outcome.ok:
            return outcome
        found = self.final_sync.found(request, outcome)
        return replace(outcome, value={**outcome.value, _FIELD: self.told(found)} if found else outcome.value)

    def told(self, found: list[SyncDiagnostic]) -> Any:
        """Return what stands in the field."""
        return [one.as_dict() for one in found]


class _OnStdoutToo(TellsInAField):
    def told(self, found: list[SyncDiagnostic]) -> Any:
        for one in found:
            print(one.line(as_json=True))
        return super().told(found)


class _InSentences(TellsInAField):
    def told(self, found: list[SyncDiagnostic]) -> Any:
        return [one.message for one in found]


class _DiesOfItsStore(_Keeping):
    def not_kept(self, error: sqlite3.Error) -> list[SyncDiagnostic]:
        print(f"outbox: {error}", file=sys.stderr)
        raise SystemExit(1)


class _SilentOfItsStore(_Keeping):
    def not_kept(self, error: sqlite3.Error) -> list[SyncDiagnostic]:
        print(f"nothing will be told: {error}", file=sys.stderr)
        return []


class _TellsOfItsStoreOnStdout(_Keeping):
    def not_kept(self, error: sqlite3.Error) -> list[SyncDiagnostic]:
        print(f"outbox: {error}")
        return super().not_kept(error)


class _RedForItsStore(_Keeping):
    def not_kept(self, error: sqlite3.Error) -> list[SyncDiagnostic]:
        print(f"\x1b[31moutbox: {error}\x1b[0m", file=sys.stderr)
        return super().not_kept(error)


class _WaitsForItsStore(_Keeping):
    patience = 10_000.0


def _field(clause: str, name: str, scenario: str, finding: str, mistake: str, part: type[Any]) -> type[Mutant]:
    adapter = part if issubclass(part, Reference) else type("BrokenVariant", (TellsInAField,), {"sync_class": part})
    return declare(clause, name, scenario, finding, mistake, adapter=adapter)


VARIANTS: list[type[Reference]] = [TellsInAField]
# fmt: off
MUTANTS: list[type[Mutant]] = [
    _field("SYN-001", "dies-of-its-store", "test_a_store_that_cannot_be_used_costs_no_success", "wrong-exit-status",
           "What is yet to be told cannot be written down, and the command ends with 1.", _DiesOfItsStore),
    _field("SYN-002", "field-and-stdout", "test_stdout_is_one_json_value", "stdout-polluted",
           "The diagnostic stands in the declared field, and on a line of stdout as well.", _OnStdoutToo),
    _field("SYN-002", "tells-of-its-store-on-stdout", "test_a_damaged_store_leaves_stdout_alone", "stdout-polluted",
           "What is wrong with the database is printed where the result stands.", _TellsOfItsStoreOnStdout),
    _field("SYN-004", "field-of-sentences", "test_a_diagnostic_has_all_its_keys", "diagnostic-missing",
           "The declared field holds sentences that no program can read.", _InSentences),
    _field("SYN-004", "warns-of-its-store", "test_a_damaged_store_is_told_of_by_a_diagnostic", "diagnostic-missing",
           "What is lost with the database is a sentence on stderr, as released versions do it.", _SilentOfItsStore),
    _field("SYN-006", "red-for-its-store", "test_a_damaged_store_does_not_look_like_a_failure", "failure-styled",
           "What is wrong with the database is told in red.", _RedForItsStore),
    _field("SYN-009", "waits-for-its-store", "test_a_locked_store_holds_nothing_up", "hang",
           "Whoever writes to the database is waited for, for ever.", _WaitsForItsStore),
]
# fmt: on
