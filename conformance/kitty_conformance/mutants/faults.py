"""Mistakes that show when something fails or ends in the middle of a transition (clauses STA)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kitty_reliability.formats.diagnostics import diagnostic
from kitty_reliability.formats.events import Row
from kitty_reliability.formats.mission import Meta
from kitty_reliability.formats.snapshot import encode_snapshot
from kitty_reliability.implementations.protocol import Transition
from kitty_reliability.reference.files import cut, replace_file
from kitty_reliability.reference.workflow import Moved

from .base import LogStore, Mutant, Workflow, mutant

__all__ = ["MUTANTS"]


class _RetryWritesAgain(Workflow):
    def __init__(self, *arguments: Any, **keys: Any) -> None:
        super().__init__(*arguments, **keys)
        self._written: set[tuple[str, str]] = set()

    def transition(self, request: Transition) -> Moved:
        moved = super().transition(request)
        known = (request.mission, request.work_package)
        if moved.event_id is None and known not in self._written:
            moved = super().transition(request.model_copy(update={"force": True, "reason": "again"}))
        self._written.add(known)
        return moved


class _LockFileStays(LogStore):
    @contextmanager
    def locked(self) -> Iterator[None]:
        path = self.paths.root / f"{self.paths.slug}.lock"
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            raise diagnostic("EVENT_LOCK_TIMEOUT", path=str(path), seconds=0) from None
        try:
            yield
        finally:
            path.unlink()


class _ReadsBackTheEnd(LogStore):
    def _read_back(self, before: int, added: bytes) -> list[Row]:
        if self.paths.log.read_bytes().endswith(added[-40:]):
            return self._parse(added)
        return super()._read_back(before, added)


class _HalfARowStays(LogStore):
    def take_back(self, size: int) -> None:  # noqa: ARG002
        self._forget()


class _RowStaysWithoutASnapshot(Workflow):
    def _commit(self, store: LogStore, meta: Meta, *rows: dict[str, Any]) -> None:
        before = store.size
        store.append(*rows)
        self._require_lane(store, before, rows[-1])
        try:
            replace_file(store.paths.snapshot, encode_snapshot(store.reducer.snapshot(meta)))
        except OSError as error:
            raise diagnostic("SNAPSHOT_WRITE_FAILED", problem=str(error)) from error


class _LooksTwice(Workflow):
    def _commit(self, store: LogStore, meta: Meta, *rows: dict[str, Any]) -> None:
        before = store.size
        super()._commit(store, meta, *rows)
        try:
            store.data()
        except OSError as error:
            store.take_back(before)
            raise diagnostic("EVENT_READBACK_FAILED", problem=str(error)) from error


class _ShortTearsDropped(LogStore):
    def _set_torn_aside(self) -> None:
        if len(self._torn) > 16:
            super()._set_torn_aside()
        else:
            cut(self.paths.log, len(self._data))
            self._torn = b""


# fmt: off
MUTANTS: list[type[Mutant]] = [
    mutant(
        "retry-writes-again", clause="STA-001", scenario="test_a_retry_after_a_kill_is_one_row",
        finding="row-duplicated", workflow=_RetryWritesAgain,
        mistake="What was written is remembered by the process, so a retry in another one writes it again.",
    ),
    mutant(
        "lock-file-stays", clause="STA-001", scenario="test_a_retry_after_a_kill_is_one_row",
        finding="stuck-after-fault", store=_LockFileStays,
        mistake="The lock is a file that has to be removed, and a process that was killed removes nothing.",
    ),
    mutant(
        "reads-back-the-end", clause="STA-002", scenario="test_a_write_that_lies_is_no_success",
        finding="acked-row-missing", store=_ReadsBackTheEnd,
        mistake="The end of the row is on disk, and nobody looks whether its beginning is.",
    ),
    mutant(
        "half-a-row-stays", clause="STA-003", scenario="test_a_write_torn_at_any_byte_leaves_no_half_row",
        finding="torn-line-visible", store=_HalfARowStays,
        mistake="The disk was full in the middle of the row, and what it took of it stays in the log.",
    ),
    mutant(
        "row-stays-without-a-snapshot", clause="STA-003", scenario="test_a_call_that_fails_leaves_what_was",
        finding="refusal-changed-state", workflow=_RowStaysWithoutASnapshot,
        mistake="The snapshot could not be written, so the transition failed, and its row stays (#1348).",
    ),
    mutant(
        "snapshot-stays-without-a-row", clause="STA-003", scenario="test_a_call_that_fails_leaves_what_was",
        finding="snapshot-differs", workflow=_LooksTwice,
        mistake="A last look fails, the row is taken back, and the snapshot that has it stays.",
    ),
    mutant(
        "short-tears-dropped", clause="STA-009", scenario="test_a_row_cut_by_a_kill_is_kept_aside",
        finding="bytes-lost", store=_ShortTearsDropped,
        mistake="A few bytes behind the last row are taken for noise and thrown away.",
    ),
]
# fmt: on
