"""What a run comes to when the implementation misbehaves once: one scenario is lost and told, the rest is run."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kit import kitty_conform

PUPPETS = Path(__file__).parent / "puppets"
ADAPTER = """
import os
from pathlib import Path

from kitty_reliability.implementations.protocol import HelloAnswer, Outcome
from kitty_reliability.reference.adapter import Reference


class Viewer(Reference):
    def hello(self, request):
        return Outcome.success(HelloAnswer(name="viewer", version="1", protocol=1, profile="contract-320"))


class DiesOnce(Reference):
    def state(self, request):
        try:
            # Of two workers that come here at once, one dies.
            Path("died").touch(exist_ok=False)
        except FileExistsError:
            return super().state(request)
        os._exit(7)


class DiesAlways(Reference):
    def state(self, request):
        os._exit(7)


class DiesAtOnce(Reference):
    def hello(self, request):
        os._exit(7)


class DiesInTheMiddle(Reference):
    def state(self, request):
        with open("count", "a") as file:
            file.write("x")
        if Path("count").stat().st_size == 3:
            os._exit(0)
        return super().state(request)
"""


def conform(spec: str, *arguments: str, cwd: Path) -> tuple[subprocess.CompletedProcess[str], list[dict[str, Any]]]:
    """Run the suite and return what it printed and what it reported."""
    (cwd / "dying_adapter.py").write_text(ADAPTER, encoding="utf-8")
    report = cwd / "run.json"
    done = kitty_conform("run", spec, f"--report-json={report}", *arguments, cwd=cwd)
    lines = report.read_text(encoding="ascii").splitlines() if report.exists() else []
    return done, [json.loads(line) for line in lines]


def verdicts(report: list[dict[str, Any]]) -> Counter[str]:
    return Counter(line["finding"] or line["verdict"] for line in report if line["type"] == "result")


@pytest.mark.parametrize(
    ("fault", "finding"),
    [
        ("hang", "hang"),
        ("crash", "crash"),
        ("signal", "crash"),
        ("twice", "protocol-violation"),
        ("wrong-id", "protocol-violation"),
        ("garbage", "protocol-violation"),
        ("long-garbage", "protocol-violation"),
        ("cut", "protocol-violation"),
    ],
)
def test_a_fault_costs_one_scenario_and_the_rest_is_run(tmp_path: Path, fault: str, finding: str) -> None:
    command = [sys.executable, str(PUPPETS / "misbehaves.py"), fault, str(tmp_path / "done")]
    done, report = conform(f"exec:{shlex.join(command)}", "--clause", "LOG-012", "--clause", "LOG-001", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    header, *results, footer = report
    assert header["implementation"]["spec"].startswith("exec:")
    # What was answered twice is seen when the next thing is asked.
    assert verdicts(report) == {finding: 1, "pass": len(results) - 1}
    assert len(results) > 5
    assert (footer["collected"], footer["results"], footer["not_decided"]) == (len(results), len(results), [])
    assert Counter(footer["clauses"].values()) == {"violated": 1, "holds": 1}


@pytest.mark.parametrize("fault", ["split", "long", "flood", "slow-start"])
def test_what_is_no_fault_costs_nothing(tmp_path: Path, fault: str) -> None:
    command = [sys.executable, str(PUPPETS / "misbehaves.py"), fault, str(tmp_path / "done")]
    done, report = conform(f"exec:{shlex.join(command)}", "--clause", "LOG-012", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "done").exists()
    assert report[-1]["clauses"] == {"LOG-012": "holds"}
    assert report[-1]["conforms"]


def test_nothing_that_applies_is_nothing_that_ran(tmp_path: Path) -> None:
    done, report = conform("python:dying_adapter:Viewer", "--clause", "STA-001", cwd=tmp_path)
    assert done.returncode == 5, done.stdout + done.stderr
    assert report[-1]["clauses"] == {"STA-001": "not applicable"}
    assert not report[-1]["conforms"]


@pytest.mark.parametrize("clauses", [["LOG-012"], ["LOG-012", "LOG-001", "LOG-002"]])
def test_a_death_of_this_process_costs_one_scenario_and_the_rest_is_run(tmp_path: Path, clauses: list[str]) -> None:
    chosen = [f"--clause={clause}" for clause in clauses]
    done, report = conform("python:dying_adapter:DiesOnce", *chosen, "--seed=4", cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "ended before its end, with status 7, in " in done.stderr
    assert "Another process goes on behind it." in done.stderr
    header, *results, footer = report
    assert header["seed"] == 4
    assert verdicts(report) == {"inconclusive": 1, "pass": len(results) - 1}
    assert len({line["scenario"] for line in results}) == footer["collected"] == footer["results"] == len(results)
    assert footer["clauses"].keys() == set(clauses)
    # An inconclusive scenario among others that pass leaves the clause to them.
    (lost,) = [line for line in results if line["verdict"] == "inconclusive"]
    assert lost["detail"] == "inconclusive: the process that ran it ended with status 7"


def test_a_death_in_mid_suite_with_status_0_is_no_success(tmp_path: Path) -> None:
    done, report = conform("python:dying_adapter:DiesInTheMiddle", "--clause=LOG-001", cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert verdicts(report)["inconclusive"] == 1
    assert report[-1]["clauses"] == {"LOG-001": "holds"}
    assert not report[-1]["conforms"]


def test_after_many_deaths_the_rest_is_counted_as_not_decided(tmp_path: Path) -> None:
    chosen = [f"--clause=LOG-{number:03}" for number in (1, 2, 3, 4, 5, 6, 7)]
    done, report = conform("python:dying_adapter:DiesAlways", *chosen, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    _, *results, footer = report
    assert verdicts(report)["inconclusive"] == 20
    assert footer["collected"] == len(results) + len(footer["not_decided"])
    assert footer["not_decided"]
    assert f"not decided: {len(footer['not_decided'])} scenarios, after 20 processes ended" in done.stdout


def test_a_death_before_the_first_scenario_decides_nothing(tmp_path: Path) -> None:
    done, report = conform("python:dying_adapter:DiesAtOnce", cwd=tmp_path)
    assert done.returncode == 3
    assert "ended before its end, with status 7: nothing is decided" in done.stderr
    assert report == []


def test_a_worker_that_dies_costs_one_scenario_and_the_footer_counts_it(tmp_path: Path) -> None:
    done, report = conform("python:dying_adapter:DiesOnce", "--clause=LOG-012", "-n", "2", cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    _, *results, footer = report
    assert verdicts(report) == {"pass": len(results)}
    assert len(footer["not_decided"]) == 1
    assert footer["collected"] == footer["results"] + 1
    assert not footer["conforms"]


@pytest.mark.parametrize("arguments", [["run", "--sed=1"], ["walk"], [], ["run", "reference", "--jobs=many"]])
def test_a_wrong_command_line_ends_with_3(tmp_path: Path, arguments: list[str]) -> None:
    done = kitty_conform(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert "usage: kitty-conform" in done.stderr
