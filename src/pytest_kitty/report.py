"""Clause verdicts, put together from the verdicts of scenarios (conformance-kit: "Verdicts"). PYTEST_DONT_REWRITE"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import pytest
from _pytest.outcomes import Skipped

from kitty_reliability.formats.visible import visible

from .scenarios import InconclusiveScenario, NotApplicable, ScenarioFailure

__all__ = ["FAMILIES", "ClauseReport", "ClauseVerdict", "ScenarioResult", "Verdict", "record"]

#: The first words of the ids of clauses, in the order of the contract.
FAMILIES: Final = ("STA", "LOG", "RPM", "DIF", "OWN", "SYN", "MSP", "RAC", "SEC")


class Verdict(StrEnum):
    """What a scenario came to."""

    PASS = "pass"
    FAIL = "fail"
    #: It failed as a list of known deviations says that it does.
    KNOWN = "known deviation"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not applicable"
    ERROR = "error"


class ClauseVerdict(StrEnum):
    """What a clause came to."""

    HOLDS = "holds"
    VIOLATED = "violated"
    UNDECIDED = "undecided"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """The verdict of one scenario.

    ``detail`` is what was observed, the reason, or how much of it was done; ``story`` what was built and asked;
    ``seconds`` how long that took. ``deviation`` is what a list of known deviations, or ``kitty_xfail``, says of its failure.
    """

    scenario: str
    clauses: tuple[str, ...]
    verdict: Verdict
    finding: str = ""
    detail: str = ""
    story: str = ""
    seconds: float = 0.0
    deviation: Mapping[str, Any] | None = None


def record(
    report: pytest.TestReport,
    call: pytest.CallInfo[None],
    clauses: list[str],
    expected: Mapping[str, str] | None = None,
) -> None:
    """Put the scenario's verdict on ``report``, as plain data; ``expected`` is what ``kitty_xfail`` says of it."""
    error = None if call.excinfo is None else call.excinfo.value
    if report.when == "call" or error is not None:
        verdict, finding, detail = _judge(error)
        if verdict is Verdict.PASS:
            detail = str(dict(report.user_properties).get("scale", ""))
        value: dict[str, Any] = {
            "clauses": clauses,
            "verdict": str(verdict),
            "finding": finding,
            # Halves of characters do not survive the way from a worker.
            "detail": detail.encode("utf-8", "backslashreplace").decode("utf-8"),
            "story": str(getattr(error, "story", "")).encode("utf-8", "backslashreplace").decode("utf-8"),
        }
        if expected is not None and report.skipped and hasattr(report, "wasxfail"):
            value |= {"verdict": str(Verdict.KNOWN), "deviation": dict(expected)}
        report.user_properties.append(("kitty", value))


def _judge(error: BaseException | None) -> tuple[Verdict, str, str]:
    if error is None:
        return Verdict.PASS, "", ""
    if isinstance(error, ScenarioFailure):
        return Verdict.FAIL, str(error.finding), error.observed
    text = str(error).strip()
    first = text.splitlines()[0] if text else type(error).__name__
    if isinstance(error, NotApplicable):
        return Verdict.NOT_APPLICABLE, "", first
    if isinstance(error, InconclusiveScenario | Skipped):
        return Verdict.INCONCLUSIVE, "", first
    if isinstance(error, AssertionError):
        return Verdict.FAIL, "unnamed", first
    return Verdict.ERROR, "", f"{type(error).__name__}: {first}"


@dataclass
class ClauseReport:
    """Everything that the scenarios of one run found."""

    results: dict[str, ScenarioResult] = field(default_factory=dict)

    def add(self, report: pytest.TestReport) -> None:
        """Take the verdict on ``report`` in. A failure of set-up or tear-down outweighs a pass."""
        for name, value in report.user_properties:
            if name != "kitty" or not isinstance(value, dict):
                continue
            result = ScenarioResult(
                report.nodeid,
                tuple(value["clauses"]),
                Verdict(value["verdict"]),
                value["finding"],
                value["detail"],
                value["story"],
                report.duration,
                value.get("deviation"),
            )
            earlier = self.results.get(report.nodeid)
            if earlier is None or earlier.verdict is Verdict.PASS:
                self.results[report.nodeid] = result

    @property
    def clauses(self) -> dict[str, ClauseVerdict]:
        """The verdict of each clause that a scenario was run for, in the order of their ids."""
        by_clause: dict[str, list[Verdict]] = {}
        for result in self.results.values():
            for clause in result.clauses:
                by_clause.setdefault(clause, []).append(result.verdict)
        return {clause: _clause_verdict(verdicts) for clause, verdicts in sorted(by_clause.items(), key=_by_id)}

    @property
    def conforms(self) -> bool:
        """Say whether no clause is violated or undecided, and at least one holds."""
        verdicts = set(self.clauses.values())
        return bool(verdicts) and not verdicts & {ClauseVerdict.VIOLATED, ClauseVerdict.UNDECIDED}

    def print(self, reporter: pytest.TerminalReporter, subject: str) -> None:
        """Write the clause table, then what was observed for each violation and what was not decided."""
        reporter.ensure_newline()
        reporter.section("clauses" + (f": {subject}" if subject else ""), sep="=")
        for clause, verdict in self.clauses.items():
            results = [result for result in self.results.values() if clause in result.clauses]
            colour = {"red": verdict is ClauseVerdict.VIOLATED, "green": verdict is ClauseVerdict.HOLDS}
            reporter.write(f"{clause:<9} ")
            reporter.write(f"{verdict:<15}", bold=verdict is ClauseVerdict.VIOLATED, **colour)
            reporter.write_line(_tally(results))
        self._print_details(reporter)
        reporter.write_line("")
        reporter.write_line(self.sentence())

    def sentence(self) -> str:
        """The whole result in one sentence; never a bare percentage."""
        counts = Counter(self.clauses.values())
        total = sum(counts.values())
        known = counts[ClauseVerdict.VIOLATED] - len(self.failed)
        parts = [
            f"{counts[ClauseVerdict.HOLDS]} of {total} clauses hold",
            f"{counts[ClauseVerdict.VIOLATED]} violated" + (f" ({known} of them as known)" if known else ""),
            f"{counts[ClauseVerdict.UNDECIDED]} undecided",
            f"{counts[ClauseVerdict.NOT_APPLICABLE]} not applicable",
        ]
        return ", ".join(parts)

    @property
    def failed(self) -> set[str]:
        """The clauses of which a scenario failed in a way that no list of known deviations excuses."""
        failed = (result for result in self.results.values() if result.verdict is Verdict.FAIL)
        return {clause for result in failed for clause in result.clauses}

    def _print_details(self, reporter: pytest.TerminalReporter) -> None:
        wanted = (
            ("violations", lambda result: result.verdict is Verdict.FAIL),
            ("known deviations", lambda result: result.verdict is Verdict.KNOWN),
            ("scale", lambda result: result.verdict is Verdict.PASS and result.detail),
            ("errors of the suite", lambda result: result.verdict is Verdict.ERROR),
            ("not decided", lambda result: result.verdict is Verdict.INCONCLUSIVE),
        )
        for title, chosen in wanted:
            results = sorted(filter(chosen, self.results.values()), key=lambda result: result.scenario)
            if results:
                reporter.write_line("")
                reporter.write_line(f"{title}:")
            for result in results:
                name = result.scenario.rpartition("/")[2].partition("::")[2]
                finding = f"{result.finding}: " if result.finding else ""
                reporter.write_line(f"  {','.join(result.clauses)} {name}")
                reporter.write_line(f"      {finding}{_one_line(result.detail)}")
                if result.deviation is not None:
                    reporter.write_line(f"      {_one_line(_excuse(result.deviation))}")
        # One line a reason: of a small adapter hundreds of scenarios do not apply, which would bury what matters.
        idle = [result for result in self.results.values() if result.verdict is Verdict.NOT_APPLICABLE]
        for reason, number in sorted(Counter(_one_line(result.detail) for result in idle).items()):
            reporter.write_line(f"{number} x {reason}")


def _clause_verdict(verdicts: Iterable[Verdict]) -> ClauseVerdict:
    found = set(verdicts)
    # A deviation that is known is a deviation.
    if found & {Verdict.FAIL, Verdict.KNOWN}:
        return ClauseVerdict.VIOLATED
    if Verdict.ERROR in found:
        return ClauseVerdict.UNDECIDED
    if Verdict.PASS in found:
        return ClauseVerdict.HOLDS
    return ClauseVerdict.NOT_APPLICABLE if found == {Verdict.NOT_APPLICABLE} else ClauseVerdict.UNDECIDED


def _tally(results: list[ScenarioResult]) -> str:
    counts = Counter(result.verdict for result in results)
    words = {Verdict.PASS: "passed", Verdict.FAIL: "failed", Verdict.ERROR: "errors"}
    said = ", ".join(f"{counts[verdict]} {words.get(verdict, verdict)}" for verdict in Verdict if counts[verdict])
    findings = sorted({result.finding for result in results if result.finding})
    return said + (f"   {', '.join(findings)}" if findings else "")


def _by_id(pair: tuple[str, Any]) -> tuple[str, str]:
    family, _, number = pair[0].partition("-")
    return (f"{FAMILIES.index(family):02}" if family in FAMILIES else family), number


def _excuse(deviation: Mapping[str, Any]) -> str:
    end = f"{deviation['days_left']} days left: " if "days_left" in deviation else ""
    return f"{end}{deviation['reason']} ({deviation['link']})"


def _one_line(text: str) -> str:
    line = visible(" ".join(text.split()))
    return line if len(line) <= 240 else line[:237] + "..."
