"""A mission of six work packages with history, files only, beside the same bytes by plain ``write_bytes``."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from measuring import Timed, medians, place

from kitty_reliability.build.mission import mission

pytest.importorskip("pytest_benchmark")

PACKAGES = {f"WP{number:02}": "done" for number in range(1, 7)}


def writer_of(root: Path) -> Callable[[Path], None]:
    """Return what makes the directories and files of ``root`` elsewhere, with the same bytes, and does no more."""
    directories = [path.relative_to(root) for path in sorted(root.rglob("*")) if path.is_dir()]
    files = [(path.relative_to(root), path.read_bytes()) for path in root.rglob("*") if path.is_file()]

    def write(target: Path) -> None:
        for directory in directories:
            (target / directory).mkdir()
        for file, data in files:
            (target / file).write_bytes(data)

    return write


def built_and_written(base: Path, rounds: int) -> dict[str, float]:
    """Return the medians of building a mission in several ways, and of the floor."""
    mission(base / "model", PACKAGES)
    write, number = writer_of(base / "model"), count()
    folders = [base / str(turn) for turn in range(4 * rounds)]
    for folder in folders:
        folder.mkdir()
    roots = iter(folders)
    ways: dict[str, Timed] = {
        "floor": lambda: write(next(roots)),
        "built before": lambda: mission(next(roots), PACKAGES),
        # Another mission: another id, name and slug, and other ids in every row.
        "new content": lambda: mission(next(roots), PACKAGES, name=f"m{next(number)}"),
        # Rows that this process has never seen the like of.
        "new history": lambda: mission(next(roots), PACKAGES, actor=f"agent-{next(number)}"),
    }
    return medians(ways, rounds)


def test_a_mission_costs_little_more_than_writing_its_files(benchmark: Any, record: Any, memory_or_disk: Path) -> None:
    found = benchmark.pedantic(built_and_written, args=(memory_or_disk, 200), rounds=1)
    # Forty-two rows of JSON, with an id each, cost as much as writing them in ten files where that costs nothing.
    for way, limit in {"built before": 2, "new content": 2, "new history": 5}.items():
        row = f"mission to its files, {way}, {place(memory_or_disk)}"
        assert record(row, found[way] / found["floor"]) <= limit
