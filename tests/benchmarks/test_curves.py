"""How costs grow: with the rows of a log, the work packages of a mission, the missions of a repository."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from logs import long_log
from measuring import medians, read_and_reduce
from test_append import appender
from test_mission_speed import writer_of
from test_reading import json_alone

from kitty_reliability.build.mission import mission
from kitty_reliability.reference.locations import find_mission

pytest.importorskip("pytest_benchmark")

Ways = dict[str, Callable[[], object]]


def of_rows(base: Path, rows: int) -> Ways:
    """The log of one mission."""
    built = long_log(base / "repo", rows)
    return {
        "read and reduce": lambda: read_and_reduce(built.paths.directory),
        "json.loads of each line": json_alone(built.paths.log),
        "append with readback": appender(built),
    }


def of_packages(base: Path, packages: int) -> Ways:
    """The work packages of one mission."""
    roots = iter([base / f"built{number}" for number in range(100)])
    states = {f"WP{number:02}": "done" for number in range(1, packages + 1)}
    built = mission(base / "model", states)
    write = writer_of(base / "model")

    def floor() -> None:
        root = next(roots)
        root.mkdir()
        write(root)

    return {
        "build": lambda: mission(next(roots), states),
        "write the same bytes": floor,
        "read and reduce": lambda: read_and_reduce(built.paths.directory),
    }


def of_missions(base: Path, missions: int) -> Ways:
    """The missions of one repository."""
    built = [mission(base / "repo", {"WP01": "done"}, name=f"m{number}") for number in range(missions)]
    last = built[-1].meta["mission_id"]

    def read() -> None:
        for one in built:
            read_and_reduce(one.paths.directory)

    return {
        "read and reduce all": read,
        "find one by its name": lambda: find_mission(str(base / "repo"), built[-1].slug),
        "find one by its id": lambda: find_mission(str(base / "repo"), last),
    }


CURVES = {
    "rows": (of_rows, [100, 1_000, 10_000, 100_000, 1_000_000]),
    "work packages": (of_packages, [1, 5, 20, 50, 100, 200]),
    "missions": (of_missions, [1, 5, 20, 100, 500]),
}


@pytest.mark.parametrize("what", list(CURVES))
def test_curve(benchmark: Any, tmp_path: Path, what: str) -> None:
    make, sizes = CURVES[what]

    def measure() -> dict[str, list[tuple[int, float]]]:
        found: dict[str, list[tuple[int, float]]] = {}
        for size in sizes:
            base = tmp_path / str(size)
            base.mkdir()
            for way, seconds in medians(make(base, size), 3 if size >= 100_000 else 9).items():
                found.setdefault(way, []).append((size, seconds))
        return found

    benchmark.extra_info["curve"] = {what: benchmark.pedantic(measure, rounds=1)}
