"""Mistakes that one writer makes and the others do not: batches, starts, recoveries, commits, merges."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from kitty_reliability.formats.diagnostics import DiagnosticError, diagnostic
from kitty_reliability.formats.events import encode_row
from kitty_reliability.formats.lanes import Lane
from kitty_reliability.formats.mission import MISSIONS_DIRECTORY, Meta, MissionPaths
from kitty_reliability.implementations.protocol import Batch, Outcome, Recover, Request, Start, Transition
from kitty_reliability.reference.claims import Claims, GivenBack, Holder, ProcessState, Started
from kitty_reliability.reference.commits import GitCommit
from kitty_reliability.reference.files import replace_file
from kitty_reliability.reference.locations import find_mission
from kitty_reliability.reference.merging import Merger
from kitty_reliability.reference.workflow import Moved

from .base import LogStore, Mutant, Reducer, Reference, Workflow, mutant

__all__ = ["MUTANTS"]


def _with(claims: type[Claims]) -> type[Reference]:
    return type("BrokenReference", (Reference,), {"claims_class": claims})


def _committing(commit: type[GitCommit]) -> type[Workflow]:
    return type("BrokenWorkflow", (Workflow,), {"commit_class": commit})


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


class _LockOfTheCheckout(LogStore):
    asked = ""

    @contextmanager
    def locked(self) -> Iterator[None]:
        path = Path(self.asked, ".kittify", "locks", "mission.lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(path, timeout=self.lock_seconds):
                yield
        except Timeout:
            raise diagnostic("EVENT_LOCK_TIMEOUT", path=str(path), seconds=self.lock_seconds) from None

    def _read_back(self, before: int, added: bytes) -> Any:
        return self._parse(added) if added in self.paths.log.read_bytes() else super()._read_back(before, added)


class _LocksWhereItStands(Workflow):
    @contextmanager
    def writing(
        self, request: Transition | Batch | Start | Recover
    ) -> Iterator[tuple[MissionPaths, Meta, LogStore, Reducer]]:
        store = self._store(find_mission(request.root, request.mission))
        assert isinstance(store, _LockOfTheCheckout)
        store.asked = request.root
        with super().writing(request) as found:
            yield found


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


class _ReviewsAnything(Claims):
    def start(self, request: Start) -> Started:
        with self.workflow.writing(request) as (_, _, _, reducer):
            lane = reducer.lane(request.work_package) or Lane.GENESIS
        if request.kind == "review" and lane not in (Lane.FOR_REVIEW, Lane.IN_REVIEW):
            move = self._move(request, Lane.IN_REVIEW).model_copy(update={"force": True, "reason": "again"})
            return Started([self.workflow.transition(move)], lane, Lane.IN_REVIEW)
        return super().start(request)


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


def _nearest(root: str, slug: str) -> MissionPaths:
    asked = Path(root).resolve()
    for directory in (asked, *asked.parents):
        if (directory / MISSIONS_DIRECTORY / slug).is_dir():
            return MissionPaths.under(directory, slug)
    return find_mission(root, slug)


class _OthersInTheStaleCopy(Reference):
    def answer(self, request: Request) -> Outcome:
        self.workflow.find = find_mission if request.operation == "transition" else _nearest
        return super().answer(request)


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


# --- commits


class _RollsBackByCheckout(Workflow):
    def _record(self, git: GitCommit, store: LogStore, before: int, row: dict[str, Any]) -> None:
        try:
            super()._record(git, store, before, row)
        except DiagnosticError:
            git._git("checkout", "--quiet", "HEAD", "--", store.paths.log.name)
            raise


class _WithoutHooks(GitCommit):
    def run(self, message: str) -> Any:
        return self._git("commit", "--quiet", "--no-verify", "--only", f"--message={message}", "--", *self._names)


class _OnlyTheLog(GitCommit):
    def commit(self, message: str) -> None:
        self._names = self._names[:1]  # type: ignore[assignment]
        self._new = [name for name in self._new if name in self._names]
        super().commit(message)


class _MakesTheSnapshotAnew(GitCommit):
    def restore(self) -> None:
        if self._snapshot is not None:
            self._snapshot = json.dumps(json.loads(self._snapshot)).encode()
        super().restore()


# --- reading and merging


class _ReadingRefreshes(Reference):
    def state(self, request: Any) -> Outcome:
        outcome = super().state(request)
        if outcome.ok and self.workflow.find(request.root, request.mission).snapshot.exists():
            self.workflow.materialize(request.root, request.mission)
        return outcome


class _LostIsDeleted(Merger):
    def merge(self, base: Path, ours: Path, theirs: Path) -> int:
        sides = [{line.data for line in self.lines(path)} for path in (ours, theirs)]
        gone = {line.data for line in self.lines(base)} - (sides[0] & sides[1])
        super().merge(base, ours, theirs)
        kept = [line.data + b"\n" for line in self.lines(ours) if line.data not in gone]
        replace_file(ours, b"".join(kept))
        return len(kept)


class _KnownKeysOnly(Merger):
    def merge(self, base: Path, ours: Path, theirs: Path) -> int:
        rows = super().merge(base, ours, theirs)
        known = [line.row for line in self.lines(ours)]
        plain = [{key: row[key] for key in row if not key.startswith("from_a_")} for row in known]
        replace_file(ours, b"".join(map(encode_row, plain)))
        return rows


def _merging(merger: type[Merger]) -> type[Reference]:
    return type("Merges", (Reference,), {"merger_class": merger})


def _one(clause: str, name: str, scenario: str, finding: str, mistake: str, **parts: Any) -> type[Mutant]:
    return mutant(name, clause=clause, scenario=scenario, finding=finding, mistake=mistake, **parts)


# fmt: off
MUTANTS: list[type[Mutant]] = [
    _one(
        "STA-001", "no-op-that-nobody-holds", "test_a_no_op_in_any_lane_writes_nothing", "no-op-claims-event",
        "A request for the lane in force writes a row where nobody holds the work package.", workflow=_NoOpWithARow,
    ),
    _one(
        "STA-002", "looks-at-the-last-lane", "test_an_outranked_row_of_a_batch_is_no_success", "lane-disagrees",
        "Of several rows only the last is compared with the lane in force.", workflow=_LooksAtTheLastLane,
    ),
    _one(
        "STA-003", "batch-one-by-one", "test_a_batch_that_failed_left_nothing", "refusal-changed-state",
        "A batch is checked as a whole and appended row by row; the first rows stay when a later one fails.",
        store=_OneByOne,
    ),
    _one(
        "STA-003", "failure-keeps-the-lock", "test_a_failure_locks_nobody_out", "stuck-after-fault",
        "A failure leaves the lock taken for as long as the session lives.", store=_KeepsItsLock,
    ),
    _one(
        "STA-004", "first-process-ever", "test_an_earlier_holder_says_nothing_of_the_present_one", "illegal-accepted",
        "The process of an earlier holder, which ended, is taken for that of the present one.",
        adapter=_with(_FirstProcessEver),
    ),
    _one(
        "STA-004", "gives-back-anything", "test_what_nobody_holds_is_not_given_back", "illegal-accepted",
        "What nobody holds is recovered all the same, and finished work is planned again.",
        adapter=_with(_GivesBackAnything),
    ),
    _one(
        "STA-005", "others-write-the-stale-copy", "test_every_writer_writes_one_log", "wrong-copy",
        "A transition finds the main checkout; batch, start and materialize write the copy that is nearer.",
        adapter=_OthersInTheStaleCopy,
    ),
    _one(
        "STA-006", "rolls-back-by-checkout", "test_a_refused_commit_costs_no_row_that_was_there",
        "refusal-changed-state",
        "After a refused commit the log is checked out, and rows that were not committed are gone.",
        workflow=_RollsBackByCheckout,
    ),
    _one(
        "STA-006", "past-the-hooks", "test_a_refused_commit_is_a_failure_that_leaves_nothing", "illegal-accepted",
        "The commit is made with --no-verify, past a hook that refuses it.", workflow=_committing(_WithoutHooks),
    ),
    _one(
        "STA-006", "commits-the-log-alone", "test_a_transition_after_a_refused_one_succeeds", "commit-missing",
        "The log is committed, and the snapshot that belongs to it is left behind.", workflow=_committing(_OnlyTheLog),
    ),
    _one(
        "STA-006", "restores-another-snapshot", "test_a_refused_commit_is_a_failure_that_leaves_nothing",
        "snapshot-differs",
        "After a refused commit the snapshot says what it said, in other bytes.",
        workflow=_committing(_MakesTheSnapshotAnew),
    ),
    _one(
        "STA-007", "reviews-anything", "test_a_review_follows_the_lane_table", "illegal-accepted",
        "A review takes up, by force, what is not there to be reviewed.", adapter=_with(_ReviewsAnything),
    ),
    _one(
        "STA-007", "started-by-nobody", "test_nobody_starts_nothing", "illegal-accepted",
        "A start without an actor is written down as that of \"unknown\".", adapter=_with(_StartedByNobody),
    ),
    _one(
        "STA-007", "known-by-the-beginning", "test_a_work_package_is_known_by_its_whole_id", "illegal-accepted",
        "A task file is found by how its name begins, so WP10 is WP100 (#354).", workflow=_KnownByTheBeginning,
    ),
    _one(
        "STA-008", "locks-where-it-stands", "test_one_of_several_in_several_checkouts_wins", "race-lost",
        "Each checkout has a lock of its own, and all of them write one log.",
        workflow=_LocksWhereItStands, store=_LockOfTheCheckout,
    ),
    _one(
        "STA-009", "glues-several", "test_several_rows_are_glued_to_nothing", "glued-line",
        "One row minds a missing newline, several rows do not.", store=_GluesSeveral,
    ),
    _one(
        "STA-010", "reading-refreshes", "test_reading_leaves_a_stale_snapshot", "read-changed-state",
        "Reading the state makes a stale snapshot anew (#2934).", adapter=_ReadingRefreshes,
    ),
    _one(
        "LOG-013", "merge-lost-is-deleted", "test_a_row_that_one_side_lost_is_back", "acked-row-missing",
        "A row that one side has lost is taken for one that was deleted, and lost for both.",
        adapter=_merging(_LostIsDeleted),
    ),
    _one(
        "LOG-013", "merge-knows-its-keys", "test_a_row_keeps_what_it_says", "acked-row-missing",
        "A merge writes rows anew, with the keys that it knows.", adapter=_merging(_KnownKeysOnly),
    ),
    _one(
        "SEC-001", "others-join-the-slug", "test_no_slug_leads_out_of_the_root", "escaped-root",
        "Transitions check the slug; batch and repair forget to.", adapter=_OthersJoinTheSlug,
    ),
    _one(
        "SEC-003", "makes-the-log-first", "test_a_link_out_of_the_root_is_not_followed", "escaped-root",
        "A log that is not there is made, through a link that leads to nothing.", adapter=_MakesTheLogFirst,
    ),
    _one(
        "SEC-004", "mangles-in-batches", "test_half_a_character_is_refused_by_every_writer", "illegal-accepted",
        "A lone surrogate in a batch becomes a question mark without a word.", workflow=_MangledInBatches,
    ),
    _one(
        "SEC-007", "start-records-who-is-logged-in", "test_nothing_of_the_environment_leaks", "leaked",
        "A start records the user who is logged in.", adapter=_with(_StartRecordsWhoIsLoggedIn),
    ),
]
# fmt: on
