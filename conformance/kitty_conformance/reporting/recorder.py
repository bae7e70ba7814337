"""Writes the JSON lines of a run while it runs, and ends them with the footer."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kitty_conformance.apart import MOST_ENDS, Notes
from kitty_conformance.catalogue import clauses, contract_hash, scenario_name
from kitty_conformance.known import KnownDeviations
from kitty_conformance.ladder.levels import levels
from kitty_reliability import __version__
from kitty_reliability.implementations.protocol import PROTOCOL_VERSION
from pytest_kitty.plugin import clause_report, kitty_session
from pytest_kitty.report import ClauseReport, ClauseVerdict, ScenarioResult, Verdict

from .document import FORMAT, Document, line, read_report

__all__ = ["Recorder"]


class Recorder:
    """A pytest plugin that keeps the report of one run.

    Arguments:
        path: where the lines go as they come; nowhere when None.
        known: looks at each result before it is counted.
        notes: what the processes before this one left of the same run.
    """

    def __init__(self, path: Path, known: KnownDeviations, notes: Notes) -> None:
        self.path = path
        self.document: Document | None = None
        self.report: ClauseReport | None = None
        self.collected: set[str] = set()
        self._known = known
        self._notes = notes
        self._written: set[str] = set()
        #: Whether a file could not be written: then nothing more is.
        self._lost = False
        #: Workers run the scenarios; the end of one of them is not the end of this process.
        self._shared = False

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Write the header, or read what processes before this one wrote."""
        if self._notes.ended:
            self._go_on(session.config)
        else:
            self._begin(session.config)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Remember the scenarios of this process, and leave out what was run before it."""
        self.collected |= {item.nodeid for item in items}
        self._take_over(items)
        if len(self._notes.ended) >= MOST_ENDS:
            items.clear()
        assert self.report is not None
        items[:] = [item for item in items if item.nodeid not in self.report.results]

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Note which scenario it is that an end of this process would be the end of."""
        if not self._shared and not self._lost:
            with self._told():
                self._notes.running = nodeid

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Remember the scenarios that the workers share."""
        self._shared = True
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
        """The scenarios that were to be run and of which nothing is known, by name."""
        known = set() if self.report is None else self.report.results.keys()
        return sorted(map(scenario_name, self.collected - known))

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
            "not_decided": self.not_decided,
            "not_run": self.not_run(asked),
            "clauses": verdicts,
            "counts": {str(verdict): Counter(verdicts.values())[verdict] for verdict in ClauseVerdict},
            "sentence": self.report.sentence(),
            "conforms": status == 0 and self.report.conforms,
            "exit_status": status,
            **more,
            "ended": (ended := _now()),
            "seconds": (datetime.fromisoformat(ended) - datetime.fromisoformat(self.document.header["began"])).seconds,
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
        with self._told():
            self.path.write_text("", encoding="ascii")
        self._append(self.document.header)

    def _go_on(self, config: pytest.Config) -> None:
        self.report = clause_report(config)
        self.document = read_report(self.path)
        self._known.begin(*(self.document.header["implementation"][key] for key in ("name", "version")))
        # What the other process was writing when it ended may lack its end.
        self.path.write_text("".join(map(line, [self.document.header, *self.document.results])), encoding="ascii")

    def _take_over(self, items: list[pytest.Item]) -> None:
        """Take in what processes before this one found, and that they ended."""
        assert self.report is not None
        earlier = {result["scenario"]: _read(result) for result in self.results}
        self._written |= {item.nodeid for item in items if scenario_name(item.nodeid) in earlier}
        ended = dict(self._notes.ended)
        for item in items:
            if result := earlier.get(scenario_name(item.nodeid)):
                self.report.results[item.nodeid] = replace(result, scenario=item.nodeid)
            elif item.nodeid in ended:
                clauses_ = tuple(str(mark.args[0]) for mark in item.iter_markers("kitty_clause"))
                reason = f"inconclusive: the process that ran it ended with status {ended[item.nodeid]}"
                self.report.results[item.nodeid] = ScenarioResult(
                    item.nodeid, clauses_, Verdict.INCONCLUSIVE, detail=reason
                )
                self._write(item.nodeid)

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
        if self._lost:
            return
        with self._told(), self.path.open("a", encoding="ascii") as file:
            file.write(line(value))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """End the run with a sentence when a file cannot be written: what is not in the report was not decided."""
        try:
            yield
        except OSError as error:
            self._lost = True
            raise pytest.UsageError(f"{error.filename or self.path}: {error.strerror}; the run ends here") from None


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


def _read(written: Mapping[str, Any]) -> ScenarioResult:
    return ScenarioResult(
        written["scenario"],
        tuple(written["clauses"]),
        Verdict(written["verdict"]),
        written["finding"] or "",
        written["detail"],
        "\n".join(written["story"]),
        written["seconds"],
        written["deviation"],
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
