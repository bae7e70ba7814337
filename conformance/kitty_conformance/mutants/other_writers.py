"""Mistakes that one writer makes and the others do not: batches, starts, recoveries, reads."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from kitty_reliability.formats.diagnostics import DiagnosticError
from kitty_reliability.formats.events import encode_row
from kitty_reliability.formats.lanes import Lane
from kitty_reliability.formats.mission import MISSIONS_DIRECTORY, Meta, MissionPaths
from kitty_reliability.implementations.protocol import Batch, Outcome, Recover, Request, Start, Transition
from kitty_reliability.reference.claims import Claims, GivenBack, Holder, ProcessState, Started
from kitty_reliability.reference.workflow import Moved

from .base import LogStore, Mutant, Reducer, Reference, Workflow, declare, reference

__all__ = ["MUTANTS"]


# --- batches


class _NoOpWithARow(Workflow):
    def plan(
        self, paths: MissionPaths, meta: Meta, reducer: Reducer, request: Transition, now: datetime | None = None
    ) -> tuple[Moved, dict[str, Any] | None]:
        lane = reducer.lane(request.work_package)
        if lane in (Lane.PLANNED, Lane.BLOCKED, Lane.DONE) and lane == request.to:
            row = self._row(reducer, meta, request, lane, lane, now or self._now())
            return Moved(row["event_id"], lane, lane, paths.log), row
        return super().plan(paths, meta, reducer, request, now)


class _LooksAtTheLastLane(Workflow):
    def _commit(self, store: LogStore, meta: Meta, *rows: dict[str, Any]) -> None:
        self._last = rows[-1]
        super()._commit(store, meta, *rows)

    def _require_lane(self, store: LogStore, before: int, row: dict[str, Any]) -> None:
        if row is self._last:
            super()._require_lane(store, before, row)


class _OneByOne(LogStore):
    def append(self, *rows: Any) -> None:
        for row in rows:
            super().append(row)


class _GluesSeveral(LogStore):
    def append(self, *rows: Any) -> None:
        if len(rows) > 1 and self._data and not self._data.endswith(b"\n"):
            self.paths.log.open("ab").write(b"".join(map(encode_row, rows)))
            self.reducer.add(self._parse(b"".join(map(encode_row, rows))))
            self._signature = (-1, -1, -1, -1)
            return
        super().append(*rows)


class _MangledInBatches(Workflow):
    def batch(self, request: Batch) -> list[Moved]:
        whole = re.sub(r"\\ud[89a-f]..", "?", json.dumps(request.model_dump(mode="python")))
        return super().batch(Batch.model_validate(json.loads(whole)))


# --- locks


class _KeepsItsLock(LogStore):
    @contextmanager
    def locked(self) -> Iterator[None]:
        with super().locked():
            try:
                yield
            except DiagnosticError as error:
                if error.diagnostic.code == "EVENT_LOG_UNREADABLE":
                    # Taken once more, and never let go.
                    self._lock.acquire()
                raise


# --- starts and recoveries


class _FirstProcessEver(Claims):
    def _state(self, holder: Holder, work_package: str, reducer: Reducer) -> ProcessState:
        for row in reducer.transitions(work_package):
            policy = row.data.get("policy_metadata") or {}
            if policy.get("shell_pid") is not None:
                return Holder(holder.actor, policy["shell_pid"], float(policy["shell_pid_created_at"])).state
        return holder.state


class _GivesBackAnything(Claims):
    def recover(self, request: Recover) -> GivenBack:
        with self.workflow.writing(request) as (_, _, _, reducer):
            lane = reducer.lane(request.work_package)
        if lane in (Lane.APPROVED, Lane.DONE, Lane.CANCELED):
            keys: dict[str, Any] = {
                "root": request.root,
                "mission": request.mission,
                "work_package": request.work_package,
            }
            back = Transition(**keys, to="planned", actor=request.actor, reason=request.reason, force=True)
            return GivenBack(self.workflow.transition(back), Holder("nobody"), "nobody holds it")
        return super().recover(request)


class _StartedByNobody(Claims):
    def start(self, request: Start) -> Started:
        blank = isinstance(request.actor, str) and not request.actor.strip()
        return super().start(request.model_copy(update={"actor": "unknown"}) if blank else request)


class _StartRecordsWhoIsLoggedIn(Claims):
    def _move(self, request: Start, to: Lane) -> Transition:
        move = super()._move(request, to)
        return move.model_copy(update={"policy_metadata": {**(move.policy_metadata or {}), "user": os.getenv("USER")}})


class _KnownByTheBeginning(Workflow):
    def require_work_package(self, paths: MissionPaths, reducer: Reducer, work_package: str) -> None:
        if not any(path.name.startswith(work_package) for path in paths.tasks.iterdir()):
            super().require_work_package(paths, reducer, work_package)


def _joined(request: Any) -> Any:
    directory = Path(request.root, MISSIONS_DIRECTORY, request.mission.replace("\0", "")).resolve()
    if ".." not in request.mission or not (directory / "meta.json").is_file():
        return request
    return request.model_copy(update={"root": str(directory.parents[1]), "mission": directory.name})


class _OthersJoinTheSlug(Reference):
    def answer(self, request: Request) -> Outcome:
        return super().answer(_joined(request) if request.operation in ("batch", "repair") else request)


class _MakesTheLogFirst(Reference):
    def transition(self, request: Transition) -> Outcome:
        log = Path(request.root, MISSIONS_DIRECTORY, request.mission, "status.events.jsonl")
        if "\0" not in request.mission and log.parent.is_dir() and not log.exists():
            log.open("ab").close()
        return super().transition(request)


# --- reading


class _ReadingRefreshes(Reference):
    def state(self, request: Any) -> Outcome:
        outcome = super().state(request)
        if outcome.ok and self.workflow.find(request.root, request.mission).snapshot.exists():
            self.workflow.materialize(request.root, request.mission)
        return outcome


# fmt: off
MUTANTS: list[type[Mutant]] = [
    declare(
        "STA-001", "no-op-that-nobody-holds", "test_a_no_op_in_any_lane_writes_nothing", "no-op-claims-event",
        "A request for the lane in force writes a row where nobody holds the work package.", workflow=_NoOpWithARow,
    ),
    declare(
        "STA-002", "looks-at-the-last-lane", "test_an_outranked_row_of_a_batch_is_no_success", "lane-disagrees",
        "Of several rows only the last is compared with the lane in force.", workflow=_LooksAtTheLastLane,
    ),
    declare(
        "STA-003", "batch-one-by-one", "test_a_batch_that_failed_left_nothing", "refusal-changed-state",
        "A batch is checked as a whole and appended row by row; the first rows stay when a later one fails.",
        store=_OneByOne,
    ),
    declare(
        "STA-003", "failure-keeps-the-lock", "test_a_failure_locks_nobody_out", "stuck-after-fault",
        "A failure leaves the lock taken for as long as the session lives.", store=_KeepsItsLock,
    ),
    declare(
        "STA-004", "first-process-ever", "test_an_earlier_holder_says_nothing_of_the_present_one", "illegal-accepted",
        "The process of an earlier holder, which ended, is taken for that of the present one.",
        adapter=reference(claims_class=_FirstProcessEver),
    ),
    declare(
        "STA-004", "gives-back-anything", "test_what_nobody_holds_is_not_given_back", "illegal-accepted",
        "What nobody holds is recovered all the same, and finished work is planned again.",
        adapter=reference(claims_class=_GivesBackAnything),
    ),
    declare(
        "STA-007", "started-by-nobody", "test_nobody_starts_nothing", "illegal-accepted",
        "A start without an actor is written down as that of \"unknown\".", adapter=reference(claims_class=_StartedByNobody),
    ),
    declare(
        "STA-007", "known-by-the-beginning", "test_a_work_package_is_known_by_its_whole_id", "illegal-accepted",
        "A task file is found by how its name begins, so WP10 is WP100 (#354).", workflow=_KnownByTheBeginning,
    ),
    declare(
        "STA-009", "glues-several", "test_several_rows_are_glued_to_nothing", "glued-line",
        "One row minds a missing newline, several rows do not.", store=_GluesSeveral,
    ),
    declare(
        "STA-010", "reading-refreshes", "test_reading_leaves_a_stale_snapshot", "read-changed-state",
        "Reading the state makes a stale snapshot anew (#2934).", adapter=_ReadingRefreshes,
    ),
    declare(
        "SEC-001", "others-join-the-slug", "test_no_slug_leads_out_of_the_root", "escaped-root",
        "Transitions check the slug; batch and repair forget to.", adapter=_OthersJoinTheSlug,
    ),
    declare(
        "SEC-003", "makes-the-log-first", "test_a_link_out_of_the_root_is_not_followed", "escaped-root",
        "A log that is not there is made, through a link that leads to nothing.", adapter=_MakesTheLogFirst,
    ),
    declare(
        "SEC-004", "mangles-in-batches", "test_half_a_character_is_refused_by_every_writer", "illegal-accepted",
        "A lone surrogate in a batch becomes a question mark without a word.", workflow=_MangledInBatches,
    ),
    declare(
        "SEC-007", "start-records-who-is-logged-in", "test_nothing_of_the_environment_leaks", "leaked",
        "A start records the user who is logged in.", adapter=reference(claims_class=_StartRecordsWhoIsLoggedIn),
    ),
]
# fmt: on
