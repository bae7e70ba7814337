"""Who has a work package in hand: starting, resuming, and giving back what nobody holds any more (STA-004, STA-011).

Whether a holder is gone is told by its process, never by the time that passed. The rows name the process as a number
on this machine, and when it started: numbers are used again. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from kitty_reliability.formats.diagnostics import Diagnostic, diagnostic
from kitty_reliability.formats.lanes import Lane, edge
from kitty_reliability.implementations.protocol import Actor, Recover, Start, Transition

from .commands import arguments_for
from .transitions import nobody

if TYPE_CHECKING:
    from kitty_reliability.formats.rows import LaneRow

    from .reducer import Reducer
    from .workflow import Moved, Workflow

__all__ = ["WAY", "Claims", "Holder", "holder_of", "process_state", "stranded"]

#: The lanes that a start leads through, from where it can begin to where it ends.
WAY: Final = {
    "implement": (Lane.PLANNED, Lane.CLAIMED, Lane.IN_PROGRESS),
    "review": (Lane.FOR_REVIEW, Lane.IN_REVIEW),
}
#: Where a work package is given back to.
_BACK: Final = {
    Lane.CLAIMED: Lane.PLANNED,
    Lane.IN_PROGRESS: Lane.PLANNED,
    Lane.IN_REVIEW: Lane.FOR_REVIEW,
}
_HANDS: Final = frozenset({Lane.CLAIMED, Lane.IN_PROGRESS})
_REVIEWED: Final = frozenset({Lane.FOR_REVIEW, Lane.IN_REVIEW, Lane.APPROVED})

#: Linux adds the start to a moment of boot that it tells in whole seconds, and corrects with the clock.
_CLOCK_SECONDS: Final = 2.0

ProcessState = Literal["running", "ended", "unknown"]


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a work package in hand, and the process that is known of it: its number and its start since 1970."""

    actor: Actor
    process_id: int | None = None
    process_started: float | None = None

    @property
    def state(self) -> ProcessState:
        """What became of the process; ``unknown`` unless number and start are both known."""
        if self.process_id is None or self.process_started is None:
            return "unknown"
        return process_state(self.process_id, self.process_started)


def process_state(process_id: int, started: float) -> ProcessState:
    """Say whether the process with this number that started at ``started`` (seconds since 1970) runs."""
    import psutil

    try:
        process = psutil.Process(process_id)
        if process.status() == psutil.STATUS_ZOMBIE:
            return "ended"
        return "running" if abs(process.create_time() - started) <= _CLOCK_SECONDS else "ended"
    except psutil.NoSuchProcess:
        return "ended"
    except (psutil.Error, OSError):
        return "unknown"


def holder_of(reducer: Reducer, work_package: str) -> Holder | None:
    """Return who has a work package in hand, None when nobody does."""
    lane, in_force = reducer.lane(work_package), reducer.row_in_force(work_package)
    if in_force is None or lane not in _BACK:
        return None
    if lane == Lane.IN_REVIEW:
        return _holder([in_force])
    # Whoever sends work back does not take it: it is in the hands that it was in.
    taken = [row for row in reducer.transitions(work_package) if row.to_lane in _HANDS and not _is_review(row)]
    return _holder(taken or [in_force])


def stranded(mission: str, reducer: Reducer) -> list[Diagnostic]:
    """Return a report for each work package that is claimed and not started: by whom, and how it goes on (STA-004)."""
    reports = []
    for work_package in reducer.work_packages:
        in_force = reducer.row_in_force(work_package)
        claimed = in_force is not None and in_force.to_lane == Lane.CLAIMED
        if claimed and (holder := holder_of(reducer, work_package)) is not None:
            resume = Start(root=".", mission=mission, work_package=work_package, actor=holder.actor)
            fields = {
                "work_package_id": work_package,
                "from_lane": str(Lane.CLAIMED),
                "holder": holder.actor,
                "holder_state": holder.state,
                "command": _command(resume),
            }
            reports.append(diagnostic("CLAIM_STRANDED", **fields).diagnostic)
    return reports


@dataclass(frozen=True, slots=True)
class Started:
    """What a start did: nothing, when ``moves`` is empty."""

    moves: list[Moved]
    from_lane: Lane
    to_lane: Lane
    log: Path | None = None


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What a recovery did, whose work package it was, and how it is known that he is gone."""

    move: Moved
    holder: Holder
    evidence: str


class Claims:
    """Starts and recoveries of one workflow."""

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow

    def start(self, request: Start) -> Started:
        """Take a work package in hand, resume it, or find that the actor has it in hand already.

        Raises:
            DiagnosticError: CLAIM_CONFLICT, START_NOT_POSSIBLE, ACTOR_REQUIRED, and those of a transition; nothing was
                changed then.
        """
        way = WAY[request.kind]
        with self.workflow.writing(request) as (paths, meta, store, reducer):
            self.workflow.require_work_package(paths, reducer, request.work_package)
            lane = reducer.lane(request.work_package) or Lane.GENESIS
            fields = {"from_lane": str(lane), "kind": request.kind}
            if nobody(request.actor):
                raise diagnostic("ACTOR_REQUIRED", **fields)
            if lane not in way:
                raise diagnostic("START_NOT_POSSIBLE", legal=", ".join(way), **fields)
            holder = holder_of(reducer, request.work_package)
            if holder is not None and not self._same(holder.actor, request.actor):
                raise self._conflict(request, holder, fields)
            moves = [self._move(request, to) for to in way[way.index(lane) + 1 :]]
            done = self.workflow.move_all(paths, meta, store, reducer, moves)
            return Started(done, lane, way[-1], paths.log)

    def recover(self, request: Recover) -> GivenBack:
        """Give a work package back whose holder's process is gone, and leave it alone without proof of that.

        Raises:
            DiagnosticError: NOT_HELD, HOLDER_ALIVE, HOLDER_UNKNOWN, and those of a transition; nothing was changed then.
        """
        with self.workflow.writing(request) as (paths, meta, store, reducer):
            self.workflow.require_work_package(paths, reducer, request.work_package)
            lane = reducer.lane(request.work_package) or Lane.GENESIS
            holder = holder_of(reducer, request.work_package)
            if holder is None:
                raise diagnostic("NOT_HELD", from_lane=str(lane))
            state = self._state(holder, request.work_package, reducer)
            if state != "ended":
                code = "HOLDER_ALIVE" if state == "running" else "HOLDER_UNKNOWN"
                raise diagnostic(code, from_lane=str(lane), holder=holder.actor, process_id=holder.process_id)
            back = _BACK[lane]
            move = Transition(
                **_asked(request), to=back, actor=request.actor, reason=request.reason, force=edge(lane, back) is None
            )
            (done,) = self.workflow.move_all(paths, meta, store, reducer, [move])
            return GivenBack(done, holder, f"process {holder.process_id}, by which it was held, ended")

    def _same(self, holder: Actor, other: Actor) -> bool:
        # As data. Names that look alike are two names, and nothing is read out of them.
        return holder == other

    def _state(self, holder: Holder, work_package: str, reducer: Reducer) -> ProcessState:  # noqa: ARG002
        return holder.state

    def _conflict(self, request: Start, holder: Holder, fields: dict[str, str]) -> Exception:
        recover = Recover(
            root=".",
            mission=request.mission,
            work_package=request.work_package,
            actor=request.actor,
            reason="the holder is gone",
        )
        return diagnostic(
            "CLAIM_CONFLICT", holder=holder.actor, holder_state=holder.state, command=_command(recover), **fields
        )

    def _move(self, request: Start, to: Lane) -> Transition:
        metadata: dict[str, Any] = {"agent": _agent(request.actor)}
        if request.process_id is not None:
            metadata["shell_pid"] = request.process_id
        if request.process_started is not None:
            metadata["shell_pid_created_at"] = str(request.process_started)
        return Transition(
            **_asked(request),
            to=to,
            actor=request.actor,
            workspace_context=f"worktree:{request.root}",
            policy_metadata=metadata,
        )


def _asked(request: Start | Recover) -> dict[str, Any]:
    return {"root": request.root, "mission": request.mission, "work_package": request.work_package}


def _agent(actor: Actor) -> str:
    return actor if isinstance(actor, str) else actor["tool"] or actor["role"] or ""


def _is_review(row: LaneRow) -> bool:
    data = row.data
    return data["from_lane"] in _REVIEWED and (data.get("review_ref") or data.get("review_result")) is not None


def _holder(taken: list[LaneRow]) -> Holder:
    """Return the actor of the last row, and the process that its last rows name; not that of an earlier claim."""
    actor = taken[-1].data["actor"]
    for row in reversed(taken):
        if row.data["actor"] != actor:
            break
        policy = row.data.get("policy_metadata") or {}
        process_id, started = policy.get("shell_pid"), _seconds(policy.get("shell_pid_created_at"))
        if process_id is not None:
            return Holder(actor, _number(process_id), started)
        if row.to_lane == Lane.CLAIMED:
            break
    return Holder(actor)


def _number(value: Any) -> int | None:
    return value if value.__class__ is int and 0 < value < 2**31 else None


def _seconds(value: Any) -> float | None:
    """Return the seconds that were recorded, as text or as a number."""
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) else None


def _command(request: Start | Recover) -> str:
    arguments = arguments_for(request, "text")
    said = [word for word in arguments if word not in ("--format=text", "--root=.")]
    return shlex.join(["python", "-m", "kitty_reliability.reference", *said])
