"""Mistakes about who has a work package in hand, and about several rows in one act."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psutil

from kitty_reliability.formats.diagnostics import Diagnostic, diagnostic
from kitty_reliability.formats.lanes import Lane
from kitty_reliability.formats.mission import Meta, MissionPaths
from kitty_reliability.implementations.protocol import Actor, Batch, Outcome, Start, Transition
from kitty_reliability.reference.claims import Claims, Holder, ProcessState, Started
from kitty_reliability.reference.workflow import Moved

from .base import LogStore, Mutant, Reducer, Reference, Workflow, mutant, reference

__all__ = ["MUTANTS"]


def _forced(move: Transition) -> Transition:
    return move.model_copy(update={"force": True, "reason": "again"})


# --- STA-011


class _AnybodyGoesOn(Claims):
    def _same(self, holder: Actor, other: Actor) -> bool:  # noqa: ARG002
        return True


class _NamesByTheirBeginning(Claims):
    def _same(self, holder: Actor, other: Actor) -> bool:
        return str(holder).startswith(str(other)) or str(other).startswith(str(holder))


class _NamesByTheirTool(Claims):
    def _same(self, holder: Actor, other: Actor) -> bool:
        tools = [actor.split(":")[0] if isinstance(actor, str) else actor["tool"] for actor in (holder, other)]
        return tools[0] == tools[1]


class _NoOpWithARow(Claims):
    def start(self, request: Start) -> Started:
        done = super().start(request)
        if done.moves:
            return done
        again = _forced(self._move(request, done.to_lane))
        return Started([self.workflow.transition(again)], done.from_lane, done.to_lane)


class _ConflictWithNobody(Claims):
    def _conflict(self, request: Start, holder: Holder, fields: dict[str, str]) -> Exception:  # noqa: ARG002
        return super()._conflict(request, Holder("somebody else"), fields)


class _ImplementerBlocksReview(Claims):
    def start(self, request: Start) -> Started:
        with self.workflow.writing(request) as (_, _, _, reducer):
            row = reducer.row_in_force(request.work_package)
            if row is not None and row.to_lane == Lane.FOR_REVIEW and row.data["actor"] != request.actor:
                raise self._conflict(request, Holder(row.data["actor"]), {"from_lane": row.to_lane})
        return super().start(request)


# --- STA-004


class _Silent(Workflow):
    def _reports(self, paths: MissionPaths, reducer: Reducer) -> list[Diagnostic]:  # noqa: ARG002
        return reducer.reports


class _ConflictWithoutACommand(Claims):
    def _conflict(self, request: Start, holder: Holder, fields: dict[str, str]) -> Exception:  # noqa: ARG002
        return diagnostic("TRANSITION_CONFLICT", holder=holder.actor, **fields)


class _OneByOne(Workflow):
    def move_all(
        self, paths: MissionPaths, meta: Meta, store: LogStore, reducer: Reducer, moves: Sequence[Transition]
    ) -> list[Moved]:
        return [
            moved for move in moves for moved in super(_OneByOne, self).move_all(paths, meta, store, reducer, [move])
        ]


class _ClaimsAgain(Claims):
    def start(self, request: Start) -> Started:
        with self.workflow.writing(request) as (paths, meta, store, reducer):
            if reducer.lane(request.work_package) == Lane.CLAIMED:
                again = _forced(self._move(request, Lane.CLAIMED))
                self.workflow.move_all(paths, meta, store, reducer, [again])
        return super().start(request)


class _GivesBackByAge(Claims):
    def _state(self, holder: Holder, work_package: str, reducer: Reducer) -> ProcessState:
        row = reducer.row_in_force(work_package)
        assert row is not None
        return "ended" if row.data["at"] < "2026" else super()._state(holder, work_package, reducer)


class _NumberWithoutStart(Claims):
    def _state(self, holder: Holder, work_package: str, reducer: Reducer) -> ProcessState:  # noqa: ARG002
        if holder.process_id is None:
            return "unknown"
        return "running" if psutil.pid_exists(holder.process_id) else "ended"


# --- STA-001


class _StopsHalfWay(Workflow):
    def batch(self, request: Batch) -> list[Moved]:
        root, mission = request.root, request.mission
        return [self.transition(Transition(root=root, mission=mission, **dict(move))) for move in request.moves]


class _ReportsTheLast(Reference):
    def batch(self, request: Batch) -> Outcome:
        outcome = super().batch(request)
        last = outcome.value["transitions"][-1]["event_id"]
        answers = [{**answer, "event_id": answer["event_id"] and last} for answer in outcome.value["transitions"]]
        return Outcome(outcome.kind, {"transitions": answers})


# --- STA-007


class _TakesUpAnything(Claims):
    kind: str
    lanes: tuple[Lane, ...]

    def start(self, request: Start) -> Started:
        if request.kind == self.kind:
            with self.workflow.writing(request) as (_, _, _, reducer):
                lane = reducer.lane(request.work_package) or Lane.GENESIS
            if lane not in self.lanes:
                move = _forced(self._move(request, self.lanes[-1]))
                return Started([self.workflow.transition(move)], lane, self.lanes[-1])
        return super().start(request)


class _StartsAnything(_TakesUpAnything):
    kind, lanes = "implement", (Lane.PLANNED, Lane.CLAIMED, Lane.IN_PROGRESS)


class _ReviewsAnything(_TakesUpAnything):
    kind, lanes = "review", (Lane.FOR_REVIEW, Lane.IN_REVIEW)


class _ForgetsWhy(Workflow):
    def _row(self, *arguments: Any) -> dict[str, Any]:
        row = super()._row(*arguments)
        return {**row, "review_ref": None} if row["to_lane"] == Lane.PLANNED else row


class _LowerCase(Workflow):
    def _row(self, *arguments: Any) -> dict[str, Any]:
        row = super()._row(*arguments)
        return {**row, "actor": row["actor"].lower()} if isinstance(row["actor"], str) else row


# fmt: off
MUTANTS: list[type[Mutant]] = [
    mutant(
        "anybody-goes-on", clause="STA-011", scenario="test_what_another_holds_is_a_conflict",
        finding="illegal-accepted", adapter=reference(claims_class=_AnybodyGoesOn),
        mistake="B may resume what A has claimed (#944).",
    ),
    mutant(
        "names-by-their-beginning", clause="STA-011", scenario="test_names_that_look_alike_are_two",
        finding="illegal-accepted", adapter=reference(claims_class=_NamesByTheirBeginning),
        mistake="Whoever's name begins like the holder's is the holder.",
    ),
    mutant(
        "names-in-lower-case", clause="STA-011", scenario="test_names_that_look_alike_are_two",
        finding="illegal-accepted", workflow=_LowerCase,
        mistake="Who holds it is written down in lower case.",
    ),
    mutant(
        "names-by-their-tool", clause="STA-011", scenario="test_structured_actors_differ_by_any_key",
        finding="illegal-accepted", adapter=reference(claims_class=_NamesByTheirTool),
        mistake="Two agents of one tool are one actor; the tool is read out of the name (#2861).",
    ),
    mutant(
        "no-op-with-a-row", clause="STA-011", scenario="test_who_holds_it_goes_on",
        finding="no-op-claims-event", adapter=reference(claims_class=_NoOpWithARow),
        mistake="A start by who has it in hand already writes a row each time.",
    ),
    mutant(
        "conflict-with-nobody", clause="STA-011", scenario="test_what_another_holds_is_a_conflict",
        finding="wrong-diagnostic", adapter=reference(claims_class=_ConflictWithNobody),
        mistake="A conflict does not say who the other is.",
    ),
    mutant(
        "implementer-blocks-review", clause="STA-011", scenario="test_one_reviewer_at_a_time",
        finding="legal-refused", adapter=reference(claims_class=_ImplementerBlocksReview),
        mistake="Who implemented it stands in the way of everybody else's review (#2861).",
    ),
    mutant(
        "stranded-silently", clause="STA-004", scenario="test_what_is_claimed_and_not_started_is_shown",
        finding="wrong-diagnostic", workflow=_Silent, adapter=reference(claims_class=_ConflictWithoutACommand),
        mistake="A work package that is claimed and not started is told to nobody with a way on (#944).",
    ),
    mutant(
        "claim-split-in-two", clause="STA-004", scenario="test_a_start_that_failed_left_nothing",
        finding="refusal-changed-state", workflow=_OneByOne,
        mistake="Claim and start are two appends, and the first stays when the second fails (#944).",
    ),
    mutant(
        "claims-again", clause="STA-004", scenario="test_what_is_claimed_and_not_started_is_shown",
        finding="row-duplicated", adapter=reference(claims_class=_ClaimsAgain),
        mistake="A start that goes on with a claim claims a second time.",
    ),
    mutant(
        "gives-back-by-age", clause="STA-004", scenario="test_time_that_passed_proves_nothing",
        finding="illegal-accepted", adapter=reference(claims_class=_GivesBackByAge),
        mistake="A claim that is old enough is taken for stranded (#3939).",
    ),
    mutant(
        "number-without-start", clause="STA-004", scenario="test_a_process_id_that_was_used_again_is_another_process",
        finding="legal-refused", adapter=reference(claims_class=_NumberWithoutStart),
        mistake="A process id that runs is the holder, whoever has it by now (#3939).",
    ),
    mutant(
        "batch-stops-half-way", clause="STA-001", scenario="test_a_batch_is_all_or_nothing",
        finding="refusal-changed-state", workflow=_StopsHalfWay,
        mistake="A batch does its moves one after the other until one is refused.",
    ),
    mutant(
        "batch-reports-the-last", clause="STA-001", scenario="test_a_batch_is_the_rows_it_reports",
        finding="wrong-row", adapter=_ReportsTheLast,
        mistake="A batch reports the event of its last row for each of them.",
    ),
    mutant(
        "starts-anything", clause="STA-007", scenario="test_a_start_follows_the_lane_table",
        finding="illegal-accepted", adapter=reference(claims_class=_StartsAnything),
        mistake="A start takes up what is done or canceled, by force.",
    ),
    mutant(
        "reviews-anything", clause="STA-007", scenario="test_a_review_follows_the_lane_table",
        finding="illegal-accepted", adapter=reference(claims_class=_ReviewsAnything),
        mistake="A review takes up, by force, what is not there to be reviewed.",
    ),
    mutant(
        "forgets-the-review", clause="STA-007", scenario="test_work_that_goes_back_says_how",
        finding="wrong-row", workflow=_ForgetsWhy,
        mistake="Work goes back to planned without the review that sent it (#3307).",
    ),
]
# fmt: on
