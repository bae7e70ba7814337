"""Ratios that are cheap to measure and hold still: each run of the tests compares them with those that are stored.

Processor time is counted, not time that passes, and of several turns the least: another program on the machine only adds.
"""

from __future__ import annotations

import json
import sys
import tracemalloc
from collections.abc import Callable
from itertools import count
from pathlib import Path
from time import process_time
from typing import Final

from logs import log_of_pairs, long_log
from measuring import read_and_reduce
from test_append import appender
from test_mission_speed import PACKAGES, writer_of
from test_repository_speed import bare_inodes_of, built_by_us

from kitty_reliability.build.mission import mission
from kitty_reliability.formats.globs import EXACT

__all__ = ["CHECKED", "least_ratio"]


def least_ratio(one: Callable[[], object], other: Callable[[], object], rounds: int) -> float:
    """Return the ratio of the least times, measured in turns."""
    least = [float("inf"), float("inf")]
    for _ in range(rounds):
        for number, step in enumerate((one, other)):
            started = process_time()
            step()
            least[number] = min(least[number], process_time() - started)
    return least[0] / least[1]


def calls(step: Callable[[], object]) -> int:
    """Return how many functions were called, those in C as well."""
    called = 0

    def count_it(frame: object, event: str, argument: object) -> None:
        nonlocal called
        called += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count_it)
    try:
        step()
    finally:
        sys.setprofile(before)
    return called


def reading(base: Path) -> float:
    """Read and reduce 2,000 rows, to ``json.loads`` of each line."""
    built = long_log(base / "repo", 2_000)

    def parse() -> None:
        for line in built.paths.log.read_bytes().splitlines():
            json.loads(line)

    return least_ratio(lambda: read_and_reduce(built.paths.directory), parse, 20)


def pairs(base: Path) -> float:
    """Read and reduce 4,000 rows in pairs of one instant, to 2,000."""
    long, short = (log_of_pairs(base / str(rows), rows).paths.directory for rows in (4_000, 2_000))
    return least_ratio(lambda: read_and_reduce(long), lambda: read_and_reduce(short), 10)


def appending(base: Path) -> float:
    """Append with readback to 5,000 rows, to 100."""
    long, short = (appender(long_log(base / str(rows), rows)) for rows in (5_000, 100))
    return least_ratio(long, short, 200)


def memory(base: Path) -> float:
    """Peak memory of reading and reducing 5,000 rows, to the size of the log."""
    built = long_log(base / "repo", 5_000)
    read_and_reduce(built.paths.directory)
    tracemalloc.start()
    try:
        read_and_reduce(built.paths.directory)
        return tracemalloc.get_traced_memory()[1] / built.paths.log.stat().st_size
    finally:
        tracemalloc.stop()


def files(base: Path) -> float:
    """Write a mission of six work packages that was built before, to its bytes by ``write_bytes``."""
    mission(base / "model", PACKAGES)
    write, number = writer_of(base / "model"), count()

    def root() -> Path:
        made = base / str(next(number))
        made.mkdir()
        return made

    return least_ratio(lambda: mission(root(), PACKAGES), lambda: write(root()), 60)


def repositories(base: Path) -> float:
    """Write a repository with remote, lane and diverged branch that was built before, to its bare inodes."""
    for name in ("warm", "model"):
        built_by_us(base / name, "demo")
    bare, number = bare_inodes_of(base, "model"), count()
    return least_ratio(
        lambda: built_by_us(base / f"built{next(number)}", "demo"),
        lambda: bare(base / f"bare{next(number)}", "demo"),
        30,
    )


def matching(base: Path) -> float:
    """Match a name with 200 globs, in calls of functions."""
    globs = [*(f"src/part{number}/**" for number in range(100)), *(f"docs/**/page{number}.md" for number in range(100))]
    names = [f"src/part{number % 100}/deep/file{number}.py" for number in range(1_000)]
    names += [f"docs/section{number}/page{number % 100}.md" for number in range(1_000)]
    matches = EXACT.matcher(globs)
    return calls(lambda: [matches(name) for name in names]) / len(names)


CHECKED: Final[dict[str, Callable[[Path], float]]] = {
    made.__name__: made for made in (reading, pairs, appending, memory, files, repositories, matching)
}
