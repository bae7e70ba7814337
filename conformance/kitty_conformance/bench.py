"""A warm process in which the suite is run again and again, against one implementation after the other.

What a run of one scenario costs is the start of Python and the imports, not the scenario. Whoever proves the suite runs
it hundreds of times. ``python -m kitty_conformance.bench`` reads a request a line, ``{"spec": ..., "clauses": [...],
"scenario": ..., "finding": ...}``, and writes a result a line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Any, Self

import pytest

from pytest_kitty.plugin import clause_report
from pytest_kitty.report import ClauseReport, Verdict

__all__ = ["Bench", "Judged", "Seen"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one scenario came to."""

    scenario: str
    clauses: list[str]
    verdict: str
    finding: str
    detail: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What one run came to: the kit's exit status, the verdict of each clause, and every scenario that was run."""

    status: int
    clauses: dict[str, str] = field(default_factory=dict)
    scenarios: list[Seen] = field(default_factory=list)


class Bench:
    """A process that runs the suite when it is asked to; a context manager.

    What is under test may end that process: the next run gets another one.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def judge(
        self, spec: str, clauses: Sequence[str] = (), scenario: str | None = None, finding: str | None = None
    ) -> Judged:
        """Run the suite against ``spec``, until each clause is known to be violated or all of it was run.

        Arguments:
            clauses: ids of the clauses to run; all when empty.
            scenario: name of the only scenario to run, without its parameters.
            finding: the only one that is enough for a clause; any when None.

        Returns:
            What was found; status 3 when the implementation ended the process.
        """
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "kitty_conformance.bench"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"spec": spec, "clauses": list(clauses), "scenario": scenario, "finding": finding}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            self.close()
            return Judged(3)
        found = json.loads(answer)
        return Judged(found["status"], found["clauses"], [Seen(**seen) for seen in found["scenarios"]])

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()
            self._process = None


class _Enough:
    """Ends what is decided: a clause that one scenario found violated stays violated."""

    def __init__(self, scenario: str | None, finding: str | None) -> None:
        self.scenario = scenario
        self.finding = finding
        self.report: ClauseReport | None = None

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keep the one scenario that is asked for."""
        self.report = clause_report(config)
        if self.scenario is not None:
            items[:] = [item for item in items if item.name.partition("[")[0] == self.scenario]

    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Leave out a scenario whose clauses are all decided."""
        assert self.report is not None
        clauses = {mark.args[0] for mark in item.iter_markers("kitty_clause")}
        wanted = item.config.getoption("kitty_clauses")
        decided = {
            clause
            for result in self.report.results.values()
            if result.verdict is Verdict.FAIL and self.finding in (None, result.finding)
            for clause in result.clauses
        }
        return (clauses & set(wanted or clauses)) <= decided or None


def _judge(request: dict[str, Any]) -> Judged:
    from .command import run

    enough = _Enough(request["scenario"], request["finding"])
    quiet = ["-p", "no:terminal", "-p", "no:randomly", "-p", "no:xdist"]
    status = run(request["spec"], clauses=request["clauses"], arguments=quiet, plugins=[enough], partly=True)
    if enough.report is None:
        return Judged(status)
    return Judged(
        status,
        {clause: str(verdict) for clause, verdict in enough.report.clauses.items()},
        [
            Seen(
                result.scenario.rpartition("::")[2],
                list(result.clauses),
                str(result.verdict),
                result.finding,
                result.detail,
            )
            for result in enough.report.results.values()
        ],
    )


def _serve() -> None:
    # Whatever is printed on the way must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(asdict(_judge(json.loads(line)))) + "\n")
        answers.flush()


if __name__ == "__main__":
    _serve()
