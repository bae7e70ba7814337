"""Mistakes in writing a transition (clauses STA)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kitty_reliability.formats.diagnostics import Diagnostic, DiagnosticError
from kitty_reliability.formats.events import Row, encode_row, read_rows
from kitty_reliability.formats.lanes import Lane
from kitty_reliability.formats.mission import Meta, MissionPaths
from kitty_reliability.formats.snapshot import encode_snapshot
from kitty_reliability.implementations.protocol import Outcome, Transition
from kitty_reliability.reference.files import append_durably, cut, replace_file
from kitty_reliability.reference.transitions import Context
from kitty_reliability.reference.workflow import Moved, StateReport

from .base import LogStore, Mutant, Reducer, Reference, Rules, Workflow, mutant

__all__ = ["MUTANTS"]

# --- STA-001


class _SuccessFromTheAttempt(Workflow):
    def _commit(self, store: LogStore, meta: Meta, *rows: dict[str, Any]) -> None:
        if rows[-1]["to_lane"] != Lane.BLOCKED:
            super()._commit(store, meta, *rows)


class _NoOpWithAnEvent(Workflow):
    def _stay(self, reducer: Reducer, request: Transition, lane: Lane) -> Moved:
        super()._stay(reducer, request, lane)
        return Moved("01J0000000000000000000000A", lane, lane)


class _WritesTwice(LogStore):
    def append(self, *rows: Mapping[str, Any]) -> None:
        super().append(*rows)
        append_durably(self.paths.log, encode_row(rows[-1]))


class _AnswersForAnother(Reference):
    def transition(self, request: Transition) -> Outcome:
        outcome = super().transition(request)
        return Outcome(outcome.kind, {**outcome.value, "work_package_id": "WP99"})


# --- STA-002


class _ReadsBackTheLength(LogStore):
    def _read_back(self, before: int, added: bytes) -> list[Row]:
        if self.paths.log.stat().st_size != before + len(added):
            return super()._read_back(before, added)
        return self._parse(added)


class _NoReadback(LogStore):
    def _read_back(self, before: int, added: bytes) -> list[Row]:  # noqa: ARG002
        return self._parse(added)


class _NoLaneCheck(Workflow):
    def _require_lane(self, store: LogStore, before: int, row: dict[str, Any]) -> None:
        pass


# --- STA-003


class _BareDiagnostic(Reference):
    def answer(self, request: Any) -> Outcome:
        outcome = super().answer(request)
        if outcome.declined:
            return Outcome(outcome.kind, {"message": str(outcome.value["message"])})
        return outcome


class _TakesBackTooMuch(LogStore):
    def take_back(self, size: int) -> None:
        known = bytes(self._data[:size])
        super().take_back(size)
        cut(self.paths.log, known.rstrip(b"\n").rfind(b"\n") + 1)


class _RepairsByTruncation(LogStore):
    def _refresh(self, meta: Meta) -> None:
        try:
            super()._refresh(meta)
        except DiagnosticError as error:
            line = error.diagnostic.fields.get("line")
            if line is None or not self.paths.log.is_file():
                raise
            lines = self.paths.log.read_bytes().splitlines(keepends=True)
            self.paths.log.write_bytes(b"".join(lines[: line - 1]))
            super()._refresh(meta)


class _SnapshotFirst(Workflow):
    def _commit(self, store: LogStore, meta: Meta, *rows: dict[str, Any]) -> None:
        ahead = Reducer(self.profile, store.paths.slug, meta.mission_id)
        ahead.add(read_rows(store.data() + b"".join(map(encode_row, rows))))
        replace_file(store.paths.snapshot, encode_snapshot(ahead.snapshot(meta)))
        super()._commit(store, meta, *rows)


# --- STA-007


class _ForceAlongTheTable(Rules):
    def forced(self, target: Lane, context: Context) -> Diagnostic | None:
        found = super().forced(target, context)
        return None if target == Lane.CLAIMED else found


class _AnyEdge(Rules):
    def check(self, source: Lane, target: Lane, context: Context) -> Diagnostic | None:
        found = super().check(source, target, context)
        return None if found is not None and found.code == "ILLEGAL_TRANSITION" else found


class _NoGuards(Rules):
    def check(self, source: Lane, target: Lane, context: Context) -> Diagnostic | None:
        found = super().check(source, target, context)
        keep = ("ILLEGAL_TRANSITION", "FORCE_REQUIRES_ACTOR_AND_REASON", "FORCE_TARGET_FORBIDDEN")
        return found if found is not None and found.code in keep else None


class _ForceWithoutReason(Rules):
    def forced(self, target: Lane, context: Context) -> Diagnostic | None:
        found = super().forced(target, context)
        return None if found is not None and found.code == "FORCE_REQUIRES_ACTOR_AND_REASON" else found


class _RejectionApproves(Rules):
    def review_approves(self, context: Context) -> Diagnostic | None:
        return self.review_concludes(context)


class _UnknownWorkPackages(Workflow):
    def require_work_package(self, paths: MissionPaths, reducer: Reducer, work_package: str) -> None:
        pass


class _SubtasksUnread(Workflow):
    def _subtasks_complete(self, paths: MissionPaths, reducer: Reducer, request: Transition) -> bool:  # noqa: ARG002
        return True


# --- STA-009


class _TornBytesDropped(LogStore):
    def _set_torn_aside(self) -> None:
        cut(self.paths.log, len(self._data))
        self._torn = b""


class _OneTearAside(LogStore):
    def _set_torn_aside(self) -> None:
        (self.paths.directory / "torn").write_bytes(self._torn)
        cut(self.paths.log, len(self._data))
        self._torn = b""


class _GluesAfterATear(LogStore):
    def _set_torn_aside(self) -> None:
        self._data += self._torn
        self._torn = b""

    def append(self, *rows: Mapping[str, Any]) -> None:
        added = b"".join(map(encode_row, rows))
        append_durably(self.paths.log, added)
        self.reducer.add(read_rows(added, self.profile))


class _GluesWithoutANewline(LogStore):
    def append(self, *rows: Mapping[str, Any]) -> None:
        added = b"".join(map(encode_row, rows))
        append_durably(self.paths.log, added)
        self.reducer.add(read_rows(added, self.profile))


# --- STA-010


class _ReadingWrites(Workflow):
    def state(self, root: str, slug: str, *, recover: bool = False) -> StateReport:
        self.materialize(root, slug)
        return super().state(root, slug, recover=recover)


class _ReadingTouchesTheLog(Workflow):
    def state(self, root: str, slug: str, *, recover: bool = False) -> StateReport:
        Path(root, "kitty-specs", slug, "status.events.jsonl").touch()
        return super().state(root, slug, recover=recover)


class _ReadingRepairs(Workflow):
    def state(self, root: str, slug: str, *, recover: bool = False) -> StateReport:
        log = Path(root, "kitty-specs", slug, "status.events.jsonl")
        if log.is_file():
            lines = log.read_bytes().splitlines(keepends=True)
            log.write_bytes(b"".join(line for line in lines if line.endswith(b"\n")))
        return super().state(root, slug, recover=recover)


def _writing(key: str, value: object = None) -> type[Workflow]:
    """Return a workflow whose rows have ``value`` for ``key``, whatever was asked for."""

    class Writing(Workflow):
        def _row(self, *arguments: Any) -> dict[str, Any]:
            return {**super()._row(*arguments), key: value}

    return Writing


class _OnceDone(Workflow):
    def _context(self, paths: MissionPaths, reducer: Reducer, request: Transition) -> Context:
        noted = [row.delta.get("subtasks") or {} for row in reducer.annotations(request.work_package)]
        done = {name for one in noted for name, lane in one.items() if lane == Lane.DONE}
        context = super()._context(paths, reducer, request)
        every = done and done >= set(reducer.subtasks(request.work_package))
        return replace(context, subtasks_complete=True) if every else context


# fmt: off
MUTANTS: list[type[Mutant]] = [
    mutant(
        "success-from-the-attempt", clause="STA-001", scenario="test_a_success_is_one_row",
        finding="acked-row-missing", workflow=_SuccessFromTheAttempt,
        mistake="Blocking a work package reports success because it was tried, and writes nothing (#945).",
    ),
    mutant(
        "no-op-with-an-event", clause="STA-001", scenario="test_a_no_op_reports_no_event",
        finding="no-op-claims-event", workflow=_NoOpWithAnEvent,
        mistake="A request for the lane in force reports an event id that was never written.",
    ),
    mutant(
        "writes-twice", clause="STA-001", scenario="test_a_success_is_one_row",
        finding="row-duplicated", store=_WritesTwice,
        mistake="The row is appended a second time by a retry that nobody needed.",
    ),
    mutant(
        "answers-for-another", clause="STA-001", scenario="test_a_success_is_one_row",
        finding="wrong-row", adapter=_AnswersForAnother,
        mistake="The answer names another work package than the row does.",
    ),
    mutant(
        "no-readback", clause="STA-002", scenario="test_a_lost_write_is_no_success",
        finding="acked-row-missing", store=_NoReadback,
        mistake="What was written is believed to be on disk without looking (#945).",
    ),
    mutant(
        "reads-back-the-length", clause="STA-002", scenario="test_a_lost_write_is_no_success",
        finding="acked-row-missing", store=_ReadsBackTheLength,
        mistake="As many bytes as were written are there; which ones is not looked at.",
    ),
    mutant(
        "no-lane-check", clause="STA-002", scenario="test_an_outranked_row_is_no_success",
        finding="lane-disagrees", workflow=_NoLaneCheck,
        mistake="The row is on disk, and whether it is in force is not looked at (#4941).",
    ),
    mutant(
        "bare-diagnostic", clause="STA-003", scenario="test_an_unreadable_log_is_diagnosed_and_left_alone",
        finding="wrong-diagnostic", adapter=_BareDiagnostic,
        mistake="A failure is a sentence: no code, no invariant, no remedy, no names.",
    ),
    mutant(
        "takes-back-too-much", clause="STA-003", scenario="test_a_failed_append_is_diagnosed_and_leaves_nothing",
        finding="prefix-rewritten", store=_TakesBackTooMuch,
        mistake="A failed append is rolled back to one row before where it began.",
    ),
    mutant(
        "repairs-by-truncation", clause="STA-003", scenario="test_an_unreadable_log_is_diagnosed_and_left_alone",
        finding="damage-accepted", store=_RepairsByTruncation,
        mistake="A log with a corrupt line is cut there, and the rest of it is gone.",
    ),
    mutant(
        "snapshot-first", clause="STA-003", scenario="test_a_failed_append_is_diagnosed_and_leaves_nothing",
        finding="snapshot-differs", workflow=_SnapshotFirst,
        mistake="The snapshot is written before the row, and stays when the row does not.",
    ),
    mutant(
        "forgets-where-it-came-from", clause="STA-007", scenario="test_a_legal_edge_is_written",
        finding="wrong-row", workflow=_writing("from_lane", "genesis"),
        mistake="Every row says that the work package came from genesis.",
    ),
    mutant(
        "row-of-no-mission", clause="STA-001", scenario="test_a_success_is_one_row",
        finding="wrong-row", workflow=_writing("mission_slug", ""),
        mistake="A row does not say which mission it is of.",
    ),
    mutant(
        "evidence-unwritten", clause="STA-007", scenario="test_what_a_guard_asked_for_stands_in_the_row",
        finding="wrong-row", workflow=_writing("evidence"),
        mistake="The evidence of an approval is asked for, and thrown away.",
    ),
    mutant(
        "result-unwritten", clause="STA-007", scenario="test_what_a_guard_asked_for_stands_in_the_row",
        finding="wrong-row", workflow=_writing("review_result"),
        mistake="The result of a review is asked for, and thrown away.",
    ),
    mutant(
        "subtasks-once-done", clause="STA-007", scenario="test_recorded_subtasks_open_the_way_to_review",
        finding="illegal-accepted", workflow=_OnceDone,
        mistake="A subtask that was done once is done, whatever became of it.",
    ),
    mutant(
        "force-along-the-table", clause="STA-007", scenario="test_force_needs_an_actor_and_a_reason",
        finding="illegal-accepted", rules=_ForceAlongTheTable,
        mistake="Force along an edge of the table needs nobody and skips its guard.",
    ),
    mutant(
        "any-edge", clause="STA-007", scenario="test_an_edge_that_is_not_in_the_table_is_refused",
        finding="illegal-accepted", rules=_AnyEdge,
        mistake="Every lane can be reached from every lane.",
    ),
    mutant(
        "no-guards", clause="STA-007", scenario="test_a_guard_refuses",
        finding="illegal-accepted", rules=_NoGuards,
        mistake="The lane table is kept, its guards are not.",
    ),
    mutant(
        "force-without-reason", clause="STA-007", scenario="test_force_needs_an_actor_and_a_reason",
        finding="illegal-accepted", rules=_ForceWithoutReason,
        mistake="Force needs nobody and no reason.",
    ),
    mutant(
        "rejection-approves", clause="STA-007", scenario="test_a_guard_refuses",
        finding="illegal-accepted", rules=_RejectionApproves,
        mistake="A review that asks for changes can approve (#904).",
    ),
    mutant(
        "unknown-work-packages", clause="STA-007", scenario="test_what_is_not_there_is_refused",
        finding="illegal-accepted", workflow=_UnknownWorkPackages,
        mistake="A work package that nobody planned is moved all the same.",
    ),
    mutant(
        "subtasks-unread", clause="STA-007", scenario="test_open_subtasks_keep_a_package_from_review",
        finding="illegal-accepted", workflow=_SubtasksUnread,
        mistake="A work package goes to review with open subtasks.",
    ),
    mutant(
        "torn-bytes-dropped", clause="STA-009", scenario="test_torn_bytes_are_kept_aside",
        finding="bytes-lost", store=_TornBytesDropped,
        mistake="A torn end is cut off and thrown away.",
    ),
    mutant(
        "one-tear-aside", clause="STA-009", scenario="test_torn_bytes_are_kept_aside",
        finding="bytes-lost", store=_OneTearAside,
        mistake="The second tear overwrites what was kept of the first.",
    ),
    mutant(
        "glues-after-a-tear", clause="STA-009", scenario="test_torn_bytes_are_kept_aside",
        finding="glued-line", store=_GluesAfterATear,
        mistake="The new row is glued to half a row.",
    ),
    mutant(
        "glues-without-a-newline", clause="STA-009", scenario="test_a_missing_newline_costs_no_row",
        finding="glued-line", store=_GluesWithoutANewline,
        mistake="The new row is glued to a row that lacked its newline, and both are lost.",
    ),
    mutant(
        "reading-writes", clause="STA-010", scenario="test_reading_changes_nothing",
        finding="read-changed-state", workflow=_ReadingWrites,
        mistake="Reading the state writes the snapshot (#2934).",
    ),
    mutant(
        "reading-repairs", clause="STA-010", scenario="test_reading_a_damaged_log_changes_nothing",
        finding="read-changed-state", workflow=_ReadingRepairs,
        mistake="Reading a log with a torn end cuts it off.",
    ),
    mutant(
        "reading-makes-a-log", clause="STA-010", scenario="test_reading_creates_no_log",
        finding="read-changed-state", workflow=_ReadingTouchesTheLog,
        mistake="Reading a mission without a log leaves an empty one behind.",
    ),
]
# fmt: on
