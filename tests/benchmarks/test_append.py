"""The cost of one append with readback, on a short and on a long log, beside its physical floor."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from logs import long_log
from measuring import place, ratio

from kitty_reliability.build.mission import Mission
from kitty_reliability.formats.events import encode_row
from kitty_reliability.formats.mission import read_meta
from kitty_reliability.formats.profiles import CONTRACT_320
from kitty_reliability.implementations.protocol import Transition
from kitty_reliability.reference.adapter import Reference
from kitty_reliability.reference.store import LogStore

pytest.importorskip("pytest_benchmark")


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


@pytest.mark.parametrize("what", [appender, transitioner], ids=lambda what: what.__name__)
def test_a_long_log_costs_no_more_than_a_short_one(benchmark: Any, record: Any, tmp_path: Path, what: Any) -> None:
    long, short = (what(long_log(tmp_path / str(rows), rows)) for rows in (100_000, 100))
    found = benchmark.pedantic(ratio, args=(long, short, 200), rounds=1)
    assert record(f"{what.__name__}: 100,000 rows to 100", found) <= 1.5


def test_a_durable_append_costs_little_more_than_writing_and_syncing(
    benchmark: Any, record: Any, memory_or_disk: Path
) -> None:
    built = long_log(memory_or_disk / "repo", 100)
    found = benchmark.pedantic(ratio, args=(appender(built), write_and_sync(built), 400), rounds=1)
    record(f"append to write and fsync, {place(memory_or_disk)}", found)
