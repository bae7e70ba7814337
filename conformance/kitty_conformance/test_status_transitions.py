"""STA: a status transition is one durable row, or a diagnosed failure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kitty_reliability.build.mission import WorkPackage
from kitty_reliability.formats.instants import spell
from kitty_reliability.implementations.protocol import Capability, Open, OutcomeKind, State
from kitty_reliability.observe.refs import mark_repository
from kitty_reliability.observe.rows import rows_from_bytes
from kitty_reliability.observe.tree import mark_tree
from pytest_kitty.scenarios import Finding, inconclusive

from .kept import kept_since, somewhere
from .lane_table import BOARD, EveryLane, VectorEdge, edges, legal_targets, satisfied, violations
from .starts import startable
from .world import World, Worlds, another_process, told

GUARDED = [edge for edge in edges() if edge.guard not in ("none", "ready_for_review")]


@pytest.fixture(autouse=True)
def _writer(worlds: Worlds, request: pytest.FixtureRequest) -> None:
    if "reads_only" not in request.keywords:
        worlds.needs(Capability.WRITE)


# --- STA-001


@pytest.mark.kitty_clause("STA-001")
def test_a_success_is_one_row(worlds: Worlds) -> None:
    """Every reported success has added the one row that it reports, whichever work package it was."""
    world = worlds({"WP01": "planned", "WP02": "claimed", "WP03": "for_review"})
    steps: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("WP01", "claimed", {}),
        ("WP02", "in_progress", {"workspace_context": "worktree:lane-b"}),
        ("WP03", "in_review", {"actor": world.reviewer}),
        ("WP01", "blocked", {"reason": "waiting"}),
    )
    for work_package, to, keys in steps:
        mark = world.mark()
        world.moved(mark, world.transition(work_package, to, **keys), work_package, to)


@pytest.mark.kitty_clause("STA-001")
@pytest.mark.parametrize("spelling", ["in_progress", "doing"])
def test_a_no_op_reports_no_event(worlds: Worlds, spelling: str) -> None:
    """A request for the lane that is in force writes nothing, and does not claim that it did."""
    world = worlds({"WP01": "in_progress", "WP02": "claimed"})
    mark = world.mark()
    outcome = world.transition("WP02", spelling, workspace_context="worktree:lane-a")
    if spelling == "doing" and world.answered(outcome).declined:
        inconclusive(f"it does not take the alias: {outcome}")
    world.moved(mark, outcome, "WP02", "in_progress")

    mark = world.mark()
    outcome = world.answered(world.transition("WP01", spelling, workspace_context="worktree:lane-a"))
    if outcome.ok:
        claims = outcome.value.get("changed") or outcome.value.get("event_id")
        added = [row.get("event_id") for row in world.gained(mark).rows]
        world.check(
            not claims,
            Finding.NO_OP_CLAIMS_EVENT,
            f"WP01 was in_progress already; reported event {outcome.value.get('event_id')}, added {added or 'nothing'}",
        )
    world.untouched(mark, "a request for the lane in force was answered")


@pytest.mark.kitty_clause("STA-001")
@pytest.mark.parametrize("lane", ["planned", "blocked", "for_review", "done"])
def test_a_no_op_in_any_lane_writes_nothing(worlds: Worlds, lane: str) -> None:
    """A request for the lane in force writes nothing where nobody holds the work package either."""
    world = worlds({"WP01": lane, "WP02": "planned"})
    world.moved(world.mark(), world.transition("WP02", "claimed"), "WP02", "claimed")
    mark = world.mark()
    outcome = world.answered(world.transition("WP01", lane))
    if outcome.ok:
        claims = outcome.value.get("changed") or outcome.value.get("event_id")
        world.check(not claims, Finding.NO_OP_CLAIMS_EVENT, f"WP01 was {lane} already; reported: {dict(outcome.value)}")
    world.untouched(mark, "a request for the lane in force was answered")


@pytest.mark.kitty_clause("STA-001")
def test_an_edge_taken_twice_is_two_events(worlds: Worlds) -> None:
    """A work package goes the same way again: that is another event, with an id of its own."""
    world = worlds({"WP01": "in_progress"})
    events: list[str] = []
    for to in ("blocked", "in_progress", "blocked", "in_progress"):
        mark = world.mark()
        outcome = world.answered(world.transition("WP01", to, reason="waiting"))
        if not outcome.ok:
            world.fail(Finding.LEGAL_REFUSED, f"WP01 -> {to}, {len(events)} moves before it: {outcome}")
        events.append(world.moved(mark, outcome, "WP01", to)["event_id"])
    world.check(len(set(events)) == 4, Finding.ROW_DUPLICATED, f"four moves, and these events: {events}")


@pytest.mark.kitty_clause("STA-001")
def test_the_command_reports_the_row(worlds: Worlds) -> None:
    """The command ends with 0 and prints one JSON value that names the row it wrote."""
    worlds.needs(Capability.SURFACE)
    world = worlds({"WP01": "planned"})
    mark = world.mark()
    done = world.run(world.transition_request("WP01", "claimed"))
    world.check(done.status == 0, Finding.LEGAL_REFUSED, f"exit status {done.status}: {done.stderr[-300:]!r}")
    printed = done.json()
    missing = [key for key in ("event_id", "work_package_id", "to_lane", "status_events_path") if not printed.get(key)]
    world.check(not missing, Finding.WRONG_DIAGNOSTIC, f"the output has no {', '.join(missing)}: {printed}")
    world.reported(printed, "WP01", "claimed")
    world.one_row(mark, printed["event_id"], "WP01", "claimed")


# --- STA-002


@pytest.mark.kitty_clause("STA-002")
@pytest.mark.parametrize("mode", ["lost", "altered"])
def test_a_lost_write_is_no_success(worlds: Worlds, mode: str) -> None:
    """The write claims success and the disk has nothing, or something else: only a look at the disk tells."""
    world = worlds({"WP01": "planned", "WP02": "planned"})
    mark = world.mark()
    world.moved(mark, world.transition("WP02", "claimed"), "WP02", "claimed")

    mark = world.mark()
    request = world.transition_request("WP01", "claimed")
    outcome = world.under(world.disk_fault(mode), lambda faulty: world.ask(request, of=faulty))
    if world.answered(outcome).ok:
        world.moved(mark, outcome, "WP01", "claimed")
        world.fail(Finding.ACKED_ROW_MISSING, f"success was reported; the write was {mode}")
    world.check(mark.intact, Finding.PREFIX_REWRITTEN, "earlier rows are gone")
    if outcome.declined:
        world.diagnosed(outcome.value, "WP01", "claimed")


@pytest.mark.kitty_clause("STA-002")
def test_an_outranked_row_is_no_success(worlds: Worlds) -> None:
    """A row dated by a clock that runs ahead stays in force; what comes after it must not claim the lane."""
    world = worlds({"WP01": "planned", "WP02": "planned"})
    mark = world.mark()
    world.moved(mark, world.transition("WP02", "claimed"), "WP02", "claimed")
    ahead = spell(datetime.now(UTC) + timedelta(hours=1))
    world.mission.log.lane("WP01", "claimed", at=ahead)
    world.commit()

    mark = world.mark()
    outcome = world.transition("WP01", "in_progress", workspace_context="worktree:lane-a")
    if world.answered(outcome).ok:
        world.moved(mark, outcome, "WP01", "in_progress")
        return
    world.check(mark.intact, Finding.PREFIX_REWRITTEN, "earlier rows are gone")
    named = "claimed" in told(outcome.value)
    world.check(named, Finding.WRONG_DIAGNOSTIC, f"the lane still in force, claimed, is not named: {outcome}")
    if outcome.declined:
        # "Failed" says that nothing durable happened; a row that stands is "unknown".
        world.untouched(mark, "the transition was declined")
        world.diagnosed(outcome.value, "WP01", "in_progress")


# --- STA-003


@pytest.mark.kitty_clause("STA-003")
@pytest.mark.parametrize(("mode", "through"), [("full", 0), ("torn", 1), ("torn", 150)])
def test_a_failed_append_is_diagnosed_and_leaves_nothing(worlds: Worlds, mode: str, through: int) -> None:
    """The disk takes none or some of the row: a diagnosed failure, earlier bytes intact, and a retry converges."""
    world = worlds({"WP01": "planned", "WP02": "planned"})
    mark = world.mark()
    world.moved(mark, world.transition("WP02", "claimed"), "WP02", "claimed")

    mark, snapshot = world.mark(), world.snapshot_on_disk()
    request = world.transition_request("WP01", "claimed")
    fault = world.disk_fault(mode, bytes_through=through)
    outcome = world.under(fault, lambda faulty: world.ask(request, of=faulty))
    world.check(mark.intact, Finding.PREFIX_REWRITTEN, "earlier rows are gone")
    lane = world.lane("WP01")
    if world.answered(outcome).kind is not OutcomeKind.UNKNOWN:
        diagnostic = world.declined(outcome, f"{mode} disk", Finding.ACKED_ROW_MISSING)
        world.check(lane == "planned", Finding.REFUSAL_CHANGED_STATE, f"it failed, and WP01 is {lane}")
        world.check(
            world.snapshot_on_disk() == snapshot, Finding.SNAPSHOT_DIFFERS, "it failed, and status.json is another one"
        )
        world.diagnosed(diagnostic, "WP01", "claimed")
    _still_served(world, {"WP01": str(lane), "WP02": "claimed"})
    if lane == "planned":
        retry = world.answered(world.transition("WP01", "claimed"))
        if retry.declined:
            # What is left of the row may have to be repaired first, if it says so.
            world.diagnosed(retry.value, "WP01", "claimed")
        else:
            world.moved(mark, retry, "WP01", "claimed")


def _still_served(world: World, expected: dict[str, str]) -> None:
    """Judge that the implementation's own reader serves every earlier row, and no torn line as a row."""
    __tracebackhide__ = True
    outcome = world.answered(world.state())
    if outcome.declined and Capability.RECOVERY in world.implementation.greeting.capabilities:
        outcome = world.answered(world.state(recover=True))
    lanes = dict(world.accepted(outcome, "after the failure the earlier rows are served")["lanes"])
    for work_package, lane in expected.items():
        world.check(
            lanes.get(work_package) == lane,
            Finding.LANE_DISAGREES,
            f"after the failure {work_package} is {lane}, it says {lanes.get(work_package)}",
        )


@pytest.mark.kitty_clause("STA-003")
@pytest.mark.parametrize("damage", ["corrupt line", "directory"])
def test_an_unreadable_log_is_diagnosed_and_left_alone(worlds: Worlds, damage: str) -> None:
    """What cannot be reduced cannot be appended to: diagnosed, not a byte changed."""
    twin = worlds({"WP01": "planned"})
    twin.moved(twin.mark(), twin.transition("WP01", "claimed"), "WP01", "claimed")

    world = worlds({"WP01": "planned", "WP02": "planned"})
    _damage(world, damage)
    before = mark_tree(world.mission.directory)
    outcome = world.transition("WP01", "claimed")
    diagnostic = world.declined(outcome, f"the log is damaged ({damage})", Finding.DAMAGE_ACCEPTED)
    changes = [change for change in before.changes() if not (change.startswith("added") and change.endswith(".lock"))]
    world.check(not changes, Finding.REFUSAL_CHANGED_STATE, f"it failed, and {', '.join(changes)}")
    world.diagnosed(diagnostic, "WP01", "claimed")


@pytest.mark.kitty_clause("STA-003")
def test_a_failure_locks_nobody_out(worlds: Worlds) -> None:
    """A session that failed lives on: once the log is whole again, another process moves the work package."""
    world = worlds({"WP01": "planned", "WP02": "planned"})
    world.moved(world.mark(), world.transition("WP02", "claimed"), "WP02", "claimed")
    healthy = world.log.read_bytes()
    _damage(world, "corrupt line")
    world.declined(world.transition("WP01", "claimed"), "a line of the log is corrupt", Finding.DAMAGE_ACCEPTED)
    world.mission.log.rewrite(healthy)
    world.commit()
    variable = world.implementation.greeting.lock_variable
    mark = world.mark()
    with another_process(world, {variable: "1"} if variable else None) as other:
        outcome = world.answered(world.transition("WP01", "claimed", of=other))
    world.check(outcome.ok, Finding.STUCK_AFTER_FAULT, f"another process, after a failure: {outcome}")
    world.moved(mark, outcome, "WP01", "claimed")


@pytest.mark.kitty_clause("STA-003")
@pytest.mark.parametrize("operation", ["batch", "start"])
def test_every_writer_leaves_an_unreadable_log_alone(worlds: Worlds, operation: str) -> None:
    """A batch and a start fail as a transition does: not a byte changed, with code, invariant and remedy."""
    worlds.needs(Capability.BATCH if operation == "batch" else Capability.START)
    move = {"work_package": "WP01", "to": "claimed"}
    twin = startable(worlds, {"WP01": "planned", "WP02": "planned"})
    asked = twin.batch(move) if operation == "batch" else twin.start("WP01", twin.actor)
    twin.accepted(asked, f"the twin: a {operation}")
    world = startable(worlds, {"WP01": "planned", "WP02": "planned"})
    _damage(world, "corrupt line")
    mark = world.mark()
    outcome = world.batch(move) if operation == "batch" else world.start("WP01", world.actor)
    diagnostic = world.declined(outcome, "the log is damaged", Finding.DAMAGE_ACCEPTED)
    world.untouched(mark, f"the {operation} failed")
    missing = [key for key in ("diagnostic_code", "violated_invariant", "remediation") if not diagnostic.get(key)]
    world.check(not missing, Finding.WRONG_DIAGNOSTIC, f"the diagnostic has no {', '.join(missing)}: {outcome}")


@pytest.mark.kitty_clause("STA-003")
def test_a_failing_command_ends_with_another_status_than_0(worlds: Worlds) -> None:
    """Exit status and JSON of the command say that it failed, and name everything."""
    worlds.needs(Capability.SURFACE)
    twin = worlds({"WP01": "planned"})
    done = twin.run(twin.transition_request("WP01", "claimed"))
    twin.check(done.status == 0, Finding.LEGAL_REFUSED, f"exit status {done.status}: {done.stderr[-300:]!r}")

    world = worlds({"WP01": "planned", "WP02": "planned"})
    _damage(world, "corrupt line")
    mark = world.mark()
    done = world.run(world.transition_request("WP01", "claimed"))
    world.check(done.status != 0, Finding.WRONG_EXIT_STATUS, "the log cannot be read, and the command ended with 0")
    world.untouched(mark, "the command failed")
    printed = done.json()
    world.check(isinstance(printed, dict), Finding.WRONG_DIAGNOSTIC, f"the output is no object: {printed!r}")
    world.diagnosed(printed, "WP01", "claimed")


def _damage(world: World, damage: str) -> None:
    if damage == "corrupt line":
        lines = world.log.read_bytes().splitlines(keepends=True)
        world.mission.log.rewrite(b"".join([lines[0], b'{"event_id": oops}\n', *lines[1:]]))
    else:
        world.log.unlink()
        world.log.mkdir()
        (world.log / "keep").write_bytes(b"")
    world.commit()


# --- STA-007


@pytest.mark.kitty_clause("STA-007")
@pytest.mark.parametrize("edge", edges(), ids=str)
def test_a_legal_edge_is_written(worlds: Worlds, edge: VectorEdge) -> None:
    """Each edge of the lane table, with what its guard wants."""
    world = worlds({"WP01": edge.source})
    mark = world.mark()
    outcome = world.transition("WP01", edge.target, **satisfied(world, edge))
    answer = world.moved(mark, outcome, "WP01", edge.target)
    row = world.row(answer["event_id"])
    world.check(row.get("force") is False, Finding.WRONG_ROW, f"an unforced transition is written with force {row}")


@pytest.mark.kitty_clause("STA-007")
def test_a_mission_without_a_log_gets_its_first_row(worlds: Worlds) -> None:
    """The first row of a mission is a row like any other."""
    world = worlds({"WP01": "genesis"}, log=False)
    mark = world.mark()
    world.moved(mark, world.transition("WP01", "planned"), "WP01", "planned")


@pytest.mark.kitty_clause("STA-007")
@pytest.mark.parametrize("edge", GUARDED, ids=str)
def test_a_guard_refuses(worlds: Worlds, edge: VectorEdge) -> None:
    """Each guarded edge, with everything that its guard must not let through."""
    world = worlds({"WP01": edge.source, "WP02": edge.source})
    mark = world.mark()
    world.moved(mark, world.transition("WP02", edge.target, **satisfied(world, edge)), "WP02", edge.target)

    mark = world.mark()
    undecided = []
    for wrong, keys in violations(world, edge):
        outcome = world.transition("WP01", edge.target, **keys)
        if outcome.kind is OutcomeKind.UNSUPPORTED:
            undecided.append(f"{wrong}: {outcome.value['reason']}")
            continue
        world.declined(outcome, f"{edge.source} -> {edge.target} with {wrong}")
        world.untouched(mark, f"{edge.source} -> {edge.target} with {wrong} was refused")
    if undecided:
        inconclusive("; ".join(undecided))


_TASKS = """\
# Tasks

## WP01
- [ ] T001 the first

## WP02
"""


@pytest.mark.kitty_clause("STA-007")
def test_open_subtasks_keep_a_package_from_review(worlds: Worlds) -> None:
    """A subtask that is not done refuses the review, wherever an implementation looks for it."""
    world = worlds({"WP01": WorkPackage("in_progress", subtasks=["T001"]), "WP02": "in_progress"}, tasks=_TASKS)
    mark = world.mark()
    world.moved(mark, world.transition("WP02", "for_review"), "WP02", "for_review")

    mark = world.mark()
    world.declined(world.transition("WP01", "for_review"), "in_progress -> for_review with T001 open")
    world.untouched(mark, "the review was refused")


@pytest.mark.kitty_clause("STA-007")
def test_recorded_subtasks_open_the_way_to_review(worlds: Worlds) -> None:
    """Whether a subtask is done is what the log records: every one, not some; now, not once."""
    world = worlds(
        {
            "WP01": WorkPackage("in_progress", subtasks=["T001", "T002"]),
            "WP02": WorkPackage("in_progress", subtasks=["T003"]),
            "WP03": WorkPackage("in_progress", subtasks=["T004"]),
        }
    )
    log = world.mission.log
    log.annotate("WP03", subtasks={"T004": "done"}).annotate("WP03", subtasks={"T004": "in_progress"})
    log.annotate("WP01", subtasks={"T001": "done", "T002": "in_progress"}).annotate("WP02", subtasks={"T003": "done"})
    mark = world.mark()
    world.moved(mark, world.transition("WP02", "for_review"), "WP02", "for_review")

    mark = world.mark()
    world.declined(world.transition("WP01", "for_review"), "in_progress -> for_review with T002 open")
    world.declined(world.transition("WP03", "for_review"), "in_progress -> for_review with T004 open again")
    world.untouched(mark, "the review was refused")


@pytest.mark.kitty_clause("STA-007")
def test_what_a_guard_asked_for_stands_in_the_row(worlds: Worlds) -> None:
    """Who approved, and by which review: the row of an approval says so, or nobody can tell that its guard held."""
    world = worlds({"WP01": "in_review"})
    review = world.review("approved")
    mark = world.mark()
    asked: dict[str, Any] = {
        "actor": world.reviewer,
        "review_ref": review["reference"],
        "review_result": review,
        "evidence": {"review": review, "repos": [], "verification": []},
    }
    row = world.row(world.moved(mark, world.transition("WP01", "approved", **asked), "WP01", "approved")["event_id"])
    said = {
        "review_ref": row.get("review_ref"),
        "review_result": row.get("review_result"),
        "evidence": (row.get("evidence") or {}).get("review"),
    }
    lost = [key for key, value in said.items() if value != (review["reference"] if key == "review_ref" else review)]
    world.check(not lost, Finding.WRONG_ROW, f"asked with {review}; not in the row as they were asked: {lost}; {row}")


@pytest.mark.kitty_clause("STA-007")
@pytest.mark.parametrize("source", ["genesis", *BOARD])
def test_an_edge_that_is_not_in_the_table_is_refused(worlds: Worlds, source: str) -> None:
    """From each lane to every lane that the table does not name, with everything a guard could ask for."""
    world = worlds({"WP01": source, "WP02": source})
    allowed = "planned" if source != "planned" else "done"
    mark = world.mark()
    outcome = world.transition("WP02", allowed, force=True, reason="positive control")
    world.moved(mark, outcome, "WP02", allowed)

    review = world.review("approved")
    everything: dict[str, Any] = {
        "reason": "because",
        "review_ref": review["reference"],
        "review_result": review,
        "evidence": {"review": review},
        "workspace_context": "worktree:lane-a",
    }
    mark = world.mark()
    for target in EveryLane:
        if target == source or target in legal_targets(source):
            continue
        outcome = world.transition("WP01", target, **everything)
        if outcome.kind is OutcomeKind.UNSUPPORTED:
            outcome = world.transition("WP01", target, reason="because")
        world.declined(outcome, f"{source} -> {target}")
        world.untouched(mark, f"{source} -> {target} was refused")


@pytest.mark.kitty_clause("STA-007")
def test_force_needs_an_actor_and_a_reason(worlds: Worlds) -> None:
    """Force reaches any lane of a board, and never without saying who and why."""
    world = worlds({"WP01": "planned", "WP02": "planned", "WP03": "done"})
    for work_package, to in (("WP02", "approved"), ("WP03", "in_progress")):
        mark = world.mark()
        outcome = world.transition(work_package, to, force=True, reason="positive control")
        row = world.one_row(mark, str(world.accepted(outcome, f"forced {to}")["event_id"]), work_package, to)
        world.check(row.get("force") is True, Finding.WRONG_ROW, "a forced row does not say so")

    mark = world.mark()
    for wrong, keys in (
        ("no reason", {"reason": None}),
        ("a blank reason", {"reason": "  "}),
        ("no actor", {"reason": "because", "actor": None}),
        ("a blank actor", {"reason": "because", "actor": " "}),
    ):
        world.declined(world.transition("WP01", "done", force=True, **keys), f"force with {wrong}")
        world.untouched(mark, f"force with {wrong} was refused")
    for wrong, keys in (("no reason", {"reason": None}), ("no actor", {"reason": "because", "actor": None})):
        outcome = world.transition("WP01", "claimed", force=True, **keys)
        world.declined(outcome, f"force with {wrong} along an edge of the table")
        world.untouched(mark, f"force with {wrong} was refused")
    # A sentinel of readers; released 3.2.x lets force reach it.
    nowhere = ["genesis", "uninitialized"] if world.profile.name == "contract-320" else ["genesis"]
    for lane in nowhere:
        world.declined(world.transition("WP01", lane, force=True, reason="because"), f"force to {lane}")
        world.untouched(mark, f"force to {lane} was refused")


@pytest.mark.kitty_clause("STA-007")
def test_what_is_not_there_is_refused(worlds: Worlds) -> None:
    """An unknown lane, a work package that nobody knows, a mission that is not there."""
    world = worlds({"WP01": "planned", "WP02": "planned"})
    world.moved(world.mark(), world.transition("WP02", "claimed"), "WP02", "claimed")
    before = mark_tree(world.mission.root)
    world.declined(world.transition("WP01", "in-progress"), "a lane that does not exist")
    world.declined(world.transition("WP77", "claimed"), "a work package that does not exist")
    world.declined(world.transition("WP77", "planned"), "a work package that does not exist")
    forced = world.transition("WP77", "claimed", force=True, reason="because")
    world.declined(forced, "force on a work package that does not exist")
    request = world.transition_request("WP01", "claimed").model_copy(update={"mission": "nowhere-01ABCDEF"})
    world.declined(world.ask(request), "a mission that does not exist")
    changes = before.changes(ignore=_runtime(world), directories=False)
    world.check(not changes, Finding.REFUSAL_CHANGED_STATE, f"all were refused, and {', '.join(changes)}")


@pytest.mark.kitty_clause("STA-007")
def test_a_work_package_is_known_by_its_whole_id(worlds: Worlds) -> None:
    """WP01 is planned and WP010 is not, and the other way round: the longer name is another one (#354)."""
    for there, asked in (("WP100", "WP10"), ("WP10", "WP100")):
        world = worlds({there: "planned"})
        world.moved(world.mark(), world.transition(there, "claimed"), there, "claimed")
        mark = world.mark()
        world.declined(world.transition(asked, "claimed"), f"there is {there}, and no {asked}")
        world.declined(world.transition(asked, "planned"), f"there is {there}, and no {asked}")
        world.untouched(mark, f"{asked} was refused")


# --- STA-009

_TORN = (
    b'{"actor": "x", "at": "2025-03-03T10:00:0',
    b"{",
    '{"actor": "x", "reason": "h\u00e4'.encode()[:-1],
    b'{"actor": "x"}{"actor"',
    b'{"actor": "x"\0\0\0\0',
)


@pytest.mark.kitty_clause("STA-009")
@pytest.mark.parametrize(
    "torn", _TORN, ids=["half a row", "a brace", "half a character", "glued and torn", "padded with NUL"]
)
def test_torn_bytes_are_kept_aside(worlds: Worlds, torn: bytes) -> None:
    """The log ends inside a row: nothing is glued to it, nothing before it is lost, and it is not thrown away."""
    twin = worlds({"WP01": "planned"})
    twin.moved(twin.mark(), twin.transition("WP01", "claimed"), "WP01", "claimed")

    world = worlds({"WP01": "planned", "WP02": "claimed"})
    log = world.mission.log.lifecycle("MissionCreated").decision("D1")
    if world.profile.name == "contract-320":
        log.note("WP01", "kept")
    healthy = world.log.read_bytes()
    log.raw(torn)
    world.commit()
    mark, files = world.mark(), mark_tree(world.mission.root)
    outcome = world.answered(world.transition("WP01", "claimed"))
    now = mark.now or b""
    world.check(now.startswith(healthy), Finding.PREFIX_REWRITTEN, "rows before the torn end are gone")
    if not outcome.ok:
        world.untouched(mark, "the append was refused")
        return
    world.check(torn + b"{" not in now, Finding.GLUED_LINE, "the new row is glued to the torn bytes")
    world.moved(mark, outcome, "WP01", "claimed")
    world.check(kept_since(world, files, torn), Finding.BYTES_LOST, "the torn bytes are in no file any more")

    # A second tear is another one: keeping it must not cost the first.
    second = b'{"second": "tear'
    log.raw(second)
    files = mark_tree(world.mission.root)
    mark = world.mark()
    world.moved(mark, world.transition("WP02", "blocked", reason="waiting"), "WP02", "blocked")
    world.check(
        kept_since(world, files, second), Finding.BYTES_LOST, "the bytes of the second tear are in no file any more"
    )
    world.check(somewhere(world, torn), Finding.BYTES_LOST, "the second tear cost the bytes of the first")


@pytest.mark.kitty_clause("STA-009")
@pytest.mark.parametrize("end", ["torn", "no newline"])
def test_several_rows_are_glued_to_nothing(worlds: Worlds, end: str) -> None:
    """A batch behind a torn end, or behind a row without its newline, is as careful as a single row."""
    worlds.needs(Capability.BATCH)
    moves = ({"work_package": "WP01", "to": "claimed"}, {"work_package": "WP02", "to": "claimed"})
    twin = worlds({"WP01": "planned", "WP02": "planned"})
    twin.accepted(twin.batch(*moves), "a batch of two moves")

    world = worlds({"WP01": "planned", "WP02": "planned"})
    before = world.rows()
    if end == "torn":
        world.mission.log.raw(_TORN[0])
    else:
        world.mission.log.rewrite(world.log.read_bytes().removesuffix(b"\n"))
    world.commit()
    mark, files = world.mark(), mark_tree(world.mission.root)
    outcome = world.answered(world.batch(*moves))
    if not outcome.ok:
        world.untouched(mark, "the batch was refused")
        return
    ids = [row.get("event_id") for row in world.rows()]
    lost = [row["event_id"] for row in before if row["event_id"] not in ids]
    world.check(not lost, Finding.GLUED_LINE, f"{len(lost)} rows that were there cannot be read any more")
    missing = [one["event_id"] for one in outcome.value["transitions"] if one["event_id"] not in ids]
    world.check(not missing, Finding.GLUED_LINE, f"{len(missing)} rows that were reported cannot be read")
    if end == "torn":
        world.check(kept_since(world, files, _TORN[0]), Finding.BYTES_LOST, "the torn bytes are in no file any more")


@pytest.mark.kitty_clause("STA-009")
def test_a_missing_newline_costs_no_row(worlds: Worlds) -> None:
    """The last row is whole but for its newline: it stays a row, and the new one is another."""
    twin = worlds({"WP01": "planned"})
    twin.moved(twin.mark(), twin.transition("WP01", "claimed"), "WP01", "claimed")

    world = worlds({"WP01": "planned", "WP02": "claimed"})
    healthy = world.log.read_bytes()
    world.mission.log.rewrite(healthy.removesuffix(b"\n"))
    mark = world.mark()
    outcome = world.answered(world.transition("WP01", "claimed"))
    if not outcome.ok:
        world.untouched(mark, "the append was refused")
        return
    before = [row["event_id"] for row in rows_from_bytes(healthy)]
    now = [row.get("event_id") for row in world.rows()]
    lost = [event for event in before if event not in now]
    world.check(not lost, Finding.GLUED_LINE, f"{len(lost)} rows that were there cannot be read any more")
    world.check(
        now == [*before, outcome.value["event_id"]],
        Finding.ACKED_ROW_MISSING,
        f"the log has {len(now)} rows, expected were {len(before)} and the new one",
    )


# --- STA-010


@pytest.mark.kitty_clause("STA-010")
@pytest.mark.reads_only
def test_reading_changes_nothing(worlds: Worlds) -> None:
    """Every reading operation on a repository with a clean tree: no file, ref or index entry differs."""
    world = worlds({"WP01": "done", "WP02": "in_review", "WP03": "planned"}, git=True)
    world.commit()
    files, repository = mark_tree(world.mission.root), mark_repository(world.mission.root)
    lanes = world.lanes(world.state())
    world.check(
        lanes.get("WP01") == "done" and lanes.get("WP02") == "in_review",
        Finding.LANE_DISAGREES,
        f"WP01 is done and WP02 in_review; it says {lanes}",
    )
    root, slug = str(world.mission.root), world.mission.slug
    for request in (Open(root=root, mission=slug), State(root=root, mission=slug, recover=True)):
        world.ask(request)
    world.events()
    if Capability.SURFACE in world.implementation.greeting.capabilities:
        world.run(State(root=root, mission=slug))
    changes = [*files.changes(ignore=[".git"], directories=False), *repository.changes()]
    world.check(not changes, Finding.READ_CHANGED_STATE, f"nothing was written, and {', '.join(changes)}")


@pytest.mark.kitty_clause("STA-010")
@pytest.mark.reads_only
def test_reading_leaves_a_stale_snapshot(worlds: Worlds) -> None:
    """The snapshot is older than the log, and is that afterwards: it is not made anew for who only looks."""
    world = worlds({"WP01": "claimed", "WP02": "planned"})
    stale = b'{"event_count": 0, "work_packages": {"WP01": {"lane": "planned"}}}\n'
    world.snapshot_path.write_bytes(stale)
    world.commit()
    before = mark_tree(world.mission.root)
    lanes = world.lanes(world.state())
    world.check(lanes.get("WP01") == "claimed", Finding.LANE_DISAGREES, f"WP01 is claimed; it says {lanes}")
    world.events()
    changes = before.changes(ignore=[".git"], directories=False)
    world.check(not changes, Finding.READ_CHANGED_STATE, f"nothing was written, and {', '.join(changes)}")


@pytest.mark.kitty_clause("STA-010")
@pytest.mark.reads_only
def test_reading_creates_no_mission(worlds: Worlds) -> None:
    """Who asks for a mission that is not there gets no directory for it."""
    world = worlds({"WP01": "claimed"})
    lanes = world.lanes(world.state())
    world.check(lanes.get("WP01") == "claimed", Finding.LANE_DISAGREES, f"WP01 is claimed; it says {lanes}")
    root, slug = str(world.mission.root), "nowhere-01ABCDEF"
    for request in (Open(root=root, mission=slug), State(root=root, mission=slug)):
        world.answered(world.ask(request))
    made = world.mission.directory.with_name(slug)
    world.check(not made.exists(), Finding.READ_CHANGED_STATE, f"nothing was written, and {made.name} is there")


@pytest.mark.kitty_clause("STA-010")
@pytest.mark.reads_only
def test_reading_creates_no_log(worlds: Worlds) -> None:
    """A mission without a log is read without making one."""
    twin = worlds({"WP01": "claimed"})
    lanes = twin.lanes(twin.state())
    twin.check(lanes.get("WP01") == "claimed", Finding.LANE_DISAGREES, f"WP01 is claimed; it says {lanes}")
    world = worlds({"WP01": "genesis"}, log=False)
    world.commit()
    before = mark_tree(world.mission.root)
    world.answered(world.state())
    changes = before.changes(ignore=[".git"], directories=False)
    world.check(not changes, Finding.READ_CHANGED_STATE, f"nothing was written, and {', '.join(changes)}")


@pytest.mark.kitty_clause("STA-010")
@pytest.mark.reads_only
@pytest.mark.parametrize("damage", ["corrupt line", "torn end", "byte-order mark"])
def test_reading_a_damaged_log_changes_nothing(worlds: Worlds, damage: str) -> None:
    """A reader may refuse a damaged log or recover from it; it repairs nothing on the way."""
    twin = worlds({"WP01": "claimed"})
    lanes = twin.lanes(twin.state())
    twin.check(lanes.get("WP01") == "claimed", Finding.LANE_DISAGREES, f"WP01 is claimed; it says {lanes}")
    world = worlds({"WP01": "claimed", "WP02": "planned"})
    if damage == "corrupt line":
        _damage(world, damage)
    elif damage == "torn end":
        world.mission.log.raw(b'{"torn')
    else:
        world.mission.log.rewrite(b"\xef\xbb\xbf" + world.log.read_bytes())
    world.commit()
    before = mark_tree(world.mission.root)
    for outcome in (world.state(), world.state(recover=True), world.events()):
        if outcome.broken:
            world.answered(outcome)
    changes = before.changes(ignore=[".git"], directories=False)
    world.check(not changes, Finding.READ_CHANGED_STATE, f"nothing was written, and {', '.join(changes)}")


def _runtime(world: World) -> list[str]:
    # A refused command may leave a lock file behind, and what git keeps for itself.
    locks = [".git", ".kittify/locks"]
    if world.profile.name == "spec-kitty-3.2":
        locks += [".kittify/sync-state.json", f".kittify/legacy-warning-shown-{world.mission.mission_id}"]
    return locks
