"""What a benchmark says for the table of costs: ``make benchmarks-table`` writes it down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from measuring import program

Record = Callable[..., float]


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """Records what a row of the table is measured at; ``docs/benchmarks.py`` has the rows."""
    if not request.config.pluginmanager.hasplugin("benchmark"):
        pytest.skip("pytest-benchmark is not installed")
    benchmark: Any = request.getfixturevalue("benchmark")

    def keep(row: str, measured: float) -> float:
        benchmark.extra_info.setdefault("rows", {})[row] = measured
        print(f"\n{row}: {measured:.2f}")
        return measured

    return keep


@pytest.fixture(scope="session")
def released(released_python: Path) -> Iterator[Callable[[Path], float]]:
    """Returns the seconds in which the released package reads and reduces the missions in a directory, by its own clock."""
    with program(released_python, Path(__file__).with_name("released_clock.py")) as ask:
        yield lambda directory: float(ask(str(directory)))
