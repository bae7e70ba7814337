"""A warm process in which the suite is run again and again, against one implementation after the other.

What a run of one scenario costs is the start of Python and the imports, not the scenario. Whoever proves the suite runs
it hundreds of times. ``python -m kitty_conformance.bench`` reads a request a line, ``{"spec": ..., "clauses": [...],
"scenario": ..., "finding": ..., "also": [...]}``, and writes a result a line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from pytest_kitty.plugin import clause_report
from pytest_kitty.report import ClauseReport, Verdict
from pytest_kitty.scenarios import ScenarioFailure

from .assertions import passed_through
from .catalogue import scenarios

__all__ = ["Bench", "Judged", "Seen"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one scenario came to."""

    scenario: str
    clauses: list[str]
    verdict: str
    finding: str
    detail: str
    #: The assertions that the failure came through, the scenario's own first.
    caught: list[str] = field(default_factory=list)


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
        self,
        spec: str,
        clauses: Sequence[str] = (),
        scenario: str | None = None,
        finding: str | None = None,
        also: Sequence[str] = (),
    ) -> Judged:
        """Run the suite against ``spec``, until each clause is known to be violated or all of it was run.

        Arguments:
            clauses: ids of the clauses to run; all when empty.
            scenario: name of the only scenario to run, without its parameters.
            finding: the only one that is enough for a clause; any when None.
            also: scenarios to run until one fails each, whatever is decided.

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
        request = {"spec": spec, "clauses": list(clauses), "scenario": scenario, "finding": finding, "also": list(also)}
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

    def __init__(self, scenario: str | None, finding: str | None, also: Sequence[str]) -> None:
        self.finding = finding
        self.also = frozenset(also)
        self.only = None if scenario is None else self.also | {scenario}
        self.report: ClauseReport | None = None
        self.caught: dict[str, list[str]] = {}

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leave out what has no scenario that is asked for: to collect every module costs more than most scenarios."""
        if self.only is None or not collection_path.name.startswith("test_"):
            return None
        known = scenarios()
        return all(known[name].module != collection_path.name for name in self.only if name in known) or None

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keep what is asked for."""
        self.report = clause_report(config)
        if self.only is not None:
            items[:] = [item for item in items if _name(item) in self.only]

    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Leave out a scenario that would tell nothing new."""
        if not self._decided(item):
            return None
        # The one before left standing what this one would have shared, and the next may be of another module.
        item.session._setupstate.teardown_exact(nextitem)
        return True

    def _decided(self, item: pytest.Item) -> bool:
        assert self.report is not None
        if _name(item) in self.also:
            return any(caught.partition("[")[0] == _name(item) for caught in self.caught)
        clauses = {mark.args[0] for mark in item.iter_markers("kitty_clause")}
        wanted = item.config.getoption("kitty_clauses")
        decided = {
            clause
            for result in self.report.results.values()
            if result.verdict is Verdict.FAIL and self.finding in (None, result.finding)
            for clause in result.clauses
        }
        return (clauses & set(wanted or clauses)) <= decided

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """Note which assertions a failure came through."""
        if call.excinfo is not None and isinstance(call.excinfo.value, ScenarioFailure):
            self.caught[item.name] = passed_through(call.excinfo.value.__traceback__)


def _name(item: pytest.Item) -> str:
    return item.name.partition("[")[0]


def _judge(request: dict[str, Any]) -> Judged:
    from .command import run

    enough = _Enough(request["scenario"], request["finding"], request["also"])
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
                enough.caught.get(result.scenario.rpartition("::")[2], []),
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
