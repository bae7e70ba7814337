"""The cost of one append with readback, on a short and on a long log, beside its physical floor."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pytest

from kitty_reliability.build.mission import Mission, mission
from kitty_reliability.formats.events import encode_row
from kitty_reliability.formats.mission import read_meta
from kitty_reliability.formats.profiles import CONTRACT_320
from kitty_reliability.implementations.protocol import Transition
from kitty_reliability.reference.adapter import Reference
from kitty_reliability.reference.store import LogStore

pytest.importorskip("pytest_benchmark")


def long_log(root: Path, rows: int) -> Mission:
    """A mission of twelve work packages whose log has ``rows`` lane rows."""
    built = mission(root, {f"WP{number:02}": "planned" for number in range(1, 13)})
    log = built.log
    log.defer()
    cycle = ("claimed", "in_progress", "blocked", "in_progress", "planned")
    for number in range(rows - len(log.rows)):
        package = f"WP{number % 12 + 1:02}"
        log.lane(package, cycle[(number // 12) % len(cycle)], illegal=True)
        log.rows.clear()
    log.flush()
    return built


def appender(built: Mission) -> Callable[[], None]:
    store = LogStore(built.paths, CONTRACT_320)
    meta = read_meta(built.paths.meta)
    log = built.log
    template = log.lane("WP01", "claimed", illegal=True).last

    def append() -> None:
        log.clock.tick()
        row = {**template, "event_id": log.ids.ulid(log.clock.now), "at": log.clock.text}
        with store.locked():
            store.open_for_append(meta)
            store.append(row)

    append()
    return append


def transitioner(built: Mission) -> Callable[[], None]:
    reference = Reference()
    lanes = {"blocked": "in_progress", "in_progress": "blocked"}
    state = {"lane": "blocked"}

    def ask(to: str, **keys: Any) -> None:
        request = Transition(
            root=str(built.root), mission=built.slug, work_package="WP01", to=to, actor="x", reason="r", **keys
        )
        outcome = reference.answer(request)
        assert outcome.ok, outcome

    ask("blocked", force=True)

    def step() -> None:
        state["lane"] = lanes[state["lane"]]
        ask(state["lane"])

    return step


def write_and_sync(built: Mission) -> Callable[[], None]:
    line = encode_row(built.log.lane("WP01", "claimed", illegal=True).last)
    path = built.root / "floor"

    def write() -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, line)
        os.fsync(descriptor)
        os.close(descriptor)

    return write


@pytest.mark.parametrize("rows", [100, 100_000])
@pytest.mark.parametrize("what", [appender, transitioner, write_and_sync], ids=lambda what: what.__name__)
def test_append(benchmark: Any, tmp_path: Path, what: Callable[[Mission], Callable[[], None]], rows: int) -> None:
    benchmark.group = what.__name__
    benchmark.pedantic(what(long_log(tmp_path / "repo", rows)), rounds=200, warmup_rounds=5)


def ratio(one: Callable[[], None], other: Callable[[], None], rounds: int = 200) -> float:
    """Return the ratio of medians, measured in turns so that drift hits both."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for function, found in zip((one, other), times, strict=True):
            started = perf_counter()
            function()
            found.append(perf_counter() - started)
    return median(times[0]) / median(times[1])


@pytest.mark.parametrize("what", [appender, transitioner], ids=lambda what: what.__name__)
def test_a_long_log_costs_no_more_than_a_short_one(benchmark: Any, tmp_path: Path, what: Any) -> None:
    long, short = (what(long_log(tmp_path / str(rows), rows)) for rows in (100_000, 100))
    found = benchmark.pedantic(ratio, args=(long, short), rounds=1)
    benchmark.extra_info["ratio of medians, 100,000 rows to 100"] = round(found, 2)
    print(f"{what.__name__}: 100,000 rows to 100 rows, ratio of medians {found:.2f}")
    assert found <= 1.5
