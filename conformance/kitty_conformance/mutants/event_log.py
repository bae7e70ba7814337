"""Mistakes in reading and reducing a log (clauses LOG)."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any

from kitty_reliability.formats import row_shapes
from kitty_reliability.formats.diagnostics import Diagnostic, DiagnosticError, diagnostic
from kitty_reliability.formats.events import LaneRow, Row, encode_row, recover_rows
from kitty_reliability.formats.instants import instant
from kitty_reliability.formats.mission import Meta, MissionPaths
from kitty_reliability.formats.snapshot import Snapshot
from kitty_reliability.reference.files import replace_file
from kitty_reliability.reference.reducer import WorkPackageState
from kitty_reliability.reference.workflow import StateReport

from .base import LogStore, Mutant, Reducer, Workflow, mutant

__all__ = ["MUTANTS"]


def _with(**rules: bool) -> type[Reducer]:
    """Return a reducer for which some rules of the contract are off."""

    class Broken(Reducer):
        def __init__(self, profile: Any, mission_slug: str, mission_id: str | None) -> None:
            super().__init__(replace(profile, **rules), mission_slug, mission_id)

    return Broken


class _FileOrder(Reducer):
    def _sorted(self, rows: list[Any]) -> list[Any]:
        return rows


class _OneInstantInFileOrder(Reducer):
    def _order(self, row: Any) -> Any:
        return row.when


class _Forgiving(Reducer):
    """Refuses an id with two contents unless ``takes`` says what to take the later row for."""

    def takes(self, earlier: Row, row: Row) -> bool | None:
        """Say whether ``row`` is ``earlier`` again, or None when they cannot both be."""
        raise NotImplementedError

    def _is_repetition(self, row: Row) -> bool:
        try:
            return super()._is_repetition(row)
        except DiagnosticError:
            taken = self.takes(self._seen[str(row.data["event_id"])], row)
            if taken is None:
                raise
            return taken


class _OneLaneIsOneRow(_Forgiving):
    def takes(self, earlier: Row, row: Row) -> bool | None:
        return True if earlier.data.get("to_lane") == row.data.get("to_lane") else None


class _OneIdForSeveral(_Forgiving):
    def takes(self, earlier: Row, row: Row) -> bool | None:
        return True if {**earlier.data, "wp_id": None} == {**row.data, "wp_id": None} else None


class _OneIdAKind(_Forgiving):
    def takes(self, earlier: Row, row: Row) -> bool | None:
        return False if type(earlier) is not type(row) else None


class _ComparesLines(LogStore):
    @cached_property
    def texts(self) -> dict[str | None, tuple[bytes, int]]:
        return {}

    def _parse(self, data: bytes) -> list[Row]:
        rows, lines = super()._parse(data), data.splitlines()
        for row in rows:
            line = lines[row.line - 1 - self._lines]
            text, earlier = self.texts.setdefault(row.event_id, (line, row.line))
            if text != line:
                both = [earlier, row.line]
                raise diagnostic(
                    "EVENT_ID_CONFLICT", event_id=row.event_id, line=both[0], other_line=both[1], lines=both
                )
        return rows


class _RejectionBeatsEverything(Reducer):
    def _is_outranked(self, package: WorkPackageState, row: LaneRow) -> bool:
        return bool(package.rejected_when == row.when)


class _ChoosesInSilence(Workflow):
    def _recovered(self, paths: MissionPaths, meta: Meta) -> tuple[Reducer, list[Diagnostic]]:
        reducer, left_out = super()._recovered(paths, meta)
        return reducer, [item for item in left_out if item.code != "EVENT_ID_CONFLICT"]


class _OffsetsIgnored(Reducer):
    def _order(self, row: Any) -> Any:
        return datetime.fromisoformat(row.data["at"]).replace(tzinfo=None), row.data["event_id"]


class _Milliseconds(Reducer):
    def _order(self, row: Any) -> Any:
        return instant(row.data["at"]) // 1_000_000, row.data["event_id"]


class _CountsTwice(Reducer):
    def _is_repetition(self, row: Row) -> bool:
        super()._is_repetition(row)
        return False


class _LaterWins(Reducer):
    def _is_outranked(self, package: WorkPackageState, row: LaneRow) -> bool:  # noqa: ARG002
        return False


class _TextOrder(Reducer):
    def _order(self, row: Any) -> Any:
        return row.data["at"], row.data["event_id"]


class _SkipsUnknownKinds(LogStore):
    def _parse(self, data: bytes) -> list[Row]:
        kept = [line for line in data.splitlines(keepends=True) if b'"kind": "verdict"' not in line]
        return super()._parse(b"".join(kept))


class _DropsOtherRows(Workflow):
    def _commit(self, store: LogStore, meta: Meta, *rows: dict[str, Any]) -> None:
        super()._commit(store, meta, *rows)
        lines = store.paths.log.read_bytes().splitlines(keepends=True)
        store.paths.log.write_bytes(b"".join(line for line in lines if b'"to_lane"' in line))


class _RewritesThroughDoubles(Workflow):
    def _commit(self, store: LogStore, meta: Meta, *rows: dict[str, Any]) -> None:
        super()._commit(store, meta, *rows)
        lines = store.paths.log.read_bytes().splitlines()
        read = [json.loads(line, parse_int=lambda digits: int(float(digits))) for line in lines]
        store.paths.log.write_bytes(b"".join(encode_row(row) for row in read))


class _SkipsCorruptLines(LogStore):
    def _parse(self, data: bytes) -> list[Row]:
        try:
            return super()._parse(data)
        except DiagnosticError as error:
            if error.diagnostic.code not in ("ROW_NOT_JSON", "ROW_TORN"):
                raise
            return recover_rows(data)[0]


class _SilentRecovery(Workflow):
    def _recovered(self, paths: MissionPaths, meta: Meta) -> Any:
        reducer, _ = super()._recovered(paths, meta)
        return reducer, []


class _SplitsAtSeparators(LogStore):
    def _parse(self, data: bytes) -> list[Row]:
        return super()._parse("\n".join(data.decode("utf-8", "replace").splitlines()).encode())


class _DiesOfBadBytes(LogStore):
    def _parse(self, data: bytes) -> list[Row]:
        data.decode("utf-8")
        return super()._parse(data)


class _LastKeyWins(LogStore):
    def _parse(self, data: bytes) -> list[Row]:
        rows = []
        for number, line in enumerate(data.splitlines(), 1):
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                return super()._parse(data)
            rows.append(row_shapes.checked(value, number) if isinstance(value, dict) else super()._parse(line)[0])
        return rows


class _CoercesForce(LogStore):
    def _parse(self, data: bytes) -> list[Row]:
        return super()._parse(data.replace(b'"force": "false"', b'"force": true'))


class _ForeignRowsUnreported(Workflow):
    def state(self, root: str, slug: str, *, recover: bool = False) -> StateReport:
        return replace(super().state(root, slug, recover=recover), reports=[])


class _ForeignBySlug(Reducer):
    def _is_foreign(self, row: LaneRow) -> bool:
        slug = row.data.get("mission_slug")
        return bool(slug) and slug != self.mission_slug


class _RecoveryStopsAtTheFirst(Workflow):
    def _recovered(self, paths: MissionPaths, meta: Meta) -> Any:
        reducer, left_out = super()._recovered(paths, meta)
        return reducer, left_out[:1]


class _SnapshotWithAProcess(Reducer):
    def snapshot(self, meta: Meta) -> Snapshot:
        snapshot = super().snapshot(meta)
        for entry in snapshot["work_packages"].values():
            entry["written_by"] = os.getpid()
        return snapshot


class _SnapshotWithATime(Reducer):
    def snapshot(self, meta: Meta) -> Snapshot:
        from datetime import UTC, datetime

        snapshot = super().snapshot(meta)
        snapshot["materialized_at"] = datetime.now(UTC).isoformat()
        return snapshot


class _CountsLines(Reducer):
    def snapshot(self, meta: Meta) -> Snapshot:
        snapshot = super().snapshot(meta)
        snapshot["event_count"] += len(self.work_packages)
        return snapshot


class _StaleSnapshot(Workflow):
    def _commit(self, store: LogStore, meta: Meta, *rows: dict[str, Any]) -> None:
        before = store.reducer.snapshot(meta)
        super()._commit(store, meta, *rows)
        replace_file(store.paths.snapshot, json.dumps(before).encode())


class _MissingIsEmpty(Workflow):
    def state(self, root: str, slug: str, *, recover: bool = False) -> StateReport:
        report = super().state(root, slug, recover=recover)
        return replace(report, log="empty") if report.log == "missing" else report


class _EverythingIsPlanned(Workflow):
    def state(self, root: str, slug: str, *, recover: bool = False) -> StateReport:
        report = super().state(root, slug, recover=recover)
        lanes: dict[str, str | None] = {wp_id: lane or "planned" for wp_id, lane in report.lanes.items()}
        return replace(report, lanes=lanes or {"WP01": "planned"})


# fmt: off
MUTANTS: list[type[Mutant]] = [
    mutant(
        "file-order", clause="LOG-001", scenario="test_the_order_of_lines_does_not_matter",
        finding="order-matters", reducer=_FileOrder,
        mistake="The last line in the file decides.",
    ),
    mutant(
        "one-instant-in-file-order", clause="LOG-001", scenario="test_the_order_of_lines_does_not_matter",
        finding="order-matters", reducer=_OneInstantInFileOrder,
        mistake="Of two rows of one instant the later line decides.",
    ),
    mutant(
        "counts-twice", clause="LOG-002", scenario="test_a_lane_row_counts_once",
        finding="counted-twice", reducer=_CountsTwice,
        mistake="A row that is there twice counts twice.",
    ),
    mutant(
        "annotations-twice", clause="LOG-002", scenario="test_an_annotation_counts_once",
        finding="counted-twice", reducer=_with(annotations_count_once=False),
        mistake="Lane rows count once, annotations each time (#2684).",
    ),
    mutant(
        "first-duplicate-wins", clause="LOG-003", scenario="test_one_id_with_two_contents_is_refused",
        finding="damage-accepted", reducer=_with(conflicting_ids_refused=False),
        mistake="Of two rows with one id the first in the file counts (#569).",
    ),
    mutant(
        "one-lane-is-one-row", clause="LOG-003", scenario="test_one_id_with_two_contents_is_refused",
        finding="damage-accepted", reducer=_OneLaneIsOneRow,
        mistake="Two rows with one id and one lane are taken for one, whoever wrote them and when.",
    ),
    mutant(
        "one-id-for-several", clause="LOG-003", scenario="test_one_id_with_two_contents_is_refused",
        finding="damage-accepted", reducer=_OneIdForSeveral,
        mistake="One event of two work packages counts for the first.",
    ),
    mutant(
        "one-id-a-kind", clause="LOG-003", scenario="test_one_id_of_two_kinds_is_refused",
        finding="damage-accepted", reducer=_OneIdAKind,
        mistake="Ids are compared among transitions, and among annotations.",
    ),
    mutant(
        "compares-lines", clause="LOG-002", scenario="test_a_row_that_is_spelled_otherwise_counts_once",
        finding="legal-refused", store=_ComparesLines,
        mistake="Two lines with one id are the same row when they are the same bytes.",
    ),
    mutant(
        "rejection-beats-everything", clause="LOG-004", scenario="test_a_rejection_outranks_nothing_else",
        finding="lane-disagrees", reducer=_RejectionBeatsEverything,
        mistake="What happens at the instant of a rejection, whatever it is, does not count.",
    ),
    mutant(
        "recovery-chooses-in-silence", clause="LOG-007", scenario="test_a_recovery_read_chooses_in_no_silence",
        finding="damage-unreported", workflow=_ChoosesInSilence,
        mistake="A recovery read takes one of two rows with one id, and says nothing of the other.",
    ),
    mutant(
        "approval-beats-rejection", clause="LOG-004",
        scenario="test_a_rejection_outranks_an_approval_of_the_same_instant",
        finding="lane-disagrees", reducer=_LaterWins,
        mistake="At one instant the higher event id wins, approval or not (#1475).",
    ),
    mutant(
        "only-rejections-to-in-progress", clause="LOG-004",
        scenario="test_a_rejection_outranks_an_approval_of_the_same_instant",
        finding="lane-disagrees", reducer=_with(every_rejection_outranks=False),
        mistake="A rejection to planned is outranked by an approval of the same instant.",
    ),
    mutant(
        "timestamps-as-text", clause="LOG-005", scenario="test_rows_are_ordered_by_instant",
        finding="lane-disagrees", reducer=_TextOrder,
        mistake="Rows are ordered by the text of their timestamps (#4941).",
    ),
    mutant(
        "offsets-ignored", clause="LOG-005", scenario="test_rows_are_ordered_by_instant",
        finding="lane-disagrees", reducer=_OffsetsIgnored,
        mistake="Timestamps are compared without their offsets from UTC.",
    ),
    mutant(
        "milliseconds", clause="LOG-005", scenario="test_rows_are_ordered_by_instant",
        finding="lane-disagrees", reducer=_Milliseconds,
        mistake="Of two instants in one millisecond, all that the clock of the language knows, the higher event id wins.",
    ),
    mutant(
        "unknown-kinds-skipped", clause="LOG-006", scenario="test_an_unknown_kind_is_an_error",
        finding="damage-accepted", store=_SkipsUnknownKinds,
        mistake="A row of unknown kind is skipped without a word.",
    ),
    mutant(
        "other-rows-dropped", clause="LOG-006", scenario="test_other_rows_survive_a_transition",
        finding="prefix-rewritten", workflow=_DropsOtherRows,
        mistake="A rewrite keeps the lane rows and loses every other (#2376).",
    ),
    mutant(
        "rewrites-through-doubles", clause="LOG-006", scenario="test_other_rows_survive_a_transition",
        finding="prefix-rewritten", workflow=_RewritesThroughDoubles,
        mistake="A rewrite rounds large integers, as languages do that know no others than doubles.",
    ),
    mutant(
        "corrupt-lines-skipped", clause="LOG-007", scenario="test_a_corrupt_line_is_named",
        finding="damage-accepted", store=_SkipsCorruptLines,
        mistake="A line that cannot be read is skipped without a word.",
    ),
    mutant(
        "silent-recovery", clause="LOG-007", scenario="test_a_recovery_read_says_what_it_left_out",
        finding="damage-unreported", workflow=_SilentRecovery,
        mistake="A recovery read does not say what it left out.",
    ),
    mutant(
        "recovery-stops-at-the-first", clause="LOG-007", scenario="test_a_recovery_read_reports_every_line",
        finding="damage-unreported", workflow=_RecoveryStopsAtTheFirst,
        mistake="A recovery read reports the first line that it left out, and no other.",
    ),
    mutant(
        "splits-at-separators", clause="LOG-008", scenario="test_odd_bytes_give_whole_rows_or_an_error",
        finding="legal-refused", store=_SplitsAtSeparators,
        mistake="A row is split at U+2028 inside a string.",
    ),
    mutant(
        "dies-of-bad-bytes", clause="LOG-008", scenario="test_odd_bytes_give_whole_rows_or_an_error",
        finding="crash", store=_DiesOfBadBytes,
        mistake="Invalid UTF-8 is a raw exception.",
    ),
    mutant(
        "last-key-wins", clause="LOG-009", scenario="test_a_row_of_the_wrong_shape_is_refused",
        finding="damage-accepted", store=_LastKeyWins,
        mistake="The last of two equal keys counts.",
    ),
    mutant(
        "force-is-coerced", clause="LOG-009", scenario="test_a_row_of_the_wrong_shape_is_refused",
        finding="damage-accepted", store=_CoercesForce,
        mistake='"false" counts as forced.',
    ),
    mutant(
        "foreign-rows-count", clause="LOG-010", scenario="test_rows_of_another_mission_do_not_count",
        finding="lane-disagrees", reducer=_with(foreign_rows_ignored=False),
        mistake="Rows of another mission move this mission's work packages.",
    ),
    mutant(
        "foreign-rows-unreported", clause="LOG-010", scenario="test_rows_of_another_mission_do_not_count",
        finding="damage-unreported", workflow=_ForeignRowsUnreported,
        mistake="Rows of another mission are dropped without a word.",
    ),
    mutant(
        "foreign-by-slug", clause="LOG-010", scenario="test_rows_of_this_mission_count_by_their_id",
        finding="lane-disagrees", reducer=_ForeignBySlug,
        mistake="A mission that was renamed loses the rows of its older slug.",
    ),
    mutant(
        "snapshot-with-a-process", clause="LOG-011", scenario="test_a_snapshot_owes_nothing_to_who_writes_it_or_to_what_was_there",
        finding="snapshot-differs", reducer=_SnapshotWithAProcess,
        mistake="The snapshot says which process wrote it.",
    ),
    mutant(
        "snapshot-with-a-time", clause="LOG-011", scenario="test_the_snapshot_is_a_function_of_the_log",
        finding="snapshot-differs", reducer=_SnapshotWithATime,
        mistake="The snapshot says when it was written.",
    ),
    mutant(
        "snapshot-counts-lines", clause="LOG-011", scenario="test_the_snapshot_is_a_function_of_the_log",
        finding="snapshot-differs", reducer=_CountsLines,
        mistake="The snapshot counts more events than the log has (#4091).",
    ),
    mutant(
        "stale-snapshot", clause="LOG-011", scenario="test_a_transition_and_a_rebuild_give_one_snapshot",
        finding="snapshot-differs", workflow=_StaleSnapshot,
        mistake="A transition leaves the snapshot of the moment before (#3323).",
    ),
    mutant(
        "missing-is-empty", clause="LOG-012", scenario="test_four_kinds_of_nothing_are_four_answers",
        finding="answers-alike", workflow=_MissingIsEmpty,
        mistake="A missing log reads like an empty one.",
    ),
    mutant(
        "everything-is-planned", clause="LOG-012", scenario="test_four_kinds_of_nothing_are_four_answers",
        finding="lane-invented", workflow=_EverythingIsPlanned,
        mistake="A work package that no row moved is called planned (#1589).",
    ),
]
# fmt: on
