"""STA-011 and what it rests on: who has a work package in hand, batches, and what is given back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from kitty_reliability.implementations.protocol import Actor, Capability
from kitty_reliability.observe.rows import lane_from_bytes
from pytest_kitty.scenarios import Finding, inconclusive, not_applicable

from .starts import at_once, chain, conflict, lane_rows, no_lane_row, startable, started
from .world import World, Worlds, names_actor, told


@pytest.fixture
def starts(worlds: Worlds) -> Worlds:
    """The worlds, for an implementation that starts work packages."""
    worlds.needs(Capability.WRITE, Capability.START)
    return worlds


def _agent(world: World, **keys: str | None) -> Actor:
    word = world.rng.randrange(10**6)
    return {"role": "implementer", "profile": f"profile-{word}", "tool": "claude", "model": None, **keys}


# --- STA-011


@pytest.mark.kitty_clause("STA-011")
@pytest.mark.parametrize("shape", ["name", "object"])
def test_who_holds_it_goes_on(starts: Worlds, shape: str) -> None:
    """A takes a work package in hand, asks again, and goes on with what A had claimed."""
    world = startable(starts, {"WP01": "planned", "WP02": "planned"})
    actor: Actor = world.actor if shape == "name" else _agent(world)
    world.mission.log.lane("WP02", "claimed", actor=actor)
    mark = world.mark()
    started(world, mark, world.start("WP01", actor), "WP01")
    mark = world.mark()
    no_lane_row(world, mark, world.start("WP01", actor), "WP01")
    mark = world.mark()
    started(world, mark, world.start("WP02", actor), "WP02")


@pytest.mark.kitty_clause("STA-011")
@pytest.mark.parametrize("lane", ["claimed", "in_progress"])
def test_what_another_holds_is_a_conflict(starts: Worlds, lane: str) -> None:
    """B asks for what A holds: B is told that it is A's, and no row is added; A goes on."""
    world = startable(starts, {"WP01": lane, "WP02": "planned"})
    other = f"impl-{world.rng.randrange(10**6)}-b"
    mark = world.mark()
    started(world, mark, world.start("WP02", other), "WP02")

    mark = world.mark()
    conflict(world, mark, world.start("WP01", other), world.actor)
    world.accepted(world.start("WP01", world.actor), "A goes on with what A holds")
    if lane == "claimed":
        chain(world, mark, "WP01", "in_progress")


@pytest.mark.kitty_clause("STA-011")
@pytest.mark.parametrize(
    ("holder", "other"),
    [
        ("rev-{0}", "rev-{0}-2"),
        ("rev-{0}-2", "rev-{0}"),
        ("pete-{0}:opus", "pete-{0}:haiku"),
        ("opus:pete-{0}", "haiku:pete-{0}"),
        ("pete-{0}:opus", "pete-{0}"),
        ("pete-{0} (claude)", "pete-{0}"),
    ],
)
def test_names_that_look_alike_are_two(starts: Worlds, holder: str, other: str) -> None:
    """Names are compared as data: nothing is cut off, split or read out of them."""
    world = startable(starts, {"WP01": "planned"})
    number = world.rng.randrange(10**6)
    holder, other = holder.format(number), other.format(number)
    mark = world.mark()
    started(world, mark, world.start("WP01", holder), "WP01")
    mark = world.mark()
    conflict(world, mark, world.start("WP01", other), holder)
    no_lane_row(world, mark, world.start("WP01", holder), "WP01")


@pytest.mark.kitty_clause("STA-011")
@pytest.mark.parametrize("key", ["role", "profile", "tool", "model"])
def test_structured_actors_differ_by_any_key(starts: Worlds, key: str) -> None:
    """Two objects that differ in one key are two actors."""
    world = startable(starts, {"WP01": "planned"})
    holder = _agent(world, model="opus")
    assert isinstance(holder, dict)
    other: Actor = {**holder, key: f"{holder[key]}-2"}
    mark = world.mark()
    started(world, mark, world.start("WP01", holder), "WP01")
    mark = world.mark()
    conflict(world, mark, world.start("WP01", other), holder)
    no_lane_row(world, mark, world.start("WP01", holder), "WP01")


@pytest.mark.kitty_clause("STA-011")
@pytest.mark.parametrize("who", ["reviewer", "implementer"])
def test_one_reviewer_at_a_time(starts: Worlds, who: str) -> None:
    """Whoever implemented it does not stand in the way of a review; who reviews it does."""
    world = startable(starts, {"WP01": "for_review"})
    first = world.reviewer if who == "reviewer" else world.actor
    mark = world.mark()
    started(world, mark, world.start("WP01", first, "review"), "WP01", "in_review")
    mark = world.mark()
    no_lane_row(world, mark, world.start("WP01", first, "review"), "WP01")
    mark = world.mark()
    conflict(world, mark, world.start("WP01", f"rev-{world.rng.randrange(10**6)}-b", "review"), first)


@pytest.mark.kitty_clause("STA-011")
def test_rejected_work_is_anybodys(starts: Worlds) -> None:
    """A review sent the work back to planned: whoever starts it next has it in hand, not who had it before."""
    world = startable(starts, {"WP01": "in_review"})
    world.mission.wp("WP01").reject()
    other = f"impl-{world.rng.randrange(10**6)}-b"
    mark = world.mark()
    started(world, mark, world.start("WP01", other), "WP01")
    mark = world.mark()
    conflict(world, mark, world.start("WP01", world.actor), other)


# --- STA-001: what is reported is what is there, for several rows as for one


@pytest.mark.kitty_clause("STA-001")
def test_a_start_reports_its_rows(starts: Worlds) -> None:
    """The rows of a start are the ones that it reports; a start that changed nothing reports none."""
    world = startable(starts, {"WP01": "planned", "WP02": "claimed"})
    for work_package in ("WP01", "WP02"):
        mark = world.mark()
        outcome = world.start(work_package, world.actor)
        answer = world.accepted(outcome, f"{work_package} is started")
        if answer["changed"] and not answer["event_ids"]:
            inconclusive("it does not say which events a start has")
        started(world, mark, outcome, work_package)
        world.check(answer["changed"], Finding.WRONG_ROW, f"{work_package} was started, and nothing changed")
    answer = world.accepted(world.start("WP01", world.actor), "WP01 is started again")
    world.check(
        not answer["changed"] and not answer["event_ids"],
        Finding.NO_OP_CLAIMS_EVENT,
        f"WP01 was in hand already; reported: {dict(answer)}",
    )


@pytest.mark.kitty_clause("STA-001")
def test_a_batch_is_the_rows_it_reports(worlds: Worlds) -> None:
    """Several moves in one act: a row each, in their order, but for the one that had nothing to do."""
    worlds.needs(Capability.WRITE, Capability.BATCH)
    world = worlds({"WP01": "planned", "WP02": "claimed", "WP03": "planned"})
    moves: list[dict[str, Any]] = [
        {"work_package": "WP01", "to": "claimed"},
        {"work_package": "WP03", "to": "claimed"},
        {"work_package": "WP02", "to": "claimed"},
        {"work_package": "WP01", "to": "in_progress", "workspace_context": "worktree:lane-a"},
    ]
    mark = world.mark()
    answers = world.accepted(world.batch(*moves), "four moves in one act")["transitions"]
    world.check(len(answers) == 4, Finding.WRONG_ROW, f"four moves, {len(answers)} answers")
    for move, answer in zip(moves, answers, strict=True):
        world.reported(answer, move["work_package"], move["to"])
    no_op = answers.pop(2)
    world.check(
        not no_op["changed"] and not no_op["event_id"],
        Finding.NO_OP_CLAIMS_EVENT,
        f"WP02 was claimed already; reported: {no_op}",
    )
    written = [str(row.get("event_id")) for row in world.added(mark).rows if "to_lane" in row]
    reported = [str(answer["event_id"]) for answer in answers]
    world.check(set(reported) <= set(written), Finding.ACKED_ROW_MISSING, f"reported {reported}, written {written}")
    world.check(reported == written, Finding.WRONG_ROW, f"reported {reported}, written {written}")
    for work_package, to in (("WP01", "in_progress"), ("WP02", "claimed"), ("WP03", "claimed")):
        world.check(
            world.lane(work_package) == to,
            Finding.LANE_DISAGREES,
            f"{work_package} -> {to} was reported; the log adds up to {world.lane(work_package)}",
        )


@pytest.mark.kitty_clause("STA-001")
@pytest.mark.parametrize("wrong", ["illegal move", "unknown work package", "guard"])
def test_a_batch_is_all_or_nothing(worlds: Worlds, wrong: str) -> None:
    """One move of a batch is refused: none of the others happens."""
    worlds.needs(Capability.WRITE, Capability.BATCH)
    world = worlds({"WP01": "planned", "WP02": "claimed", "WP03": "planned"})
    mark = world.mark()
    world.accepted(world.batch({"work_package": "WP03", "to": "claimed"}), "a batch of one move")
    chain_of_three = lane_rows(world, mark, "WP03")
    world.check(len(chain_of_three) == 1, Finding.ACKED_ROW_MISSING, f"one move, {len(chain_of_three)} rows")
    last = {
        "illegal move": {"work_package": "WP02", "to": "done"},
        "unknown work package": {"work_package": "WP77", "to": "claimed"},
        "guard": {"work_package": "WP02", "to": "in_progress", "workspace_context": " "},
    }[wrong]
    mark = world.mark()
    world.declined(world.batch({"work_package": "WP01", "to": "claimed"}, last), f"a batch with an {wrong} at its end")
    world.untouched(mark, f"a batch with an {wrong} at its end was refused")


# --- STA-008


@pytest.mark.kitty_clause("STA-008")
def test_one_of_several_starting_wins(starts: Worlds) -> None:
    """Four actors start one work package at the same moment: one set of rows, one success, three who are told."""
    world = startable(starts, {"WP01": "planned", "WP02": "planned"})
    mark = world.mark()
    started(world, mark, world.start("WP02", world.actor), "WP02")
    mark = world.mark()
    actors = [f"racer-{number}-{world.rng.randrange(1000)}" for number in range(4)]
    outcomes = at_once(world, [world.start_request("WP01", actor) for actor in actors])
    winners = [actor for actor, outcome in zip(actors, outcomes, strict=True) if outcome.ok]
    rows = [f"{row.get('actor')} -> {row.get('to_lane')}" for row in lane_rows(world, mark, "WP01")]
    world.check(
        len(winners) == 1 and len(rows) == 2,
        Finding.RACE_LOST,
        f"{len(winners)} of 4 were told that they started WP01; rows: {rows}",
    )
    chain(world, mark, "WP01", "in_progress")
    for actor, outcome in zip(actors, outcomes, strict=True):
        if actor not in winners:
            diagnostic = world.declined(outcome, f"{actor} came second", Finding.RACE_LOST)
            world.check(
                names_actor(diagnostic, winners[0]) or "lock" in told(diagnostic).lower(),
                Finding.WRONG_DIAGNOSTIC,
                f"who came second is not told that {winners[0]} won, nor that a lock was busy: {outcome}",
            )


# --- STA-007


@pytest.mark.kitty_clause("STA-007")
@pytest.mark.parametrize("lane", ["genesis", "for_review", "in_review", "approved", "done", "canceled"])
def test_a_start_follows_the_lane_table(starts: Worlds, lane: str) -> None:
    """What is not there to be started is refused; a start is no way around the lane table."""
    if starts.profile.name != "contract-320" and lane in ("for_review", "in_review", "approved"):
        not_applicable("released 3.2.x takes it up again by force")
    world = startable(starts, {"WP01": lane, "WP02": "planned"})
    mark = world.mark()
    started(world, mark, world.start("WP02", world.actor), "WP02")
    mark = world.mark()
    world.declined(world.start("WP01", world.actor), f"implementing what is {lane}")
    world.untouched(mark, f"implementing what is {lane} was refused")


_BACKWARD = (
    ("in_progress", "planned"),
    ("in_review", "in_progress"),
    ("in_review", "planned"),
    ("approved", "planned"),
)


@pytest.mark.kitty_clause("STA-007")
@pytest.mark.parametrize(("source", "target"), _BACKWARD)
@pytest.mark.parametrize("forced", [False, True], ids=["along the table", "forced"])
def test_work_that_goes_back_says_how(worlds: Worlds, source: str, target: str, forced: bool) -> None:
    """A row of work that goes back says whether it was forced, why, and by which review: others act on it (#3307)."""
    worlds.needs(Capability.WRITE)
    world = worlds({"WP01": source})
    keys: dict[str, Any] = {"reason": "it is not good yet", "force": forced}
    if source != "in_progress":
        review = world.review("changes_requested")
        keys |= {"review_ref": review["reference"], "actor": world.reviewer}
        if source == "in_review":
            keys["review_result"] = review
    mark = world.mark()
    answer = world.moved(mark, world.transition("WP01", target, **keys), "WP01", target)
    row = world.one_row(mark, str(answer["event_id"]), "WP01", target)
    said = {key: row.get(key) for key in ("force", "reason", "review_ref")}
    asked = {"force": forced, "reason": keys["reason"], "review_ref": keys.get("review_ref")}
    world.check(said == asked, Finding.WRONG_ROW, f"{source} -> {target}: asked {asked}, written {said}")


# --- STA-004: giving back what nobody holds any more


@pytest.fixture
def running() -> Iterator[psutil.Process]:
    """A process that runs until the scenario ends."""
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield psutil.Process(process.pid)
        process.kill()


@pytest.fixture
def gone() -> tuple[int, float]:
    """A process that ended: its number and when it started."""
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE) as process:
        return process.pid, psutil.Process(process.pid).create_time()


def _recoverable(starts: Worlds) -> World:
    starts.needs(Capability.RECOVER)
    return startable(starts, {"WP01": "planned", "WP02": "planned"})


def _claimed_by(world: World, work_package: str, process: int | None, started_at: float | None) -> None:
    """Write the claim of somebody whose process is known, as released versions write it."""
    policy = {"agent": world.actor, "shell_pid": process, "shell_pid_created_at": started_at and str(started_at)}
    world.mission.log.lane(work_package, "claimed", policy_metadata=policy)


def _given_back(world: World, work_package: str, holder: Actor) -> None:
    """Judge a recovery that has to succeed: one row, reported, to planned; and somebody else can start."""
    __tracebackhide__ = True
    mark = world.mark()
    other = f"impl-{world.rng.randrange(10**6)}-b"
    before = lane_from_bytes(mark.data or b"", work_package)
    answer = world.accepted(world.recover(work_package, other), f"{work_package}, whose holder is gone, is given back")
    world.one_row(mark, str(answer["event_id"]), work_package, "planned")
    world.check(
        answer["from_lane"] == before and answer["holder"] == holder and answer["evidence"],
        Finding.WRONG_ROW,
        f"{work_package} was {before}, held by {holder}; reported: {dict(answer)}",
    )
    mark = world.mark()
    started(world, mark, world.start(work_package, other), work_package)


@pytest.mark.kitty_clause("STA-004")
def test_what_a_process_that_ended_held_is_given_back(starts: Worlds, gone: tuple[int, float]) -> None:
    """The holder's process ended, between claim and start or after it: the work package is anybody's again."""
    world = _recoverable(starts)
    _claimed_by(world, "WP01", *gone)
    _given_back(world, "WP01", world.actor)
    mark = world.mark()
    outcome = world.start("WP02", world.actor, process_id=gone[0], process_started=gone[1])
    started(world, mark, outcome, "WP02")
    _given_back(world, "WP02", world.actor)


@pytest.mark.kitty_clause("STA-004")
def test_a_process_id_that_was_used_again_is_another_process(starts: Worlds, running: psutil.Process) -> None:
    """The number runs, but its process started at another time: the holder is gone."""
    world = _recoverable(starts)
    _claimed_by(world, "WP01", running.pid, running.create_time() - 3600)
    _given_back(world, "WP01", world.actor)


@pytest.mark.kitty_clause("STA-004")
@pytest.mark.parametrize("known", ["running", "nothing", "number alone", "start alone"])
def test_time_that_passed_proves_nothing(
    starts: Worlds, running: psutil.Process, gone: tuple[int, float], known: str
) -> None:
    """However old a claim is: without proof that its holder is gone it stays with him."""
    world = _recoverable(starts)
    _claimed_by(world, "WP02", *gone)
    _given_back(world, "WP02", world.actor)
    process, started_at = {
        "running": (running.pid, running.create_time()),
        "nothing": (None, None),
        "number alone": (gone[0], None),
        "start alone": (None, gone[1]),
    }[known]
    # What is built is dated years ago.
    _claimed_by(world, "WP01", process, started_at)
    mark = world.mark()
    world.declined(world.recover("WP01", f"impl-{world.rng.randrange(10**6)}-b"), f"of the holder is known: {known}")
    world.untouched(mark, f"giving back was refused, known: {known}")
    mark = world.mark()
    started(world, mark, world.start("WP01", world.actor), "WP01")
