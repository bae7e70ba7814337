"""Reading and reducing logs, beside the released package and beside what Python's own JSON takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from logs import log_of_pairs, long_log
from measuring import fresh_process, medians, ratio, read_and_reduce

pytest.importorskip("pytest_benchmark")

Released = Callable[[Path], float]

#: Prints the peak of its memory beyond what it had before, in bytes.
PEAK = """
import sys
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from re import search
from measuring import read_and_reduce

def peak():
    status = Path("/proc/self/status")
    if status.exists():  # where the other figure is also that of the process that started this one
        return int(search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1]) * 1024
    return getrusage(RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

directory, small = map(Path, sys.argv[1:])
read_and_reduce(small)
before = peak()
kept = read_and_reduce(directory)
print(peak() - before)
"""


def json_alone(log: Path) -> Callable[[], None]:
    """Parse each line of a log, and do no more."""

    def parse() -> None:
        for line in log.read_bytes().splitlines():
            json.loads(line)

    return parse


def test_reading_and_reducing_100_000_rows(benchmark: Any, record: Any, released: Released, tmp_path: Path) -> None:
    built = long_log(tmp_path / "repo", 100_000)
    ways = {
        "ours": lambda: read_and_reduce(built.paths.directory),
        "json": json_alone(built.paths.log),
        "released": lambda: released(built.paths.directory),
    }
    found = benchmark.pedantic(medians, args=(ways, 5), rounds=1)
    record("released to read and reduce", found["released"] / found["ours"])
    record("read and reduce to json.loads", found["ours"] / found["json"])


def test_rows_of_the_same_instant(benchmark: Any, record: Any, released: Released, tmp_path: Path) -> None:
    long, short = (log_of_pairs(tmp_path / str(rows), rows).paths.directory for rows in (16_000, 8_000))
    found = benchmark.pedantic(
        ratio, args=(lambda: read_and_reduce(long), lambda: read_and_reduce(short), 15), rounds=1
    )
    record("pairs of one instant, 16,000 rows to 8,000", found)
    record("pairs of one instant, 16,000 rows to 8,000, released", released(long) / released(short))


def test_the_corpus(benchmark: Any, record: Any, released: Released, real_missions: Path) -> None:
    directories = sorted(path.parent for path in real_missions.glob("*/status.events.jsonl"))
    assert len(directories) >= 200

    def read() -> None:
        for directory in directories:
            read_and_reduce(directory)

    ways = {"ours": read, "released": lambda: released(real_missions)}
    found = benchmark.pedantic(medians, args=(ways, 5), rounds=1)
    record("released to the corpus", found["released"] / found["ours"])


def test_peak_memory(benchmark: Any, record: Any, tmp_path: Path) -> None:
    pytest.importorskip("resource")
    large, small = (long_log(tmp_path / str(rows), rows).paths for rows in (100_000, 100))
    peak = benchmark.pedantic(fresh_process, args=(PEAK, large.directory, small.directory), rounds=1)
    record("peak memory to the log", int(peak) / large.log.stat().st_size)
