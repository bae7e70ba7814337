"""What scenarios about starts have in common: a mission that can be started, and what has to be true after a start."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from kitty_reliability.formats.instants import instant
from kitty_reliability.implementations.protocol import Actor, Capability, Outcome, Request
from kitty_reliability.observe.rows import LogMark, lane_from_bytes
from pytest_kitty.scenarios import Finding

from .world import World, Worlds, another_process, names_actor, told

__all__ = [
    "at_once",
    "chain",
    "claimed_by",
    "conflict",
    "converges",
    "ended_process",
    "give_inputs",
    "lane_rows",
    "no_lane_row",
    "shown",
    "startable",
    "started",
]

_INPUTS = ("spec", "plan", "tasks")


def startable(worlds: Worlds, work_packages: Mapping[str, Any], **options: Any) -> World:
    """Build a world with all that released versions ask for before they start anything (a lane each, an analysis)."""
    names = sorted(work_packages)
    lanes = {f"lane-{chr(ord('a') + number)}": [name] for number, name in enumerate(names)}
    world = worlds(work_packages, lane_manifest=lanes, **options)
    give_inputs(world.mission.directory)
    return world


def give_inputs(directory: Path) -> None:
    """Write the analysis of a mission, and what it was made from, beside it."""
    for name in ("spec", "plan"):
        (directory / f"{name}.md").write_bytes(f"# {name}\n".encode())
    inputs = "".join(
        f"  {name}.md:\n    path: {name}.md\n    sha256: {sha256((directory / f'{name}.md').read_bytes()).hexdigest()}\n"
        for name in _INPUTS
    )
    (directory / "analysis-report.md").write_bytes(
        "---\nartifact_type: spec-kitty.analysis-report\ninput_artifacts:\n"
        f"{inputs}  charter:\n    path:\n    sha256:\n---\n# Analysis\n".encode()
    )


def ended_process() -> tuple[int, float]:
    """Return the number of a process that ended, and when it started."""
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE) as process:
        return process.pid, psutil.Process(process.pid).create_time()


def claimed_by(world: World, work_package: str, process: int | None, started_at: float | None) -> None:
    """Write the claim of somebody whose process is known, as released versions write it."""
    policy = {"agent": world.actor, "shell_pid": process, "shell_pid_created_at": started_at and str(started_at)}
    world.mission.log.lane(work_package, "claimed", policy_metadata=policy)


def at_once(world: World, requests: Sequence[Request]) -> list[Outcome]:
    """Let each request be asked by a process of its own at the same moment, with writes slowed down."""
    fault = world.disk_fault("slow", seconds=0.2)
    world.commit()
    with ExitStack() as stack:
        askers = [stack.enter_context(another_process(world, fault.environment())) for _ in requests]
        with ThreadPoolExecutor(len(askers)) as pool:
            # Everybody is awake before the start.
            list(pool.map(lambda asker: asker.greeting, askers))
            outcomes = list(pool.map(lambda asker, request: asker.ask(request), askers, requests))
    for outcome in outcomes:
        if world.answered(outcome).ok:
            world.acknowledge(outcome)
    return outcomes


def lane_rows(world: World, mark: LogMark, work_package: str) -> list[dict[str, Any]]:
    """Return the transitions of ``work_package`` that the log gained, once earlier bytes are seen to be intact."""
    rows = world.gained(mark).rows
    return [row for row in rows if row.get("kind") is None and "to_lane" in row and row.get("wp_id") == work_package]


def chain(world: World, mark: LogMark, work_package: str, to: str) -> list[dict[str, Any]]:
    """Judge that the rows gained lead from where the work package was to ``to``, each once and in this order."""
    __tracebackhide__ = True
    # Their order is that of their times and ids; where they stand in the file says nothing (LOG-001).
    rows = sorted(lane_rows(world, mark, work_package), key=_order)
    before = lane_from_bytes(mark.data or b"", work_package)
    way = [f"{row.get('from_lane')} -> {row.get('to_lane')}" for row in rows]
    lanes = ["planned", "claimed", "in_progress"] if to == "in_progress" else ["for_review", to]
    lanes = lanes[lanes.index(before or "") :]
    expected = [f"{source} -> {target}" for source, target in pairwise(lanes)]
    missing = [step for step in expected if step not in way]
    world.check(not missing, Finding.ACKED_ROW_MISSING, f"{work_package} was started; rows: {way}, missing: {missing}")
    world.check(
        way == expected, Finding.ROW_DUPLICATED, f"{work_package} was started; rows: {way}, expected: {expected}"
    )
    world.check(
        world.lane(work_package) == to,
        Finding.LANE_DISAGREES,
        f"{work_package} was started; the log adds up to {world.lane(work_package)}",
    )
    return rows


def _order(row: Mapping[str, Any]) -> tuple[int, str]:
    return instant(row["at"]), str(row.get("event_id"))


def started(world: World, mark: LogMark, outcome: Outcome, work_package: str, to: str = "in_progress") -> None:
    """Judge a start that has to succeed and to write rows."""
    __tracebackhide__ = True
    answer = world.accepted(outcome, f"{work_package} is started")
    world.reported(answer, work_package, to)
    rows = chain(world, mark, work_package, to)
    ids = [row.get("event_id") for row in rows]
    reported = answer["event_ids"]
    world.check(
        not reported or sorted(reported) == sorted(map(str, ids)),
        Finding.ACKED_ROW_MISSING if set(reported) - set(ids) else Finding.WRONG_ROW,
        f"reported were the events {reported}; the rows of the start are {ids}",
    )


def no_lane_row(world: World, mark: LogMark, outcome: Outcome, work_package: str) -> None:
    """Judge a start by who has it in hand already: it succeeds, and nothing moves."""
    __tracebackhide__ = True
    answer = world.accepted(outcome, f"{work_package} is started again by who has it in hand")
    rows = lane_rows(world, mark, work_package)
    world.check(
        not rows and not answer["event_ids"],
        Finding.NO_OP_CLAIMS_EVENT,
        f"{work_package} was in hand already; reported: {answer['event_ids']}, added: {[r.get('to_lane') for r in rows]}",
    )


def conflict(world: World, mark: LogMark, outcome: Outcome, holder: Actor) -> Mapping[str, Any]:
    """Judge the start of what somebody else holds: declined, the holder named, no row."""
    __tracebackhide__ = True
    diagnostic = world.declined(outcome, f"it is held by {holder}")
    world.untouched(mark, f"the start of what {holder} holds was refused")
    world.check(
        names_actor(diagnostic, holder), Finding.WRONG_DIAGNOSTIC, f"the holder, {holder}, is not named: {outcome}"
    )
    return diagnostic


def shown(world: World, work_package: str, holder: Actor) -> None:
    """Judge what is told of a work package that is claimed and not started: its lane, its holder, how it goes on."""
    __tracebackhide__ = True
    outcome = world.state()
    lanes = world.lanes(outcome)
    world.check(
        lanes.get(work_package) == "claimed",
        Finding.LANE_DISAGREES,
        f"{work_package} is claimed; it says {lanes.get(work_package)}",
    )
    if any(_shows(report, work_package, holder) for report in outcome.value["reports"]):
        return
    # Who asks for it may be told instead of who looks.
    mark = world.mark()
    diagnostic = conflict(world, mark, world.start(work_package, f"other-{world.rng.randrange(10**6)}"), holder)
    world.check(
        _shows(diagnostic, work_package, holder),
        Finding.WRONG_DIAGNOSTIC,
        f"{work_package} is claimed by {holder}, and nobody is told by which command it goes on: {dict(diagnostic)}",
    )


def _shows(diagnostic: Mapping[str, Any], work_package: str, holder: Actor) -> bool:
    remedies = [told(value) for key, value in diagnostic.items() if key == "remediation" or "command" in key]
    return names_actor(diagnostic, holder) and any(work_package in remedy for remedy in remedies)


def converges(world: World, mark: LogMark, actor: Actor, others: Sequence[str] = ()) -> None:
    """Judge what an interrupted start of WP01 by ``actor`` left: the six points of the kit.

    Earlier rows are there and served; WP01 is where it was, where it was going, or claimed and shown; the retry leads
    to one set of rows; the work packages ``others`` can be started by somebody else.
    """
    __tracebackhide__ = True
    world.check(mark.intact or mark.kept, Finding.PREFIX_REWRITTEN, "earlier rows are gone")
    lane = world.lane("WP01")
    world.check(
        lane in ("planned", "claimed", "in_progress"),
        Finding.LANE_DISAGREES,
        f"a start was interrupted, and WP01 is {lane}",
    )
    outcome = world.answered(world.state())
    readable = outcome.ok
    if outcome.declined and Capability.RECOVERY in world.implementation.greeting.capabilities:
        outcome = world.answered(world.state(recover=True))
        world.accepted(outcome, "what can be read of the log is read")
    if outcome.ok:
        lanes = outcome.value["lanes"]
        world.check(lanes.get("WP01") == lane, Finding.LANE_DISAGREES, f"WP01 is {lane}; it says {lanes.get('WP01')}")
    if lane == "claimed" and readable:
        shown(world, "WP01", actor)
    _goes_on(world, world.start("WP01", actor), lambda: world.start("WP01", actor))
    chain(world, mark, "WP01", "in_progress")
    for other in others:
        somebody = f"other-{world.rng.randrange(10**6)}"
        _goes_on(world, world.start(other, somebody), lambda: world.start(other, somebody))  # noqa: B023 - called at once
        chain(world, mark, other, "in_progress")


def _goes_on(world: World, outcome: Outcome, again: Any) -> None:
    """Judge that an operation after a fault succeeds, by itself or once what is documented as the remedy was done."""
    __tracebackhide__ = True
    if world.answered(outcome).declined and Capability.REPAIR in world.implementation.greeting.capabilities:
        world.repair()
        outcome = world.answered(again())
    world.check(outcome.ok, Finding.STUCK_AFTER_FAULT, f"after an interrupted start: {outcome}")
