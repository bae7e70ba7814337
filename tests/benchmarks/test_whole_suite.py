"""The suite as a whole: against the reference, against the released command, and as the proof of itself. Takes minutes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any
from xml.etree import ElementTree as ET

import pytest

pytest.importorskip("pytest_benchmark")
pytest.importorskip("xdist")

#: Scenarios that do one thing again for each write that could fail, or with processes that are killed.
SWEEP = re.compile(r"at_every|killed|interrupted|race|concurren")
#: The first of each family that its commands reach.
CLAUSES = [f"{family}-001" for family in ("STA", "LOG", "RPM", "RAC", "DIF", "SEC", "OWN", "SYN")]


def seconds(*arguments: str | Path, status: int = 0) -> float:
    """Run ``kitty-conform`` in two processes."""
    argv = [sys.executable, "-m", "kitty_conformance.command", *map(str, arguments), "-n", "2"]
    started = perf_counter()
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False)
    took = perf_counter() - started
    assert done.returncode == status, done.stdout[-2000:]
    return took


def test_the_suite_in_process(benchmark: Any, record: Any, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    took = benchmark.pedantic(seconds, args=("run", "reference", "--report-junit", report), rounds=1)
    record("seconds of the suite", took)
    cases = {f"{case.get('classname')}::{case.get('name')}": float(case.get("time", 0)) for case in _cases(report)}
    slowest = max((name for name in cases if not SWEEP.search(name)), key=cases.__getitem__)
    print(slowest)
    record("milliseconds of the slowest scenario", cases[slowest] * 1000)


def test_the_released_command_warm(benchmark: Any, record: Any, released_python: Path) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("this system cannot fork")
    asked = [word for clause in CLAUSES for word in ("--clause", clause)]
    # It violates some of them, and says so by its exit status.
    warm = benchmark.pedantic(seconds, args=("run", "warm:spec-kitty", *asked), kwargs={"status": 1}, rounds=1)
    record("cold to warm", seconds("run", "spec-kitty", *asked, status=1) / warm)


def test_the_certificate(benchmark: Any, record: Any) -> None:
    record("seconds of the certificate", benchmark.pedantic(seconds, args=("certify",), rounds=1))


def _cases(report: Path) -> list[ET.Element]:
    return list(ET.parse(report).getroot().iter("testcase"))
