"""STA-008: many at once lose nothing, one of many wins, and nobody waits for ever."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest

from kitty_reliability.faults.disk import DiskFault
from kitty_reliability.faults.locks import LockNotHeldError, file_lock_held
from kitty_reliability.formats.instants import instant
from kitty_reliability.implementations.base import Implementation
from kitty_reliability.implementations.protocol import Capability, Open, Outcome, OutcomeKind, Repair, Transition
from kitty_reliability.observe.rows import LogMark
from pytest_kitty.scenarios import Finding, inconclusive

from .crowd import Asked, crowd, pace, scaled, send, wait_for
from .ladder import Delay, delayed
from .lane_table import edges, legal_targets, satisfied
from .linearizability import Operation, Undecided, unexplained
from .world import World, Worlds, another_process, told

_SESSIONS = 8
_TRANSITIONS = 200
_ROUNDS = 50
#: Where traffic goes round; a work package that is done or canceled stays there.
_ROUND = [edge for edge in edges() if edge.source != "genesis" and edge.target not in ("done", "canceled")]
#: No clock, and nothing that is blocked.
_LOCK = re.compile("(?<![bc])lock", re.IGNORECASE)

_Record = Callable[[str, object], None]


@pytest.fixture(autouse=True)
def _writer(worlds: Worlds) -> None:
    worlds.needs(Capability.WRITE)


# --- many at once


@pytest.mark.kitty_clause("STA-008")
def test_the_traffic_of_several_adds_up(worlds: Worlds, record_property: _Record) -> None:
    """Eight sessions move six work packages, legally or not: each success is a row, and some order explains it all."""
    names = [f"WP{number:02}" for number in range(1, 7)]
    world = worlds(dict.fromkeys([*names, "WP07"], "planned"))
    count = scaled(_TRANSITIONS, pace(world, _control(world, "WP07")))
    mark = world.mark()
    traffic = _Traffic(world, names)
    with crowd(world, _SESSIONS) as many:
        answers = many.race(count, traffic.choose, traffic.heard)
    for answer in answers:
        if answer.outcome.kind is not OutcomeKind.UNSUPPORTED:
            world.answered(answer.outcome)
    successes = sum(map(_moved, answers))
    record_property("scale", f"{_SESSIONS} sessions x {count} of {_TRANSITIONS} transitions, {successes} succeeded")
    world.check(successes, Finding.LEGAL_REFUSED, f"nobody could move anything: {answers[0].outcome}")
    rows = _rows_are_the_successes(world, mark, answers)
    _rows_are_in_order(world, rows, answers)
    world.snapshot_agrees("all sessions have ended")
    end = max(answer.answered for answer in answers) + 1
    history = [*traffic.history(answers), *(Operation("", wp, str(world.lane(wp)), "seen", end, end) for wp in names)]
    try:
        witness = unexplained(history, dict.fromkeys(names, "planned"))
    except Undecided as reason:
        inconclusive(f"no order of {len(history)} operations was found or excluded in time: {reason}")
    world.check(witness is None, Finding.NOT_LINEARIZABLE, str(witness))


class _Traffic:
    """Draws requests, most of them legal by what the sessions were told, and knows from which lanes each is legal."""

    def __init__(self, world: World, names: list[str]) -> None:
        self._world = world
        self._names = names
        self._keys = {edge: satisfied(world, edge) for edge in _ROUND}
        self._believed = dict.fromkeys(names, "planned")

    def choose(self, session: int, turn: int, rng: Random) -> Transition:  # noqa: ARG002 - no turn is special
        """Draw a request: along an edge from where the work package is believed, along any edge, or never legal."""
        name, kind = rng.choice(self._names), rng.random()
        if kind < 0.1:
            # To be done needs evidence, wherever it comes from.
            return self._world.transition_request(name, "done", actor=f"session-{session}")
        likely = [edge for edge in _ROUND if edge.source == self._believed[name]]
        edge = rng.choice(likely if kind < 0.8 else _ROUND)
        return self._world.transition_request(name, edge.target, **{"actor": f"session-{session}", **self._keys[edge]})

    def heard(self, answer: Asked) -> None:
        """Remember where a success put a work package."""
        if _moved(answer):
            self._believed[answer.request.work_package] = answer.request.to

    def history(self, answers: list[Asked]) -> Iterator[Operation]:
        """Yield what became of the requests. What failed had no effect and says nothing about the lane."""
        results: dict[OutcomeKind, Any] = {OutcomeKind.REFUSED: "refused", OutcomeKind.UNKNOWN: "perhaps"}
        for answer in answers:
            request, outcome = answer.request, answer.outcome
            results[OutcomeKind.OK] = "moved" if _moved(answer) else "stayed"
            result = results.get(outcome.kind)
            if result is not None:
                yield Operation(
                    str(request.actor),
                    request.work_package,
                    request.to,
                    result,
                    answer.asked,
                    answer.answered,
                    legal=[edge.source for edge, keys in self._keys.items() if _brings(request, edge.target, keys)],
                    # What it brings may satisfy the guards of other edges to that lane; those of done it does not.
                    possible=[] if request.to == "done" else [e.source for e in edges() if e.target == request.to],
                    from_lane=outcome.value.get("from_lane") if result == "moved" else None,
                )


def _brings(request: Transition, target: str, keys: Mapping[str, Any]) -> bool:
    return request.to == target and all(getattr(request, key) == value for key, value in keys.items())


@pytest.mark.kitty_clause("STA-008")
def test_nothing_is_lost_when_several_write_at_once(worlds: Worlds) -> None:
    """Four actors claim four work packages while the disk is slow: every reported success is in the log."""
    names = ["WP01", "WP02", "WP03", "WP04"]
    world = worlds(dict.fromkeys([*names, "WP05"], "planned"))
    fault = _slow(world, pace(world, _control(world, "WP05")))

    mark = world.mark()
    with crowd(world, len(names), fault.environment()) as many:
        answers = many.race(1, lambda session, *_: _claim(world, names[session], f"session-{session}"))
    for answer in answers:
        world.answered(answer.outcome)
    world.check(any(map(_moved, answers)), Finding.LEGAL_REFUSED, f"nobody could claim: {answers[0].outcome}")
    _rows_are_the_successes(world, mark, answers)


# --- one of many


@pytest.mark.kitty_clause("STA-008")
def test_one_of_several_in_several_checkouts_wins(worlds: Worlds) -> None:
    """The same race, asked for in the root, a subdirectory and two lane worktrees: one lock is meant."""
    names = [f"WP{number:02}" for number in range(1, 9)]
    lanes = {"lane-a": [*names, "WP99"], "lane-b": ["WP98"]}
    world = worlds(dict.fromkeys([*names, "WP98", "WP99"], "planned"), lanes=lanes)
    seconds = pace(world, _control(world, "WP99"))
    root = world.mission.root
    (root / "src").mkdir(exist_ok=True)
    places = [root, root / "src", *(checkout.path for checkout in world.mission.lane_checkouts.values())]  # type: ignore[attr-defined] # a mission in a repository
    names = names[: scaled(_ROUNDS, seconds)]
    mark = world.mark()
    with crowd(world, len(places), _slow(world, seconds).environment()) as many:
        answers = many.race(
            len(names),
            lambda session, turn, _: _claim(world, names[turn], f"racer-{session}").model_copy(
                update={"root": str(places[session])}
            ),
        )
    for answer in answers:
        world.answered(answer.outcome)
    rows = _rows_are_the_successes(world, mark, answers)
    for name in names:
        won = [answer for answer in answers if answer.request.work_package == name and _moved(answer)]
        there = [row["event_id"] for row in rows if row.get("wp_id") == name]
        world.check(
            len(won) == 1 and len(there) == 1,
            Finding.RACE_LOST,
            f"{len(won)} of {len(places)} were told that they claimed {name}, and {len(there)} rows in the log do so",
        )


@pytest.mark.kitty_clause("STA-008")
def test_one_of_several_racing_for_an_edge_wins(worlds: Worlds, record_property: _Record) -> None:
    """Eight actors claim one work package at once, again and again: one row a round, and the others know who won."""
    names = [f"WP{number:02}" for number in range(1, _ROUNDS + 1)]
    world = worlds(dict.fromkeys([*names, "WP99"], "planned"))
    seconds = pace(world, _control(world, "WP99"))
    names = names[: scaled(_ROUNDS, seconds)]
    record_property("scale", f"{_SESSIONS} sessions, {len(names)} of {_ROUNDS} rounds")

    mark = world.mark()
    actors = [f"racer-{number}-{world.rng.randrange(1000)}" for number in range(_SESSIONS)]
    with crowd(world, _SESSIONS, _slow(world, seconds).environment()) as many:
        answers = many.race(len(names), lambda session, turn, _: _claim(world, names[turn], actors[session]))
    for answer in answers:
        world.answered(answer.outcome)
    rows = _lane_rows(world, mark)
    winners = {}
    for name in names:
        won = [answer for answer in answers if answer.request.work_package == name and _moved(answer)]
        there = [row["event_id"] for row in rows if row.get("wp_id") == name]
        world.check(
            len(won) == 1 and there == [won[0].event_id],
            Finding.RACE_LOST,
            f"{len(won)} of {_SESSIONS} were told that they claimed {name}, and {len(there)} rows in the log do so",
        )
        winners[name] = won[0]
    for answer in answers:
        winner = winners[answer.request.work_package]
        if answer is not winner:
            _told_who_won(world, answer, str(winner.request.actor))


def _told_who_won(world: World, answer: Asked, winner: str) -> None:
    __tracebackhide__ = True
    said = told(world.declined(answer.outcome, f"{answer.request.actor} came second", Finding.RACE_LOST))
    world.check(
        winner in said or _LOCK.search(said),
        Finding.WRONG_DIAGNOSTIC,
        f"{answer.request.actor} came second, and is told neither that {winner} won nor that a lock was busy: "
        f"{answer.outcome}",
    )


# --- a lock that nobody lets go of


@pytest.mark.kitty_clause("STA-008")
def test_a_writer_that_was_killed_is_in_nobodys_way(worlds: Worlds) -> None:
    """A writer dies with the lock in its hand: the next one is served, at the latest when the bound is over."""
    world = worlds(dict.fromkeys(["WP01", "WP02", "WP03", "WP04"], "planned"))
    with _patient(world, "WP04") as other, _interrupted(world, 60) as (victim, answer, mark):
        if not send(victim, "SIGKILL"):
            victim.close()
        answer.result()
        outcome = _within_the_bound(world, other, "WP02", "the writer before it was killed")
        if not outcome.ok:
            _gave_up(world, outcome, "the writer before it was killed")
            if Capability.REPAIR in other.greeting.capabilities:
                world.ask(Repair(root=str(world.mission.root), mission=world.mission.slug), of=other)
        rows = [str(row.get("wp_id")) for row in _lane_rows(world, mark)]
        world.check(
            rows.count("WP01") <= 1 and rows.count("WP02") == outcome.ok,
            Finding.ACKED_ROW_MISSING if outcome.ok else Finding.REFUSAL_CHANGED_STATE,
            f"one was killed, one came afterwards: {outcome}; the log gained rows of {', '.join(rows) or 'nothing'}",
        )
        _works_again(world, other, "WP03" if outcome.ok else "WP02")


@pytest.mark.kitty_clause("STA-008")
def test_a_writer_that_stands_still_holds_nobody_for_ever(worlds: Worlds) -> None:
    """A writer is stopped in the middle: another gives up after its declared bound, and names what it waited for."""
    world = worlds(dict.fromkeys(["WP01", "WP02", "WP03"], "planned"))
    with _patient(world, "WP03") as other, _interrupted(world, 1) as (victim, answer, mark):
        if not send(victim, "SIGSTOP"):
            inconclusive("its process cannot be stopped here")
        try:
            if answer.done() or not mark.unchanged:
                inconclusive("it was over before it could be stopped")
            outcome = _within_the_bound(world, other, "WP01", "the writer before it stands still")
            # Whoever needs no lock may have gone ahead; then the one that stood still must not have moved it as well.
            if not outcome.ok:
                _gave_up(world, outcome, "the writer before it stands still", holder="victim")
                world.untouched(mark, "it gave up")
        finally:
            send(victim, "SIGCONT")
        late = world.answered(answer.result())
        rows = [row["event_id"] for row in _lane_rows(world, mark)]
        won = [found.value["event_id"] for found in (outcome, late) if found.ok and found.value["changed"]]
        world.check(
            len(won) <= 1 and rows == won,
            Finding.RACE_LOST,
            f"one was stopped, one came meanwhile; {len(won)} were told that they claimed WP01, {len(rows)} rows do so",
        )
        _works_again(world, other, "WP02")


@pytest.mark.kitty_clause("STA-008")
def test_a_lock_that_is_held_is_waited_for_no_longer_than_declared(worlds: Worlds) -> None:
    """Another process holds the mission's lock and does not let go: the bound, the lock by its name, and no row."""
    world = worlds(dict.fromkeys(["WP01", "WP02"], "planned"))
    with _patient(world, "WP02") as other:
        opened = world.answered(world.ask(Open(root=str(world.mission.root), mission=world.mission.slug), of=other))
        path = opened.value.get("lock_path") if opened.ok else None
        if path is None:
            inconclusive("it does not say which file it locks")
        mark = world.mark()
        lock = world.mission.root / path
        there = lock.exists()
        try:
            with file_lock_held(lock):
                outcome = _within_the_bound(world, other, "WP01", f"{path} is held")
                if outcome.ok:
                    world.fail(Finding.RACE_LOST, f"{path} is its lock and is held by another; it moved WP01 meanwhile")
                _gave_up(world, outcome, f"{path} is held")
                world.untouched(mark, f"it gave up: {outcome}")
            if not there:
                # Where a lock is a file that is there, this one was put there by the scenario.
                lock.unlink(missing_ok=True)
        except (LockNotHeldError, OSError) as error:
            inconclusive(str(error))
        _works_again(world, other, "WP01")


@contextmanager
def _patient(world: World, name: str) -> Iterator[Implementation]:
    """Start a session that waits for a lock as shortly as it can be told to; moving ``name`` shows that it works."""
    variable = world.implementation.greeting.lock_variable
    with another_process(world, {variable: "1"} if variable else None) as session:
        _ = session.greeting
        mark = world.mark()
        world.moved(mark, world.transition(name, "claimed", of=session), name, "claimed")
        yield session


@contextmanager
def _interrupted(world: World, seconds: float) -> Iterator[tuple[Implementation, Future[Outcome], LogMark]]:
    """Let a session claim WP01 on a disk that makes each write wait for ``seconds``: the block begins in the middle."""
    fault = _slow(world, 0, seconds)
    with _claiming(world, fault, fault.environment()) as interrupted:
        if fault.acted:
            yield interrupted
            return
    # The disk is slow for Python alone. WP01 is claimed, and is given back.
    back = world.transition("WP01", "planned", force=True, reason="the scenario wants it")
    if not world.answered(back).ok:
        inconclusive("the slow disk took no effect in this implementation: it cannot be met in the middle")
    delay = delayed(world, seconds)
    with _claiming(world, delay, {}, delay.wrapper) as interrupted:
        if not delay.acted:
            inconclusive("its calls on the log were not delayed: it cannot be met in the middle")
        yield interrupted


@contextmanager
def _claiming(
    world: World, fault: DiskFault | Delay, environment: Mapping[str, str], wrapper: Sequence[str] = ()
) -> Iterator[tuple[Implementation, Future[Outcome], LogMark]]:
    """Let a session claim WP01; the block begins when ``fault`` has acted, or the answer is there."""
    mark = world.mark()
    with ThreadPoolExecutor(1) as pool, another_process(world, environment, wrapper=wrapper) as victim:
        _ = victim.greeting
        answer = pool.submit(victim.ask, _claim(world, "WP01", "victim"))
        wait_for(lambda: bool(fault.acted) or answer.done(), victim.deadline)
        yield victim, answer, mark


def _within_the_bound(world: World, session: Implementation, name: str, why: str) -> Outcome:
    """Let ``session`` claim ``name``, and judge that it waits no longer than it declares."""
    __tracebackhide__ = True
    greeting = session.greeting
    # The machine is busy as well: what counts as hung without a lock comes on top.
    deadline = greeting.lock_seconds + session.deadline
    outcome = world.ask(_claim(world, name, "other"), of=session, deadline=deadline)
    if outcome.kind is OutcomeKind.HUNG:
        world.fail(
            Finding.HANG,
            f"{why}; {name} -> claimed was still not answered after {deadline:g} s, and it declares to wait "
            f"{greeting.lock_seconds:g} s at most",
        )
    return world.answered(outcome)


def _gave_up(world: World, outcome: Outcome, why: str, *, holder: str = "lock") -> None:
    """Judge that who waited in vain says for what: a lock, or who holds it."""
    __tracebackhide__ = True
    said = told(world.declined(outcome, why, Finding.WRONG_DIAGNOSTIC))
    world.check(
        _LOCK.search(said) or holder in said,
        Finding.WRONG_DIAGNOSTIC,
        f"{why}; the diagnostic names neither a lock nor its holder: {outcome}",
    )


def _works_again(world: World, session: Implementation, name: str) -> None:
    """Judge that nothing stands in the way any more."""
    __tracebackhide__ = True
    mark = world.mark()
    outcome = world.answered(world.ask(_claim(world, name, "next"), of=session))
    if not outcome.ok:
        world.fail(Finding.STUCK_AFTER_FAULT, f"it is over, and {name} -> claimed still fails: {outcome}")
    world.moved(mark, outcome, name, "claimed")


# --- what they share


def _control(world: World, name: str) -> Outcome:
    """Move ``name`` twice while nobody else is there, and return the second outcome."""
    mark = world.mark()
    world.moved(mark, world.transition(name, "claimed"), name, "claimed")
    mark = world.mark()
    outcome = world.transition(name, "in_progress", workspace_context="worktree:lane-a")
    world.moved(mark, outcome, name, "in_progress")
    return outcome


def _claim(world: World, name: str, actor: str) -> Transition:
    return world.transition_request(name, "claimed", actor=actor)


def _slow(world: World, seconds: float, wait: float | None = None) -> DiskFault:
    """Make each write wait: for ``wait``, or so long that sessions whose operations take ``seconds`` meet."""
    return world.disk_fault("slow", seconds=max(0.05, seconds / 10) if wait is None else wait)


def _moved(answer: Asked) -> bool:
    return answer.outcome.ok and bool(answer.outcome.value["changed"])


def _lane_rows(world: World, mark: LogMark) -> list[dict[str, Any]]:
    """Return the rows that moved a work package since ``mark``; a finding when a line is no row."""
    return [row for row in world.gained(mark).rows if row.get("kind") is None and "to_lane" in row]


def _rows_are_the_successes(world: World, mark: LogMark, answers: list[Asked]) -> list[dict[str, Any]]:
    """Judge that the log gained the rows that were reported, each once, and return them."""
    __tracebackhide__ = True
    rows = {str(row.get("event_id")): row for row in _lane_rows(world, mark)}
    reported = {answer.event_id: answer.request for answer in answers if _moved(answer)}
    counts = f"{sum(map(_moved, answers))} successes were reported and {len(rows)} rows are in the log"
    twice = len(_lane_rows(world, mark)) - len(rows)
    world.check(not twice, Finding.ROW_DUPLICATED, f"{counts}, {twice} of them more than once")
    lost = sorted(set(reported) - set(rows))
    world.check(not lost, Finding.ACKED_ROW_MISSING, f"{counts}; missing: {', '.join(lost[:3])}")
    world.check(
        len(reported) == sum(map(_moved, answers)), Finding.RACE_LOST, f"{counts}; several were told of one event"
    )
    unknown = sum(answer.outcome.kind is OutcomeKind.UNKNOWN for answer in answers)
    world.check(len(rows) - len(reported) <= unknown, Finding.RACE_LOST, f"{counts}: nobody was told of the others")
    for event, request in reported.items():
        written = tuple(rows[event].get(key) for key in ("wp_id", "to_lane", "actor"))
        asked = (request.work_package, request.to, request.actor)
        world.check(written == asked, Finding.WRONG_ROW, f"success was reported for {asked}; its row says {written}")
    return list(rows.values())


def _rows_are_in_order(world: World, rows: list[dict[str, Any]], answers: list[Asked]) -> None:
    """Judge that the rows, in the order in which they count, lead along the lane table and keep to the clock."""
    __tracebackhide__ = True
    told_of = {answer.event_id: answer for answer in answers if _moved(answer)}
    lanes: dict[str, str] = {}
    latest: dict[str, Asked] = {}
    for row in sorted(rows, key=lambda row: (instant(row["at"]), row["event_id"])):
        name, source, target = row["wp_id"], row.get("from_lane"), row["to_lane"]
        lane = lanes.get(name, "planned")
        world.check(
            source == lane and target in legal_targets(lane),
            Finding.NOT_LINEARIZABLE,
            f"{name} was {lane} when {row.get('actor')} moved it from {source} to {target}, as the rows have it",
        )
        lanes[name] = target
        answer, before = told_of.get(row["event_id"]), latest.get(name)
        if answer is None:
            continue
        world.check(
            before is None or answer.answered >= before.asked,
            Finding.NOT_LINEARIZABLE,
            f"{name}: {answer.request.actor} was told of -> {target} before anybody asked for a move that counts earlier",
        )
        if before is None or answer.asked > before.asked:
            latest[name] = answer
