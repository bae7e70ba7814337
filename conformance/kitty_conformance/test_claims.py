"""STA-011 and what it rests on: who has a work package in hand, batches, and what is given back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import pytest

from kitty_reliability.formats.instants import spell
from kitty_reliability.implementations.protocol import Actor, Batch, Capability, Move
from kitty_reliability.observe.rows import lane_from_bytes
from pytest_kitty.scenarios import Finding, inconclusive, not_applicable

from .starts import (
    at_once,
    chain,
    claimed_by,
    conflict,
    ended_process,
    lane_rows,
    no_lane_row,
    shown,
    startable,
    started,
)
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
        ("Pete-{0}", "pete-{0}"),
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
    idle = not world.batch(moves[2]).declined
    if not idle:
        # To where it is leads no edge of the lane table: that may be refused, and what it wrote would be seen below.
        moves[2] = {"work_package": "WP02", "to": "in_progress", "workspace_context": "worktree:lane-b"}
    answers = world.accepted(world.batch(*moves), "four moves in one act")["transitions"]
    world.check(len(answers) == 4, Finding.WRONG_ROW, f"four moves, {len(answers)} answers")
    for move, answer in zip(moves, answers, strict=True):
        world.reported(answer, move["work_package"], move["to"])
    if idle:
        no_op = answers.pop(2)
        world.check(
            not no_op["changed"] and not no_op["event_id"],
            Finding.NO_OP_CLAIMS_EVENT,
            f"WP02 was claimed already; reported: {no_op}",
        )
    rows = [row for row in world.gained(mark).rows if row.get("kind") is None and "to_lane" in row]
    written = sorted((str(row.get("event_id")), row.get("wp_id"), row["to_lane"]) for row in rows)
    reported = sorted((str(one["event_id"]), one["work_package_id"], one["to_lane"]) for one in answers)
    missing = {event for event, *_ in reported} - {event for event, *_ in written}
    world.check(not missing, Finding.ACKED_ROW_MISSING, f"reported {reported}, written {written}")
    world.check(reported == written, Finding.WRONG_ROW, f"reported {reported}, written {written}")
    for work_package, to in (("WP01", "in_progress"), ("WP02", moves[2]["to"]), ("WP03", "claimed")):
        world.check(
            world.lane(work_package) == to,
            Finding.LANE_DISAGREES,
            f"{work_package} -> {to} was reported; the log adds up to {world.lane(work_package)}",
        )


@pytest.mark.kitty_clause("STA-001")
@pytest.mark.parametrize(
    "wrong",
    ["illegal move", "unknown work package", "guard", "force without a reason", "move that the one before rules out"],
)
def test_a_batch_is_all_or_nothing(worlds: Worlds, wrong: str) -> None:
    """One move of a batch is refused: none of the others happens."""
    worlds.needs(Capability.WRITE, Capability.BATCH)
    world = worlds({"WP01": "planned", "WP02": "claimed", "WP03": "planned"})
    mark = world.mark()
    world.accepted(world.batch({"work_package": "WP03", "to": "claimed"}), "a batch of one move")
    chain_of_three = lane_rows(world, mark, "WP03")
    world.check(len(chain_of_three) == 1, Finding.ACKED_ROW_MISSING, f"one move, {len(chain_of_three)} rows")
    ends: dict[str, list[dict[str, Any]]] = {
        "illegal move": [{"to": "done"}],
        "unknown work package": [{"work_package": "WP77", "to": "claimed"}],
        "guard": [{"to": "in_progress", "workspace_context": " "}],
        "force without a reason": [{"to": "done", "force": True, "reason": " "}],
        "move that the one before rules out": [
            {"to": "canceled", "reason": "not needed"},
            {"to": "in_progress", "workspace_context": "worktree:lane-a"},
        ],
    }
    moves = [{"work_package": "WP02", **move} for move in ends[wrong]]
    mark = world.mark()
    world.declined(world.batch({"work_package": "WP01", "to": "claimed"}, *moves), f"a batch that ends with: {wrong}")
    world.untouched(mark, f"a batch that ends with: {wrong}")


# --- STA-002, STA-003: several rows stand or fall together


_TWO: tuple[dict[str, Any], ...] = (
    {"work_package": "WP01", "to": "claimed"},
    {"work_package": "WP02", "to": "claimed"},
)


def _two(world: World) -> Batch:
    root, slug = str(world.mission.root), world.mission.slug
    return Batch(root=root, mission=slug, moves=[Move(actor=world.actor, **move) for move in _TWO])


def _batched(worlds: Worlds) -> World:
    """Return a world of the same shape as one in which a batch of two succeeded."""
    __tracebackhide__ = True
    worlds.needs(Capability.WRITE, Capability.BATCH)
    lanes = dict.fromkeys(["WP01", "WP02", "WP03"], "planned")
    twin = worlds(lanes)
    twin.accepted(twin.batch(*_TWO), "a batch of two moves")
    return worlds(lanes)


@pytest.mark.kitty_clause("STA-002")
@pytest.mark.parametrize("skewed", ["WP01", "WP02"])
def test_an_outranked_row_of_a_batch_is_no_success(worlds: Worlds, skewed: str) -> None:
    """A row dated by a clock that runs ahead stays in force over one move of a batch: nothing of it is a success."""
    world = _batched(worlds)
    ahead = datetime.now(UTC) + timedelta(hours=1)
    log = world.mission.log.lane(skewed, "claimed", at=spell(ahead))
    log.lane(skewed, "planned", force=True, at=spell(ahead + timedelta(seconds=1)))
    world.commit()
    mark = world.mark()
    outcome = world.answered(world.batch(*_TWO))
    if not outcome.ok:
        world.check(mark.intact, Finding.PREFIX_REWRITTEN, "earlier rows are gone")
        if outcome.declined:
            world.untouched(mark, "the batch was declined")
        return
    for name in ("WP01", "WP02"):
        world.check(
            world.lane(name) == "claimed",
            Finding.LANE_DISAGREES,
            f"{name} -> claimed was reported; the log adds up to {world.lane(name)}",
        )


@pytest.mark.kitty_clause("STA-002")
@pytest.mark.parametrize("mode", ["lost", "altered"])
def test_a_lost_batch_is_no_success(worlds: Worlds, mode: str) -> None:
    """The write claims success and the disk has none of the rows, or something else."""
    world = _batched(worlds)
    mark = world.mark()
    outcome = world.answered(world.under(world.disk_fault(mode), lambda faulty: world.ask(_two(world), of=faulty)))
    world.check(mark.intact, Finding.PREFIX_REWRITTEN, "earlier rows are gone")
    if outcome.ok:
        ids = [row.get("event_id") for row in world.rows()]
        there = all(one["event_id"] in ids for one in outcome.value["transitions"])
        world.check(there, Finding.ACKED_ROW_MISSING, f"success was reported; the write was {mode}")


@pytest.mark.kitty_clause("STA-003")
@pytest.mark.parametrize("through", [1, 300, 600])
def test_a_batch_that_failed_left_nothing(worlds: Worlds, through: int) -> None:
    """The disk takes some of the rows of a batch: a diagnosed failure, no row of it is left, and a retry converges."""
    world = _batched(worlds)
    mark = world.mark()
    fault = world.disk_fault("torn", bytes_through=through)
    outcome = world.answered(world.under(fault, lambda faulty: world.ask(_two(world), of=faulty)))
    world.check(mark.intact, Finding.PREFIX_REWRITTEN, "earlier rows are gone")
    if outcome.declined:
        world.untouched(mark, "the batch failed")
        codes = [key for key in ("diagnostic_code", "violated_invariant", "remediation") if not outcome.value.get(key)]
        world.check(not codes, Finding.WRONG_DIAGNOSTIC, f"the diagnostic has no {', '.join(codes)}: {outcome}")
    again = world.answered(world.batch(*_TWO))
    if not again.ok and Capability.REPAIR in world.implementation.greeting.capabilities:
        world.repair()
        again = world.answered(world.batch(*_TWO))
    world.check(again.ok, Finding.STUCK_AFTER_FAULT, f"after a batch that failed: {again}")
    for name in ("WP01", "WP02"):
        rows = lane_rows(world, mark, name)
        world.check(len(rows) == 1, Finding.ROW_DUPLICATED, f"a batch and its retry; rows of {name}: {len(rows)}")


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


@pytest.mark.kitty_clause("STA-007")
@pytest.mark.parametrize("lane", ["planned", "claimed", "in_progress", "approved", "done", "canceled", "blocked"])
def test_a_review_follows_the_lane_table(starts: Worlds, lane: str) -> None:
    """What is not there to be reviewed is refused; a review's start is no way around the lane table."""
    if starts.profile.name != "contract-320" and lane != "planned":
        not_applicable("released 3.2.x takes it up again by force")
    world = startable(starts, {"WP01": lane, "WP02": "for_review"})
    mark = world.mark()
    started(world, mark, world.start("WP02", world.reviewer, "review"), "WP02", "in_review")
    mark = world.mark()
    world.declined(world.start("WP01", world.reviewer, "review"), f"reviewing what is {lane}")
    world.untouched(mark, f"reviewing what is {lane} was refused")


@pytest.mark.kitty_clause("STA-007")
@pytest.mark.parametrize("kind", ["implement", "review"])
def test_nobody_starts_nothing(starts: Worlds, kind: str) -> None:
    """A start takes the guard of its edges along: somebody has to be named."""
    lane, to = ("planned", "in_progress") if kind == "implement" else ("for_review", "in_review")
    world = startable(starts, {"WP01": lane, "WP02": lane})
    mark = world.mark()
    started(world, mark, world.start("WP02", world.actor, kind), "WP02", to)
    mark = world.mark()
    for actor in ("", "  "):
        world.declined(world.start("WP01", actor, kind), f"a start by {actor!r}")
        world.untouched(mark, f"a start by {actor!r} was refused")


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
    row = world.row(answer["event_id"])
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
    return ended_process()


def _recoverable(starts: Worlds) -> World:
    starts.needs(Capability.RECOVER)
    return startable(starts, {"WP01": "planned", "WP02": "planned"})


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
    claimed_by(world, "WP01", *gone)
    _given_back(world, "WP01", world.actor)
    mark = world.mark()
    outcome = world.start("WP02", world.actor, process_id=gone[0], process_started=gone[1])
    started(world, mark, outcome, "WP02")
    _given_back(world, "WP02", world.actor)


@pytest.mark.kitty_clause("STA-004")
def test_a_process_id_that_was_used_again_is_another_process(starts: Worlds, running: psutil.Process) -> None:
    """The number runs, but its process started at another time: the holder is gone."""
    world = _recoverable(starts)
    claimed_by(world, "WP01", running.pid, running.create_time() - 3600)
    _given_back(world, "WP01", world.actor)


@pytest.mark.kitty_clause("STA-004")
@pytest.mark.parametrize("known", ["running", "nothing", "number alone", "start alone"])
def test_time_that_passed_proves_nothing(
    starts: Worlds, running: psutil.Process, gone: tuple[int, float], known: str
) -> None:
    """However old a claim is: without proof that its holder is gone it stays with him."""
    world = _recoverable(starts)
    claimed_by(world, "WP02", *gone)
    _given_back(world, "WP02", world.actor)
    process, started_at = {
        "running": (running.pid, running.create_time()),
        "nothing": (None, None),
        # A number that nobody has proves it as well; one that somebody has does not, either way.
        "number alone": (running.pid, None),
        "start alone": (None, gone[1]),
    }[known]
    # What is built is dated years ago.
    claimed_by(world, "WP01", process, started_at)
    mark = world.mark()
    world.declined(world.recover("WP01", f"impl-{world.rng.randrange(10**6)}-b"), f"of the holder is known: {known}")
    world.untouched(mark, f"giving back was refused, known: {known}")
    mark = world.mark()
    started(world, mark, world.start("WP01", world.actor), "WP01")


@pytest.mark.kitty_clause("STA-004")
def test_an_earlier_holder_says_nothing_of_the_present_one(
    starts: Worlds, gone: tuple[int, float], running: psutil.Process
) -> None:
    """A's process ended and A's claim was given back; what B claimed since is B's, and told as B's."""
    world = _recoverable(starts)
    claimed_by(world, "WP02", *gone)
    _given_back(world, "WP02", world.actor)

    second = f"second-{world.rng.randrange(10**6)}"
    claimed_by(world, "WP01", *gone)
    world.mission.log.lane("WP01", "planned", force=True, reason="the holder is gone")
    policy = {"agent": second, "shell_pid": running.pid, "shell_pid_created_at": str(running.create_time())}
    world.mission.log.lane("WP01", "claimed", actor=second, policy_metadata=policy)
    world.commit()
    shown(world, "WP01", second)
    mark = world.mark()
    conflict(world, mark, world.start("WP01", f"third-{world.rng.randrange(10**6)}"), second)
    world.declined(world.recover("WP01", world.actor), "the present holder's process runs")
    world.untouched(mark, "giving back was refused")


@pytest.mark.kitty_clause("STA-004")
@pytest.mark.parametrize("lane", ["planned", "for_review", "approved", "done", "canceled"])
def test_what_nobody_holds_is_not_given_back(starts: Worlds, gone: tuple[int, float], lane: str) -> None:
    """Recovery is for what somebody had in hand and left; everything else stays where it is."""
    world = _recoverable(starts)
    claimed_by(world, "WP02", *gone)
    _given_back(world, "WP02", world.actor)
    world = startable(starts, {"WP01": lane})
    mark = world.mark()
    outcome = world.answered(world.recover("WP01", f"impl-{world.rng.randrange(10**6)}-b"))
    # Nothing to do is an answer as well.
    world.check(
        outcome.declined or not outcome.value["changed"], Finding.ILLEGAL_ACCEPTED, f"WP01 is {lane}: {outcome}"
    )
    world.untouched(mark, f"what is {lane} is nobody's")


@pytest.mark.kitty_clause("STA-004")
def test_a_review_is_not_given_back_without_proof(starts: Worlds, gone: tuple[int, float]) -> None:
    """Nothing is known of the reviewer's process: the review stays where it is, and is gone on with."""
    world = _recoverable(starts)
    claimed_by(world, "WP01", *gone)
    _given_back(world, "WP01", world.actor)
    world = startable(starts, {"WP01": "for_review"})
    mark = world.mark()
    started(world, mark, world.start("WP01", world.reviewer, "review"), "WP01", "in_review")
    mark = world.mark()
    world.declined(world.recover("WP01", f"rev-{world.rng.randrange(10**6)}-b"), "nothing is known of the reviewer")
    world.untouched(mark, "giving back was refused")
    no_lane_row(world, mark, world.start("WP01", world.reviewer, "review"), "WP01")
