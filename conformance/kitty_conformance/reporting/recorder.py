"""Writes the JSON lines of a run while it runs, and ends them with the footer."""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kitty_conformance.catalogue import clauses, contract_hash, scenario_name
from kitty_conformance.known import KnownDeviations
from kitty_conformance.ladder.levels import levels
from kitty_reliability import __version__
from kitty_reliability.implementations.protocol import PROTOCOL_VERSION
from pytest_kitty.plugin import clause_report, kitty_session
from pytest_kitty.report import ClauseReport, ClauseVerdict, ScenarioResult

from .document import FORMAT, Document, line

__all__ = ["Recorder"]


class Recorder:
    """A pytest plugin that keeps the report of one run.

    Arguments:
        path: where the lines go as they come; nowhere when None.
        known: looks at each result before it is counted.
    """

    def __init__(self, path: Path | None, known: KnownDeviations) -> None:
        self.path = path
        self.document: Document | None = None
        self.report: ClauseReport | None = None
        self.collected: set[str] = set()
        self._known = known
        self._written: set[str] = set()
        self._began = time.monotonic()

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Write the header."""
        self._begin(session.config)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Remember the scenarios of this process."""
        self.collected |= {item.nodeid for item in session.items}

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Remember the scenarios that the workers share."""
        self.collected |= set(ids)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write the result of a scenario once nothing can change it any more."""
        if report.when == "teardown" and self.report is not None and report.nodeid in self.report.results:
            self._write(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Write what has no end of its own, such as a scenario whose worker died while it was torn down."""
        for scenario in list(self.report.results) if self.report is not None else ():
            self._write(scenario)

    @property
    def results(self) -> list[Mapping[str, Any]]:
        """The results so far, as they stand in the report."""
        return [] if self.document is None else self.document.results

    @property
    def not_decided(self) -> list[str]:
        """The scenarios that were to be run and of which nothing is known."""
        known = set() if self.report is None else self.report.results.keys()
        return sorted(self.collected - known)

    def not_run(self, asked: set[str]) -> list[str]:
        """Return which of the clauses ``asked`` for, all when empty, no scenario was run for."""
        results = {} if self.report is None else self.report.results
        run = {clause for result in results.values() for clause in result.clauses}
        return sorted((asked or set(clauses())) - run)

    def end(self, status: int, asked: set[str], more: Mapping[str, Any]) -> None:
        """Write the footer; ``status`` is the exit status of the kit, ``more`` goes into the footer."""
        if self.document is None or self.report is None:
            return
        verdicts = self.report.clauses
        self.document.footer = {
            "type": "footer",
            "collected": len(self.collected),
            "results": len(self.document.results),
            "not_decided": [scenario_name(scenario) for scenario in self.not_decided],
            "not_run": self.not_run(asked),
            "clauses": verdicts,
            "counts": {str(verdict): Counter(verdicts.values())[verdict] for verdict in ClauseVerdict},
            "sentence": self.report.sentence(),
            "conforms": status == 0 and self.report.conforms,
            "exit_status": status,
            **more,
            "ended": _now(),
            "seconds": round(time.monotonic() - self._began, 3),
        }
        self._append(self.document.footer)

    def _begin(self, config: pytest.Config) -> None:
        session = kitty_session(config)
        greeting = session.implementation.greeting
        self._known.begin(greeting.name, greeting.version)
        self.report = clause_report(config)
        self.document = Document(
            {
                "type": "header",
                "format": FORMAT,
                "suite": __version__,
                "protocol": PROTOCOL_VERSION,
                "contract": {"clauses": len(clauses()), "hash": f"sha256:{contract_hash()}"},
                "implementation": {"spec": session.implementation.spec, **greeting.model_dump(mode="json")},
                "profile": session.profile.name,
                "seed": session.seed,
                "selected": list(config.getoption("kitty_clauses") or ()),
                "faults": levels(),
                "environment": {
                    "python": platform.python_version(),
                    "system": f"{platform.system()} {platform.release()}",
                    "machine": platform.machine(),
                    "pytest": pytest.__version__,
                },
                "began": _now(),
            }
        )
        if self.path is not None:
            self.path.write_text("", encoding="ascii")
        self._append(self.document.header)

    def _write(self, node_id: str) -> None:
        assert self.document is not None
        assert self.report is not None
        if node_id in self._written:
            return
        self._written.add(node_id)
        result = self.report.results[node_id] = self._known.judge(self.report.results[node_id])
        written = _result(result)
        self.document.results.append(written)
        self._append(written)

    def _append(self, value: Mapping[str, Any]) -> None:
        if self.path is not None:
            with self.path.open("a", encoding="ascii") as file:
                file.write(line(value))


def _result(result: ScenarioResult) -> dict[str, Any]:
    module, _, _ = result.scenario.rpartition("/")[2].partition("::")
    return {
        "type": "result",
        "scenario": scenario_name(result.scenario),
        "module": module,
        "clauses": list(result.clauses),
        "verdict": str(result.verdict),
        "finding": result.finding or None,
        "detail": result.detail,
        "story": result.story.splitlines(),
        "seconds": round(result.seconds, 3),
        "deviation": None if result.deviation is None else dict(result.deviation),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
