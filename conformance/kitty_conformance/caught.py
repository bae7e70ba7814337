"""Which assertion of the suite catches which mutant or null: each is there for somebody, or is said to be for nobody yet.

``caught.json`` says of each assertion who has to be caught there: a mutant, by its own scenario unless another one is
named, a null with the scenario, or who goes wrong late (``mutants.late``); null where nobody is known. An assertion that
is taken away catches nobody.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from .assertions import assertions
from .bench import Judged
from .catalogue import scenarios
from .mutants.late import OF_COMMANDS, REFUSERS, SPOILERS

__all__ = ["SEARCHED", "Caught", "late", "read", "to_run"]

_Record = Mapping[str, str | None]

#: Who is tried by an assertion that nobody is known for: those who fail soon and cheaply first.
SEARCHED: Final = (
    *(f"null:{name}" for name in ("refuse", "accept", "amnesiac")),
    *(f"mutant:{kind}@1" for kind in OF_COMMANDS),
    *(f"mutant:{kind}@{number}" for number in range(1, 9) for kind in ("refuse", "accept", *SPOILERS, *REFUSERS)),
)

#: Where several act at once or somebody is killed: which assertion is the first to fail differs from run to run.
_CHANCE: Final = (
    "test_concurrency.py",
    "test_interrupted_starts.py",
    "test_one_of_several_starting_wins",
    "test_prompts_that_are_asked_for_at_once_are_apart",
)


@cache
def read() -> _Record:
    """Return who is caught at which assertion, by the assertion's id."""
    record: dict[str, str | None] = json.loads(
        files("kitty_conformance").joinpath("caught.json").read_text(encoding="utf-8")
    )
    return record


def late() -> list[str]:
    """Return who goes wrong late, and is caught somewhere."""
    return sorted({who.partition(" ")[0] for who in read().values() if who is not None and "@" in who})


def to_run(spec: str, clauses: Iterable[str] = ()) -> list[str]:
    """Return the scenarios, of ``clauses`` when any are given, that ``spec`` is caught by besides its own."""
    asked = set(clauses)
    named = {who.partition(" ")[2] for who in read().values() if who is not None and who.startswith(f"{spec} ")}
    return sorted(name for name in named if not asked or asked & set(scenarios()[name].clauses))


class Caught:
    """What was caught where, in the runs of a certificate."""

    def __init__(self) -> None:
        #: Who was run -> the assertions that caught it.
        self._by: dict[str, set[str]] = {}
        #: Everybody that was run, caught or not.
        self._run: set[str] = set()

    def add(self, spec: str, judged: Judged, also: Iterable[str], own: str = "", finding: str = "") -> None:
        """Take in a run of ``spec`` that ``also`` were asked for, and whose ``own`` scenario has to find ``finding``."""
        self._run |= {spec, *(f"{spec} {name}" for name in also)}
        for seen in judged.scenarios:
            name = seen.scenario.partition("[")[0]
            # Who knows nothing or goes wrong by number does so whatever the others do.
            certain = "@" in spec or spec.startswith("null:") or not _by_chance(name)
            if certain and (name != own or seen.finding == finding):
                self._by.setdefault(spec if name == own else f"{spec} {name}", set()).update(seen.caught)

    def missed(self) -> list[str]:
        """Return who was run and is not caught by every assertion that is said to catch it."""
        return sorted({who for name, who in read().items() if who in self._run and name not in self._by.get(who, ())})

    def faults(self) -> list[str]:
        """Say which assertion did not catch whom it is said to catch, of those that were run, or is gone."""
        said = [
            f"{name}, which caught {who or 'nobody that is known'}, is not in the suite any more"
            for name, who in read().items()
            if name not in assertions()
        ]
        said += [
            f"{name}: {who} is not caught by this assertion: {assertions().get(name, 'it is gone')}"
            for name, who in read().items()
            if who in self._run and name not in self._by.get(who, ())
        ]
        return said

    def open(self) -> list[tuple[str, ...]]:
        """Return the scenarios with an assertion that caught nobody, those of one module together."""
        idle = {name.split(" ")[0].rpartition(".")[2] for name, who in self.record().items() if who is None}
        modules: dict[str, list[str]] = {}
        for scenario in scenarios().values():
            if scenario.name in idle:
                modules.setdefault(scenario.module, []).append(scenario.name)
        return [tuple(names) for names in modules.values()]

    def unknown(self) -> list[str]:
        """Return the assertions of which nothing is said."""
        return sorted(assertions().keys() - read().keys())

    def record(self) -> dict[str, str | None]:
        """Return what to write down: who was caught where, as before where that still holds, and mutants before nulls."""
        before = read()
        found: dict[str, str | None] = {}
        for name in sorted(assertions()):
            by = sorted((who for who, caught in self._by.items() if name in caught), key=_preferred)
            known = before.get(name)
            found[name] = known if known in by else by[0] if by else None
        return found


def _by_chance(scenario: str) -> bool:
    known = scenarios().get(scenario)
    return known is not None and (known.module in _CHANCE or scenario in _CHANCE)


def _preferred(who: str) -> tuple[bool, bool, str]:
    spec, _, scenario = who.partition(" ")
    return not spec.startswith("mutant:"), bool(scenario), who
