"""What a reader of a report wants to see, in the order in which they want it, for every form that a person reads."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kitty_conformance.catalogue import clauses, findings
from kitty_reliability.formats.profiles import PROFILES
from kitty_reliability.formats.visible import visible_line
from kitty_reliability.implementations.protocol import Capability

from .document import Document

__all__ = ["ClauseLine", "View"]

Result = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ClauseLine:
    """A clause, what it came to and the scenarios that were run for it."""

    id: str
    verdict: str
    promise: str
    tally: str
    results: list[Result]


class View:
    """The parts of a report, ready to be drawn. Every text is made visible; escaping is up to who draws."""

    def __init__(self, document: Document) -> None:
        shown = document.shown()
        self.header = shown.header
        self.results = shown.results
        self.footer: Mapping[str, Any] = shown.footer or {}

    @property
    def subject(self) -> str:
        """Name and version of the implementation."""
        return visible_line(f"{self.header['implementation']['name']} {self.header['implementation']['version']}")

    @property
    def sentence(self) -> str:
        """The whole result; of a run that did not come to its end, that."""
        return str(self.footer.get("sentence") or "the run did not come to its end: nothing is said of the whole")

    @property
    def state(self) -> str:
        """``conforms``, ``deviates as known``, ``violated``, ``undecided`` or ``no result``."""
        words = {0: "deviates as known", 1: "violated", 2: "undecided", 4: "violated"}
        if self.footer.get("conforms"):
            return "conforms"
        return words.get(self.footer.get("exit_status", 3), "no result")

    @cached_property
    def clauses(self) -> list[ClauseLine]:
        """The clauses of the footer, in its order."""
        return [
            ClauseLine(clause, verdict, str(clauses().get(clause, {}).get("promise", "")), _tally(run), run)
            for clause, verdict in self.footer.get("clauses", {}).items()
            for run in [[result for result in self.results if clause in result["clauses"]]]
        ]

    def promise(self, clause: str) -> str:
        """Return what the clause promises, in the profile that was judged by."""
        known = clauses().get(clause, {})
        return str(known.get("profiles", {}).get(self.header["profile"]) or known.get("promise", ""))

    def meaning(self, finding: str | None) -> str:
        """Return what a finding means."""
        return findings().get(finding or "", "")

    def of(self, *verdicts: str) -> list[Result]:
        """Return the results with one of ``verdicts``, by clause and name."""
        chosen = [result for result in self.results if result["verdict"] in verdicts]
        order = {one.id: number for number, one in enumerate(self.clauses)}
        return sorted(chosen, key=lambda one: (min(order.get(c, 999) for c in one["clauses"]), one["scenario"]))

    @property
    def undecided(self) -> list[tuple[str, str]]:
        """Scenario and reason for each that came to no decision."""
        found = [(one["scenario"], one["detail"]) for one in self.of("inconclusive", "error")]
        return found + [(scenario, "not run to its end") for scenario in self.footer.get("not_decided", ())]

    @property
    def not_tested(self) -> list[tuple[str, str]]:
        """What the run says nothing about, and why."""
        missing = [(f"clause {clause}", "no scenario of it was run") for clause in self.footer.get("not_run", ())]
        missing += [
            (f"faults of the level {level}", state)
            for level, state in self.header["faults"].items()
            if state != "available"
        ]
        for reason, count in sorted(Counter(one["detail"] for one in self.of("not applicable")).items()):
            missing.append((f"{count} scenario{'s' * (count > 1)}", reason))
        others = [name for name in PROFILES if name != self.header["profile"]]
        missing += [(f"profile {name}", "this run was judged by another one") for name in others]
        return missing

    @property
    def capabilities(self) -> tuple[list[str], list[str]]:
        """The capabilities that are claimed, and those that are not."""
        claimed = set(self.header["implementation"]["capabilities"])
        return sorted(claimed), sorted({str(one) for one in Capability} - claimed)

    @property
    def environment(self) -> list[tuple[str, str]]:
        """What the run was made with."""
        told = self.header
        rows = [
            ("Suite", told["suite"]),
            ("Protocol", str(told["protocol"])),
            ("Clauses", f"{told['contract']['clauses']}, {told['contract']['hash']}"),
            ("Seed", str(told["seed"])),
            ("Python", told["environment"]["python"]),
            ("pytest", told["environment"]["pytest"]),
            ("System", f"{told['environment']['system']}, {told['environment']['machine']}"),
            ("Began", told["began"]),
        ]
        rows += [(f"Faults: {level}", state) for level, state in told["faults"].items()]
        if self.footer:
            rows += [
                ("Took", f"{self.footer['seconds']:.0f} s"),
                ("Exit status", str(self.footer["exit_status"])),
                ("Scenarios", f"{self.footer['results']} of {self.footer['collected']} came to a result"),
            ]
        return rows

    def command(self, result: Result) -> str:
        """Return the command that runs one scenario again, with the same draws."""
        name = result["scenario"].partition("[")[0]
        words = ["kitty-conform", "run", self.header["implementation"]["spec"], "--profile", self.header["profile"]]
        words += ["--seed", str(self.header["seed"]), "--clause", result["clauses"][0], "--details", "--", "-k", name]
        return shlex.join(words)

    def reproduction(self, result: Result) -> Mapping[str, Any]:
        """Return ``folder``, or ``reason`` why there is none, of a failure; empty when none was asked for."""
        found: Mapping[str, Any] = self.footer.get("reproductions", {}).get(result["scenario"], {})
        return found


def _tally(results: Iterable[Result]) -> str:
    counts = Counter(str(result["verdict"]) for result in results)
    words = {"pass": "passed", "fail": "failed", "error": "in error"}
    return ", ".join(f"{count} {words.get(verdict, verdict)}" for verdict, count in counts.items())
