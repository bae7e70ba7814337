"""A mission of six work packages with history, files only, beside the same bytes by plain ``write_bytes``."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pytest

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


def medians(base: Path, rounds: int) -> dict[str, float]:
    """Return medians in microseconds, measured in turns so that drift hits all of them."""
    mission(base / "model", PACKAGES)
    number = count()
    ways: dict[str, Callable[[Path], object]] = {
        "floor": writer_of(base / "model"),
        "built before": lambda root: mission(root, PACKAGES),
        # Another mission: another id, name and slug, and other ids in every row.
        "new content": lambda root: mission(root, PACKAGES, name=f"m{next(number)}"),
        # Rows that this process has never seen the like of.
        "new history": lambda root: mission(root, PACKAGES, actor=f"agent-{next(number)}"),
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds):
        # In another order each turn: what runs after a pause of the machine finds cold caches.
        for way in list(ways)[turn % len(ways) :] + list(ways)[: turn % len(ways)]:
            root = base / f"{way.replace(' ', '-')}-{turn}"
            root.mkdir()
            started = perf_counter()
            ways[way](root)
            times[way].append((perf_counter() - started) * 1e6)
    return {way: median(found) for way, found in times.items()}


def test_a_mission_costs_little_more_than_writing_its_files(benchmark: Any, memory_or_disk: Path) -> None:
    found = benchmark.pedantic(medians, args=(memory_or_disk, 200), rounds=1)
    print(", ".join(f"{way}: {microseconds:.0f} us" for way, microseconds in found.items()))
    floor = found.pop("floor")
    for way, microseconds in found.items():
        ratio = microseconds / floor
        benchmark.extra_info[f"ratio of medians, {way} to the floor"] = round(ratio, 2)
        print(f"{way}: {ratio:.2f} times the floor")
    assert found["built before"] / floor <= 2
    assert found["new content"] / floor <= 2
    # Forty-two rows of JSON, with an id each, cost as much as writing them in ten files where that costs nothing.
    assert found["new history"] / floor <= 5
