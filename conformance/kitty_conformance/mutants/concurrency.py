"""Mistakes in writing while others write (clause STA-008)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any

from filelock import FileLock, Timeout

from kitty_reliability.formats.diagnostics import diagnostic
from kitty_reliability.formats.events import Row, encode_row, read_rows
from kitty_reliability.formats.lanes import Lane
from kitty_reliability.implementations.protocol import Transition
from kitty_reliability.reference.files import append_durably
from kitty_reliability.reference.locations import find_mission
from kitty_reliability.reference.workflow import Moved

from .base import LogStore, Mutant, Workflow, mutant

__all__ = ["MUTANTS"]


class _NoLock(LogStore):
    #: What the lock is asked for.
    request: Any

    @contextmanager
    def locked(self) -> Iterator[None]:
        yield

    def _read_back(self, before: int, added: bytes) -> list[Row]:
        # Its own row is there, so all is well.
        return self._parse(added) if added in self.paths.log.read_bytes() else super()._read_back(before, added)


class _LocksThreadsOnly(_NoLock):
    threads = Lock()

    @contextmanager
    def locked(self) -> Iterator[None]:
        with self.threads:
            yield


class _LocksForWhatIsAsked(Workflow):
    @contextmanager
    def writing(self, request: Any) -> Iterator[Any]:
        store = self._store(find_mission(request.root, request.mission))
        assert isinstance(store, _NoLock)
        store.request = request
        with super().writing(request) as found:
            yield found


class _LockedForOne(_NoLock):
    @contextmanager
    def locked(self) -> Iterator[None]:
        with LogStore.locked(self) if isinstance(self.request, Transition) else nullcontext():
            yield


class _LockOfTheCheckout(_NoLock):
    @contextmanager
    def locked(self) -> Iterator[None]:
        path = Path(self.request.root, ".kittify", "locks", "mission.lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(path, timeout=self.lock_seconds):
                yield
        except Timeout:
            raise diagnostic("EVENT_LOCK_TIMEOUT", path=str(path), seconds=self.lock_seconds) from None


class _LostUpdate(LogStore):
    @contextmanager
    def locked(self) -> Iterator[None]:
        yield

    def append(self, *rows: Mapping[str, Any]) -> None:
        # The whole log is written anew from what was read before.
        added = b"".join(map(encode_row, rows))
        temporary = self.paths.log.with_suffix(f".{rows[0]['event_id']}")
        temporary.write_bytes(bytes(self._data) + added)
        temporary.replace(self.paths.log)
        self.reducer.add(read_rows(added, self.profile))
        self._data += added
        self._signature = (-1, -1, -1, -1)


class _LocksOnlyTheWrite(LogStore):
    @contextmanager
    def locked(self) -> Iterator[None]:
        yield

    def append(self, *rows: Mapping[str, Any]) -> None:
        with LogStore.locked(self):
            append_durably(self.paths.log, b"".join(map(encode_row, rows)))
        self._forget()
        self._take(self.data())


class _WaitsForEver(LogStore):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._lock = FileLock(self._lock.lock_file, timeout=-1)


class _LeavesItsLockFile(LogStore):
    @contextmanager
    def locked(self) -> Iterator[None]:
        path = Path(f"{self._lock.lock_file}.exclusive")
        path.parent.mkdir(parents=True, exist_ok=True)
        until = time.monotonic() + self.lock_seconds
        while True:
            try:
                os.close(os.open(path, os.O_CREAT | os.O_EXCL))
                break
            except FileExistsError:
                if time.monotonic() > until:
                    raise diagnostic("EVENT_LOCK_TIMEOUT", path=str(path), seconds=self.lock_seconds) from None
                time.sleep(0.005)
        try:
            yield
        finally:
            path.unlink()


class _ItIsThereAlready(Workflow):
    def _stay(self, reducer: Any, request: Any, lane: Lane) -> Moved:  # noqa: ARG002
        return Moved(None, lane, lane)


# fmt: off
MUTANTS: list[type[Mutant]] = [
    mutant(
        "no-lock", clause="STA-008", scenario="test_one_of_several_racing_for_an_edge_wins",
        finding="race-lost", store=_NoLock,
        mistake="The log is appended to without the mission's lock (#1444).",
    ),
    mutant(
        "locks-threads-only", clause="STA-008", scenario="test_one_of_several_racing_for_an_edge_wins",
        finding="race-lost", store=_LocksThreadsOnly,
        mistake="The lock keeps out the other threads, and no other process.",
    ),
    mutant(
        "it-is-there-already", clause="STA-008", scenario="test_one_of_several_racing_for_an_edge_wins",
        finding="race-lost", workflow=_ItIsThereAlready,
        mistake="Who came second is told that all is well, for the work package is in that lane.",
    ),
    mutant(
        "lost-update", clause="STA-008", scenario="test_nothing_is_lost_when_several_write_at_once",
        finding="acked-row-missing", store=_LostUpdate,
        mistake="The log is rewritten from what was read a moment ago, and others' rows are gone.",
    ),
    mutant(
        "locks-only-the-write", clause="STA-008", scenario="test_the_traffic_of_several_adds_up",
        finding="not-linearizable", store=_LocksOnlyTheWrite,
        mistake="The lock is taken for the write; what was checked before it may be over by then.",
    ),
    mutant(
        "waits-for-ever", clause="STA-008", scenario="test_a_lock_that_is_held_is_waited_for_no_longer_than_declared",
        finding="hang", store=_WaitsForEver,
        mistake="A bound is declared, and the lock is waited for without one.",
    ),
    mutant(
        "leaves-its-lock-file", clause="STA-008", scenario="test_a_writer_that_was_killed_is_in_nobodys_way",
        finding="stuck-after-fault", store=_LeavesItsLockFile,
        mistake="The lock is a file that is there; whoever is killed leaves it, and nobody may ever write again.",
    ),
    mutant(
        "batch-without-lock", clause="STA-008", scenario="test_one_of_several_starting_wins",
        finding="race-lost", workflow=_LocksForWhatIsAsked, store=_LockedForOne,
        mistake="One row is appended under the lock, several are not (#1444).",
    ),
    mutant(
        "locks-where-it-stands", clause="STA-008", scenario="test_one_of_several_in_several_checkouts_wins",
        finding="race-lost", workflow=_LocksForWhatIsAsked, store=_LockOfTheCheckout,
        mistake="Each checkout has a lock of its own, and all of them write one log.",
    ),
]
# fmt: on
