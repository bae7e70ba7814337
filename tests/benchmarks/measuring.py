"""Measures things in turns: a machine that slows down slows all of them, and their ratio stays what it is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter

from kitty_reliability.formats.profiles import CONTRACT_320
from kitty_reliability.reference.reducer import Reducer
from kitty_reliability.reference.store import LogStore

__all__ = ["Timed", "fresh_process", "medians", "place", "program", "ratio", "read_and_reduce"]

#: Does something once. What it returns as a float are the seconds that it took by its own clock; else it is timed.
Timed = Callable[[], object]


def medians(ways: Mapping[str, Timed], rounds: int) -> dict[str, float]:
    """Return the median of each way in seconds; each turn begins with another way."""
    names = list(ways)
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            started = perf_counter()
            own = ways[name]()
            times[name].append(own if isinstance(own, float) else perf_counter() - started)
            del own  # what is made is let go outside of the clock
    return {name: median(found) for name, found in times.items()}


def ratio(one: Timed, other: Timed, rounds: int) -> float:
    """Return the ratio of medians."""
    found = medians({"one": one, "other": other}, rounds)
    return found["one"] / found["other"]


def place(folder: Path) -> str:
    """Return the name of a folder of ``memory_or_disk``."""
    return "in memory" if folder.is_relative_to("/dev/shm") else "on a disk"


def read_and_reduce(directory: Path) -> LogStore:
    """Read a mission's log for the first time and reduce it to a snapshot."""
    from kitty_reliability.formats.mission import MissionPaths, read_meta

    paths = MissionPaths(directory.parent.parent, directory)
    meta = read_meta(paths.meta)
    store = LogStore(paths, CONTRACT_320)
    reducer: Reducer = store.read(meta)
    reducer.snapshot(meta)
    return store


@contextmanager
def program(*argv: str | Path) -> Iterator[Callable[[str], str]]:
    """Run a program that answers each line of its stdin by one line; yield what asks it."""
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None

        def ask(line: str) -> str:
            stdin.write(line + "\n")
            stdin.flush()
            answer = stdout.readline()
            assert answer, f"{argv[0]} ended"
            return answer

        yield ask
        stdin.close()


def fresh_process(source: str, *arguments: str | Path) -> str:
    """Return what Python printed that ran ``source`` with ``arguments``."""
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", source, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout
