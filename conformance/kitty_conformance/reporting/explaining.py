"""What a clause, a scenario, a finding or a diagnostic code means."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterator

from kitty_conformance.catalogue import clauses, findings, scenarios
from kitty_conformance.mutants import mutants
from kitty_reliability.formats.diagnostics import TABLE

__all__ = ["explain", "known_ids"]


def explain(name: str) -> str | None:
    """Return the explanation of ``name`` as text; None when nothing has that name.

    A scenario may be named with its parameters.
    """
    for known, explanation in (
        (clauses(), _clause),
        (scenarios(), _scenario),
        (findings(), _finding),
        (TABLE, _code),
    ):
        wanted = name.partition("[")[0] if known is scenarios() else name
        if wanted in known:
            return "\n".join(explanation(wanted))
    return None


def known_ids(near: str) -> list[str]:
    """Return the names that look like ``near``."""
    return difflib.get_close_matches(
        near.upper() if near.upper() in clauses() else near,
        [*clauses(), *scenarios(), *findings(), *TABLE],
        n=3,
        cutoff=0.6,
    )


def _clause(name: str) -> Iterator[str]:
    clause = clauses()[name]
    sides = {"R": "a reader", "W": "a writer", "G": "a gate"}
    yield f"{name} is a clause; it binds {' and '.join(sides[side] for side in clause['side'].split('/'))}."
    yield _wrapped(str(clause["promise"]))
    for profile, promise in clause.get("profiles", {}).items():
        yield _wrapped(f"Under {profile}: {promise}")
    yield f"\nIt comes from {', '.join(clause['source'])}."
    yield "\nScenarios:"
    for scenario in scenarios().values():
        if name in scenario.clauses:
            yield from _entry(scenario.name, scenario.promise)
    yield "\nMistakes that they catch (mutants):"
    for mutant in mutants().values():
        if mutant.clause == name:
            yield from _entry(f"{mutant.name}: {mutant.finding}", str(mutant.__doc__))


def _scenario(name: str) -> Iterator[str]:
    scenario = scenarios()[name]
    yield f"{name} is a scenario of {', '.join(scenario.clauses)}, in {scenario.module}."
    yield _wrapped(scenario.promise)
    for clause in scenario.clauses:
        yield from _entry(clause, str(clauses()[clause]["promise"]))
    caught = [mutant for mutant in mutants().values() if mutant.scenario == name]
    if caught:
        yield "\nMistakes that it catches (mutants):"
    for mutant in caught:
        yield from _entry(f"{mutant.name}: {mutant.finding}", str(mutant.__doc__))
    yield f"\nAgain: kitty-conform run IMPLEMENTATION --clause {scenario.clauses[0]} --details -- -k {name}"


def _finding(name: str) -> Iterator[str]:
    yield f"{name} is a finding: why a scenario failed."
    yield _wrapped(findings()[name])
    caught = [mutant for mutant in mutants().values() if mutant.finding == name]
    if caught:
        yield "\nMistakes that show as this (mutants):"
    for mutant in caught:
        yield from _entry(f"{mutant.clause} {mutant.name}", str(mutant.__doc__))


def _code(name: str) -> Iterator[str]:
    entry = TABLE[name]
    yield f"{name} is a diagnostic code; it keeps {entry.invariant}."
    yield from _entry("What happened", entry.message)
    yield from _entry("What to do", entry.remediation)
    if entry.invariant in clauses():
        yield from _entry(entry.invariant, str(clauses()[entry.invariant]["promise"]))


def _entry(head: str, text: str) -> Iterator[str]:
    yield f"\n  {head}"
    yield textwrap.indent(_wrapped(text), "      ")


def _wrapped(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), 110)
