"""No cost has grown by more than a third since it was stored: ``make benchmarks-table`` stores."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

pytest.importorskip("pytest_benchmark")

from checked import CHECKED

STORED = Path(__file__).parents[2] / "docs" / "benchmarks.json"
TRIES = 3


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, if there is one: on a disk the ratios are others, and smaller."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
    else:
        with TemporaryDirectory(dir="/dev/shm") as folder:
            yield Path(folder)


def measured(name: str, base: Path, limit: float) -> float:
    """Return the least of a few measurements; the first that is good enough ends it."""
    least = float("inf")
    for turn in range(TRIES):
        folder = base / f"turn{turn}"
        folder.mkdir()
        least = min(least, CHECKED[name](folder))
        if least <= limit:
            break
    return least


@pytest.mark.parametrize("name", CHECKED)
def test_a_cost_has_not_grown_by_a_third(name: str, quick: Path) -> None:
    known = json.loads(STORED.read_text(encoding="utf-8"))
    if known["python"] != platform.python_version().rpartition(".")[0]:
        pytest.skip(f"the ratios that are stored are those of Python {known['python']}")
    stored = known["checked"][name]
    found = measured(name, quick, stored * 4 / 3)
    assert found <= stored * 4 / 3, f"{CHECKED[name].__doc__} It was {stored:.2f}, it is {found:.2f}."


def test_nothing_is_stored_that_is_not_checked() -> None:
    assert set(json.loads(STORED.read_text(encoding="utf-8"))["checked"]) == set(CHECKED)


@pytest.mark.parametrize("name", CHECKED)
def test_store(benchmark: Any, quick: Path, name: str) -> None:
    benchmark.extra_info["checked"] = {name: benchmark.pedantic(measured, args=(name, quick, 0.0), rounds=1)}
