"""STA: what one fault in the middle of a transition leaves behind, level by level of the fault ladder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from kitty_reliability.faults.calls import CallFault
from kitty_reliability.implementations.protocol import Capability, Outcome, OutcomeKind, Transition
from kitty_reliability.observe.rows import rows_from_bytes
from kitty_reliability.observe.tree import mark_tree
from pytest_kitty.scenarios import Finding, inconclusive

from .kept import kept_since
from .ladder import Call, Six, carrying_the_row, cut, died_of_it, inject, limited, record, six_points
from .world import World, Worlds, another_process

_Item = TypeVar("_Item")

#: Calls, bytes and runs that are looked at where an operation takes seconds.
_SAMPLE = 8
#: No implementation makes more calls on a mission's files for one transition.
_MOST_CALLS = 100


@pytest.fixture(autouse=True)
def _writer(worlds: Worlds) -> None:
    worlds.needs(Capability.WRITE)


# --- worlds of one shape: the bytes of every run are as many, so that a recorded call is found again


def _world(worlds: Worlds, packages: int = 1) -> World:
    lanes = {f"WP{number:02}": "planned" for number in range(1, packages + 1)}
    return worlds(
        {**lanes, "WP98": "planned", "WP99": "in_progress"}, actor=f"impl-{worlds.rng.randrange(10**5, 10**6)}"
    )


def _claim(world: World, number: int = 1) -> Transition:
    return world.transition_request(f"WP{number:02}", "claimed", reason="taken in hand by the scenario")


def _other(world: World) -> Transition:
    """Return what another actor does, again and again."""
    to = "in_progress" if world.lane("WP99") == "blocked" else "blocked"
    return world.transition_request("WP99", to, actor="somebody-else", reason="the scenario wants it")


def _control(worlds: Worlds) -> int:
    """See both operations succeed without a fault; return how many bytes the first one adds to the log."""
    __tracebackhide__ = True
    world = _world(worlds)
    mark = world.mark()
    world.moved(mark, world.ask(_claim(world)), "WP01", "claimed")
    added = len(mark.added().data)
    for _ in range(2):
        mark, other = world.mark(), _other(world)
        world.moved(mark, world.ask(other), other.work_package, other.to)
    return added


def _slow(worlds: Worlds) -> bool:
    """Say whether an operation takes long, or the start of a process, when ``_control`` has been asked."""
    implementation = worlds.implementation
    anew = not implementation.in_this_process and implementation.process_id is None
    return anew or implementation.greeting.typical_seconds > 0.2


def _sample(worlds: Worlds, items: list[_Item]) -> list[_Item]:
    """Return all items, or a few of them, first and last and last but one among them, where each takes seconds."""
    if not _slow(worlds) or len(items) <= _SAMPLE:
        return items
    last = len(items) - 1
    chosen = {round(step * last / (_SAMPLE - 2)) for step in range(_SAMPLE - 1)} | {last - 1}
    return [items[index] for index in sorted(chosen)]


def _numbers(worlds: Worlds) -> Iterator[int]:
    """Yield numbers of calls: each, or wider and wider apart where each takes seconds."""
    number = 1
    for step in range(1, _SAMPLE + 1 if _slow(worlds) else _MOST_CALLS):
        yield number
        number += step if _slow(worlds) else 1


# --- STA-001


@pytest.mark.kitty_clause("STA-001")
@pytest.mark.parametrize("level", ["in-process", "strace"])
def test_a_retry_after_a_kill_is_one_row(worlds: Worlds, level: str) -> None:
    """The process ends before each of its calls on the mission's files; whoever comes next finds one row or none."""
    _control(worlds)
    kill = _end_in_process if level == "in-process" else _end_by_strace
    struck = sum(1 for _ in kill(worlds))
    if not struck:
        inconclusive(f"{level}: the process was never ended at a call on a file of the mission")


def _end_in_process(worlds: Worlds) -> Iterator[None]:
    """Yield once for each call that the process was ended before, when that was judged."""
    for number in _numbers(worlds):
        world = _world(worlds)
        fault = world.call_fault("stop", world.mission.directory, number=number)
        mark = world.mark()
        world.commit()
        with another_process(world, fault.environment()) as faulty:
            outcome = world.ask(_claim(world), of=faulty)
        if not fault.acted:
            return
        six_points(world, mark, _claim(world), outcome, _other(world), f"ended before {fault.what}")
        yield


def _end_by_strace(worlds: Worlds) -> Iterator[None]:
    """Yield once for each call that the command was killed before, when that was judged."""
    for world, call in _recorded(worlds):
        mark = world.mark()
        ran = inject(world, _claim(world), call, "signal=KILL")
        if ran.struck:
            six_points(world, mark, _claim(world), ran.outcome, _other(world), f"killed before {call}")
            yield


def _recorded(worlds: Worlds) -> Iterator[tuple[World, Call]]:
    """Yield a new world for each call that the command makes in such a world."""
    world = _world(worlds)
    for call in _sample(worlds, record(world, _claim(world))):
        yield _world(worlds), call


# --- STA-002


@pytest.mark.kitty_clause("STA-002")
@pytest.mark.parametrize("lie", ["lying write", "short write"])
@pytest.mark.parametrize("level", ["in-process", "strace"])
def test_a_write_that_lies_is_no_success(worlds: Worlds, level: str, lie: str) -> None:
    """The write of the row claims all its bytes, or half of them, and the disk has none: only the disk can tell.

    A reader that asks the implementation's own memory, or looks at the end of the row only, is deceived.
    """
    size = _control(worlds)
    world = _world(worlds)
    if level == "in-process":
        mark = world.mark()
        lost = lie == "lying write"
        fault = world.disk_fault("lost") if lost else world.call_fault("short", bytes_through=size // 2)
        outcome = world.under(fault, lambda faulty: world.ask(_claim(world), of=faulty))
        world.answered(outcome)
    else:
        call = carrying_the_row(world, record(world, _claim(world)))
        assert call.size is not None
        world = _world(worlds)
        mark = world.mark()
        ran = inject(world, _claim(world), call, f"retval={call.size if lie == 'lying write' else call.size // 2}")
        if not ran.struck:
            inconclusive(f"{level}: the {lie} was not brought about at {call}")
        outcome = ran.outcome
        if Path(call.paths[0]).name != world.log.name:
            # The whole log was to be written anew: what a disk has lost of that no row can tell.
            event = outcome.value.get("event_id")
            there = event in [row.get("event_id") for row in world.rows()]
            world.check(there or not outcome.ok, Finding.ACKED_ROW_MISSING, f"{event} was reported; the disk lost it")
            return
    six_points(world, mark, _claim(world), outcome, _other(world), f"a {lie} ({level})")


# --- STA-003


@pytest.mark.kitty_clause("STA-003")
@pytest.mark.parametrize("level", ["file-size-limit"])
def test_a_write_torn_at_any_byte_leaves_no_half_row(worlds: Worlds, level: str) -> None:
    """The disk takes 0, 1, 2 ... bytes of the row: a diagnosed failure each time, and none of them is left."""
    sizes = _sample(worlds, list(range(_control(worlds))))
    struck = 0
    # Not too many in one log: it is read again and again.
    for start in range(0, len(sizes), 16):
        chosen = sizes[start : start + 16]
        world = _padded(_world(worlds, len(chosen)))
        _ = world.implementation.greeting  # asked before there is a limit
        for number, size in enumerate(chosen, 1):
            mark, asked = world.mark(), _claim(world, number)
            with limited(world, len(mark.data or b"") + size) as faulty:
                outcome = world.ask(asked, of=faulty)
            struck += not outcome.ok
            if not died_of_it(outcome) and not world.answered(outcome).ok and outcome.declined:
                world.diagnosed(outcome.value, asked.work_package, asked.to)
            what, thorough = f"{size} bytes of the row fit on the disk", number in (1, len(chosen))
            six_points(world, mark, asked, outcome, _other(world), what, thorough=thorough)
    if not struck:
        inconclusive(f"{level}: the limit kept nothing from being written")


def _padded(world: World) -> World:
    """Make the log larger than every other file that an implementation writes; a released one writes many."""
    log = world.mission.log.defer()
    for number in range(9):
        reason = "x" * (35_000 if _slow(world.worlds) else 8_000)
        log.lane("WP98", "blocked" if number % 2 == 0 else "in_progress", reason=reason)
    log.lane("WP98", "in_progress").flush()
    return world


@pytest.mark.kitty_clause("STA-003")
@pytest.mark.parametrize("mode", ["fail", "fail-on"], ids=["in-process, once", "in-process, from then on"])
def test_a_call_that_fails_leaves_what_was(worlds: Worlds, mode: str) -> None:
    """Each open, read, write, rename, fsync on the mission's files fails in turn, alone or with all that follow."""
    _control(worlds)
    for number in _numbers(worlds):
        world = _world(worlds)
        fault = world.call_fault(mode, world.mission.directory, number=number)
        mark = world.mark()
        outcome = _under(world, fault)
        if not fault.acted:
            if number == 1:
                inconclusive("in-process: no call on a file of the mission was seen")
            return
        failed = world.answered(outcome)
        if failed.declined and fault.what.endswith(world.log.name):
            world.diagnosed(failed.value, "WP01", "claimed")
        six_points(world, mark, _claim(world), outcome, _other(world), f"{fault.what} fails")


def _under(world: World, fault: CallFault) -> Outcome:
    """Ask with a fault in place that may never act."""
    _ = world.implementation.greeting
    world.commit()
    if world.implementation.in_this_process:
        with fault.here():
            return world.ask(_claim(world))
    world.worlds.untraceable(f"a fault ({fault.mode}) is in place")
    with world.implementation.sibling(fault.environment()) as faulty:
        return world.ask(_claim(world), of=faulty)


@pytest.mark.kitty_clause("STA-003")
@pytest.mark.parametrize("level", ["strace"])
def test_a_full_disk_fails_the_command(worlds: Worlds, level: str) -> None:
    """There is no space for the row: the command fails, names everything, and all is as it was."""
    _control(worlds)
    world = _world(worlds)
    call = carrying_the_row(world, record(world, _claim(world)))
    world = _world(worlds)
    mark = world.mark()
    ran = inject(world, _claim(world), call, "error=ENOSPC")
    if not ran.struck:
        inconclusive(f"{level}: no space was left for {call}, and it was not brought about")
    world.check(not ran.outcome.ok, Finding.WRONG_EXIT_STATUS, "no space was left, and the command ended with 0")
    world.diagnosed(ran.outcome.value, "WP01", "claimed")
    six_points(world, mark, _claim(world), ran.outcome, _other(world), f"no space left for {call}")


# --- STA-009


@pytest.mark.kitty_clause("STA-009")
@pytest.mark.parametrize("level", ["in-process", "strace"])
def test_a_row_cut_by_a_kill_is_kept_aside(worlds: Worlds, level: str) -> None:
    """The process ends when some bytes of the row are written; the next writer neither glues nor throws away."""
    size = _control(worlds)
    torn = 0
    for written in sorted({2, size // 4, size // 2, size - 2, size - 1}):
        world = _world(worlds) if level == "in-process" else _padded(_world(worlds))
        mark = world.mark()
        outcome = _cut(world, written) if level == "in-process" else cut(world, _claim(world), written)
        if outcome is None:
            continue
        judge = Six(world, mark, _claim(world), f"ended when {written} bytes of the row were written")
        judge.what_is_on_disk(outcome)
        left, files = (mark.now or b"")[len(mark.data or b"") :], mark_tree(world.mission.root)
        judge.reader()
        judge.another_actor(_other(world))
        if mark_torn := bool(left) and not rows_from_bytes(left):
            kept = kept_since(world, files, left)
            world.check(kept, Finding.BYTES_LOST, f"{written} bytes of a row were torn, and are in no file any more")
        torn += mark_torn
        judge.retry()
        judge.rows()
        judge.snapshot()
    if not torn:
        inconclusive(f"{level}: no end of the process left a torn row")


def _cut(world: World, written: int) -> Outcome | None:
    fault = world.call_fault("cut", bytes_through=written)
    world.commit()
    with another_process(world, fault.environment()) as faulty:
        outcome = world.ask(_claim(world), of=faulty)
    return outcome if fault.acted and outcome.kind is OutcomeKind.CRASHED else None
