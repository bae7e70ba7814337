"""The operations of the reference: one method each, diagnostics raised, nothing printed. PYTEST_DONT_REWRITE"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any, Final

from ulid import ULID

from kitty_reliability.formats.diagnostics import Diagnostic, DiagnosticError, diagnostic
from kitty_reliability.formats.events import Row, encode_row, read_rows, recover_rows
from kitty_reliability.formats.identifiers import is_work_package_id
from kitty_reliability.formats.instants import spell
from kitty_reliability.formats.lanes import BOARD_LANES, Lane, UnknownLaneError, lane_from_input
from kitty_reliability.formats.mission import Meta, MissionPaths, read_meta
from kitty_reliability.formats.profiles import CONTRACT_320, Profile
from kitty_reliability.formats.snapshot import Snapshot, encode_snapshot
from kitty_reliability.formats.work_package import find_work_package, read_work_package
from kitty_reliability.implementations.protocol import Batch, Recover, Start, Transition

from .claims import WAY, stranded
from .commits import GitCommit
from .files import replace_file
from .locations import find_mission
from .reducer import Reducer
from .repairing import Repaired, quarantine
from .store import LogStore
from .transitions import Context, Rules
from .writable import require_writable

__all__ = ["Moved", "StateReport", "Workflow"]

#: Lanes in which one actor has a work package in hand; another's request for the same lane is a conflict.
_HELD: Final = frozenset({Lane.CLAIMED, Lane.IN_PROGRESS, Lane.IN_REVIEW})

#: A clock that stands still or lags by less than this is stepped over; more is a fault that is told.
_TOLERATED_LAG: Final = timedelta(seconds=1)

_STORES_KEPT: Final = 64


@dataclass(frozen=True, slots=True)
class Moved:
    """What a transition did; ``event_id`` is None when nothing had to be done. ``log`` is where it is written."""

    event_id: str | None
    from_lane: Lane
    to_lane: Lane
    log: Path | None = None


@dataclass(frozen=True, slots=True)
class StateReport:
    """What a log says: how much there is of it, the lanes, and what was noticed."""

    log: str
    lanes: dict[str, str | None]
    reports: list[Diagnostic]
    left_out: list[Diagnostic]


class Workflow:
    """The reference under one profile.

    Arguments:
        now: returns the moment that a new row is dated by.
        lock_seconds: the longest wait for a mission's lock.
    """

    store_class: type[LogStore] = LogStore
    reducer_class: type[Reducer] = Reducer
    rules_class: type[Rules] = Rules
    commit_class: type[GitCommit] = GitCommit
    #: Where a mission is, asked for from some directory.
    find = staticmethod(find_mission)

    def __init__(
        self,
        profile: Profile = CONTRACT_320,
        *,
        now: Callable[[], datetime] | None = None,
        lock_seconds: float = 10.0,
    ) -> None:
        self.profile = profile
        self.lock_seconds = lock_seconds
        self.rules = self.rules_class(profile)
        self._now = now or (lambda: datetime.now(UTC))
        self._stores: dict[MissionPaths, LogStore] = {}

    # --- writing

    def transition(self, request: Transition) -> Moved:
        """Move a work package: check, append, read back, compare the lane, write the snapshot.

        Raises:
            DiagnosticError: nothing was changed then (EVENT_APPEND_UNRESOLVED says what may stand).
        """
        deadline = monotonic() + self.lock_seconds
        with self.writing(request) as (paths, meta, store, reducer):
            moved, row = self.plan(paths, meta, reducer, request)
            if row is not None:
                before, git = store.size, self.commit_class(paths, deadline) if request.commit else None
                self._commit(store, meta, row)
                if git is not None:
                    self._record(git, store, before, row)
            return moved

    def batch(self, request: Batch) -> list[Moved]:
        """Move work packages in one durable act; errors as of ``transition``, with those of the move that is at fault."""
        moves = [Transition(root=request.root, mission=request.mission, **dict(move)) for move in request.moves]
        with self.writing(request) as (paths, meta, store, reducer):
            return self.move_all(paths, meta, store, reducer, moves)

    def move_all(
        self, paths: MissionPaths, meta: Meta, store: LogStore, reducer: Reducer, moves: Sequence[Transition]
    ) -> list[Moved]:
        """Check every move against what those before it lead to, then write all of them at once. Inside ``writing``."""
        ahead = reducer.excerpt({move.work_package for move in moves})
        now = self._now()
        done, rows = [], []
        for number, move in enumerate(moves):
            moved, row = self.plan(paths, meta, ahead, move, now + timedelta(microseconds=number))
            done.append(moved)
            if row is not None:
                rows.append(row)
                ahead.add(read_rows(encode_row(row), self.profile))
        if rows:
            self._commit(store, meta, *rows)
        return done

    @contextmanager
    def writing(
        self, request: Transition | Batch | Start | Recover
    ) -> Iterator[tuple[MissionPaths, Meta, LogStore, Reducer]]:
        """Find the mission, lock it and read its log; what goes wrong inside is told with what was asked for."""
        fields: dict[str, Any] = {"mission_slug": request.mission}
        if not isinstance(request, Batch):
            fields["work_package_id"] = request.work_package
        if isinstance(request, Transition):
            fields["requested_lane"] = request.to
        if isinstance(request, Start):
            fields["requested_lane"] = str(WAY[request.kind][-1])
        try:
            paths = self.find(request.root, request.mission)
            fields |= {"mission_slug": paths.slug, "status_events_path": str(paths.log)}
            for asked in request.moves if isinstance(request, Batch) else [request]:
                require_writable(asked)
                if not is_work_package_id(asked.work_package):
                    raise diagnostic("WORK_PACKAGE_IDENTIFIER_UNSAFE", work_package_id=asked.work_package)
                if isinstance(asked, Transition):
                    fields["requested_lane"] = str(self._target(asked.to))
            meta = read_meta(paths.meta)
            fields["mission_id"] = meta.mission_id
            store = self._store(paths)
            with store.locked():
                yield paths, meta, store, self._open(store, meta)
        except DiagnosticError as error:
            raise DiagnosticError(error.diagnostic.with_fields(**fields)) from error
        except OSError as error:
            raise diagnostic("UNEXPECTED", problem=f"{type(error).__name__}: {error}", **fields) from error

    def plan(
        self, paths: MissionPaths, meta: Meta, reducer: Reducer, request: Transition, now: datetime | None = None
    ) -> tuple[Moved, dict[str, Any] | None]:
        """Return what ``request`` does after what ``reducer`` has, and the row for it; None when nothing is to be done."""
        source = reducer.lane(request.work_package) or Lane.GENESIS
        fields = {"work_package_id": request.work_package, "requested_lane": request.to, "from_lane": str(source)}
        try:
            target = self._target(request.to)
            fields["requested_lane"] = str(target)
            self.require_work_package(paths, reducer, request.work_package)
            if source == target and not request.force:
                return replace(self._stay(reducer, request, target), log=paths.log), None
            refused = self.rules.check(source, target, self._context(paths, reducer, request))
            if refused is not None:
                raise DiagnosticError(refused)
        except DiagnosticError as error:
            raise DiagnosticError(error.diagnostic.with_fields(**fields)) from error
        at = self._moment(reducer, request.work_package, now or self._now())
        row = self._row(reducer, meta, request, source, target, at)
        return Moved(row["event_id"], source, target, paths.log), row

    def _open(self, store: LogStore, meta: Meta) -> Reducer:
        try:
            return store.open_for_append(meta)
        except DiagnosticError as error:
            cause = error.diagnostic
            if cause.entry.invariant.startswith("LOG-"):
                raise diagnostic(
                    "EVENT_LOG_UNREADABLE",
                    path=str(store.paths.log),
                    problem=cause.message,
                    cause=cause.code,
                    **{key: cause.fields[key] for key in ("line", "lines") if key in cause.fields},
                ) from error
            raise

    def _commit(self, store: LogStore, meta: Meta, *rows: dict[str, Any]) -> None:
        before = store.size
        last = {row["wp_id"]: row for row in rows}
        try:
            store.append(*rows)
            for row in last.values():
                self._require_lane(store, before, row)
            try:
                replace_file(store.paths.snapshot, encode_snapshot(store.reducer.snapshot(meta)))
            except Exception as error:
                # Whatever went wrong: a row whose transition failed does not stand.
                store.take_back(before)
                raise diagnostic("SNAPSHOT_WRITE_FAILED", problem=str(error)) from error
        except DiagnosticError as error:
            lanes = ", ".join(row["to_lane"] for row in last.values())
            named = error.diagnostic.with_fields(work_package_id=", ".join(last), requested_lane=lanes)
            raise DiagnosticError(named) from error

    def _record(self, git: GitCommit, store: LogStore, before: int, row: dict[str, Any]) -> None:
        """Commit log and snapshot; what git refuses does not stand on disk either (STA-006)."""
        try:
            git.commit(f"{store.paths.slug}: {row['wp_id']} {row['from_lane']} -> {row['to_lane']}")
        except DiagnosticError as error:
            if error.diagnostic.code == "COMMIT_REFUSED":
                store.take_back(before)
                git.restore()
            raise

    def _require_lane(self, store: LogStore, before: int, row: dict[str, Any]) -> None:
        """Take the row back unless the log, reduced, says what was asked for (STA-002)."""
        in_force = store.reducer.row_in_force(row["wp_id"])
        if in_force is not None and in_force.to_lane == row["to_lane"]:
            return
        store.take_back(before)
        raise diagnostic(
            "LANE_DISAGREES",
            work_package_id=row["wp_id"],
            lane_in_force=None if in_force is None else in_force.to_lane,
            outranked_by=None if in_force is None else in_force.event_id,
        )

    def _stay(self, reducer: Reducer, request: Transition, lane: Lane) -> Moved:
        """Answer a request for the lane that is in force: nothing to do, unless somebody else holds it."""
        in_force = reducer.row_in_force(request.work_package)
        holder = None if in_force is None else in_force.data["actor"]
        if lane in _HELD and request.actor and holder != request.actor:
            raise diagnostic("TRANSITION_CONFLICT", holder=holder)
        return Moved(None, lane, lane)

    def _row(
        self, reducer: Reducer, meta: Meta, request: Transition, source: Lane, target: Lane, at: datetime
    ) -> dict[str, Any]:
        row: dict[str, Any] = {
            "actor": request.actor or "unknown",
            "at": spell(at),
            "event_id": str(ULID.from_datetime(at)),
            "evidence": request.evidence,
            "execution_mode": request.execution_mode,
            "force": request.force,
            "from_lane": str(source),
            "mission_slug": reducer.mission_slug,
            "policy_metadata": request.policy_metadata,
            "reason": request.reason,
            "review_ref": request.review_ref,
            "to_lane": str(target),
            "wp_id": request.work_package,
        }
        if meta.mission_id is not None:
            row["mission_id"] = meta.mission_id
        if request.review_result is not None:
            row["review_result"] = request.review_result
        return row

    def _moment(self, reducer: Reducer, work_package: str, now: datetime) -> datetime:
        in_force = reducer.row_in_force(work_package)
        if in_force is None:
            return now
        latest = datetime.fromisoformat(in_force.data["at"])
        latest = latest if latest.tzinfo else latest.replace(tzinfo=UTC)
        if now <= latest < now + _TOLERATED_LAG:
            return latest + timedelta(microseconds=1)
        return now

    # --- reading

    def state(self, root: str, slug: str, *, recover: bool = False) -> StateReport:
        """Say which lane each work package is in. Changes nothing, takes no lock (STA-010).

        Raises:
            DiagnosticError: the mission cannot be found, or its log cannot be read.
        """
        paths = self.find(root, slug)
        meta = read_meta(paths.meta)
        left_out: list[Diagnostic] = []
        store = self._store(paths)
        if recover:
            reducer, left_out = self._recovered(paths, meta)
        else:
            reducer = store.read(meta)
        lanes = {wp_id: reducer.lane(wp_id) for wp_id in reducer.work_packages}
        return StateReport(
            "missing" if not paths.log.exists() else reducer.log_state(),
            {wp_id: None if lane is None else str(lane) for wp_id, lane in lanes.items()},
            self._reports(paths, reducer),
            left_out,
        )

    def _reports(self, paths: MissionPaths, reducer: Reducer) -> list[Diagnostic]:
        return [*reducer.reports, *stranded(paths.slug, reducer)]

    def _recovered(self, paths: MissionPaths, meta: Meta) -> tuple[Reducer, list[Diagnostic]]:
        rows, left_out = recover_rows(self._store(paths).data(), self.profile)
        reducer = self.reducer_class(self.profile, paths.slug, meta.mission_id)
        try:
            reducer.add(rows)
        except DiagnosticError:
            # Rare: two rows share an id. Then one by one, to know which is left out.
            reducer = self.reducer_class(self.profile, paths.slug, meta.mission_id)
            for row in rows:
                try:
                    reducer.add([row])
                except DiagnosticError as error:
                    fields = {**error.diagnostic.fields, "line": row.line}
                    left_out.append(Diagnostic(error.diagnostic.code, fields))
        left_out.sort(key=lambda item: item.fields["line"])
        return reducer, left_out

    def reduced(self, root: str, slug: str) -> tuple[MissionPaths, Reducer]:
        """Return where a mission is and what its log adds up to. Changes nothing; errors as of ``state``."""
        paths = self.find(root, slug)
        return paths, self._store(paths).read(read_meta(paths.meta))

    def events(self, root: str, slug: str) -> list[Row]:
        """Return the rows of a log in file order.

        Raises:
            DiagnosticError: the mission cannot be found, or its log cannot be read.
        """
        paths = self.find(root, slug)
        store = self._store(paths)
        store.read(read_meta(paths.meta))
        return read_rows(store.data(), self.profile)

    def materialize(self, root: str, slug: str) -> tuple[MissionPaths, Snapshot]:
        """Write the snapshot and return it; a file that has these bytes already is left alone (LOG-011)."""
        paths = self.find(root, slug)
        meta = read_meta(paths.meta)
        snapshot = self._store(paths).read(meta).snapshot(meta)
        data = encode_snapshot(snapshot)
        if not paths.snapshot.exists() or paths.snapshot.read_bytes() != data:
            replace_file(paths.snapshot, data)
        return paths, snapshot

    # --- mending

    def repair(self, root: str, slug: str) -> Repaired:
        """Move aside what cannot be read, and write the snapshot anew.

        Raises:
            DiagnosticError: the mission cannot be found, the lock is held, or two rows of one id differ: which of
                them is true is not known here (LOG-003).
        """
        paths = self.find(root, slug)
        store = self._store(paths)
        with store.locked():
            repaired = quarantine(paths.log, store.data(), self.profile)
        self.materialize(root, slug)
        return repaired

    # --- what a transition needs to know

    def _store(self, paths: MissionPaths) -> LogStore:
        store = self._stores.pop(paths, None)
        if store is None:
            store = self.store_class(
                paths, self.profile, lock_seconds=self.lock_seconds, reducer_class=self.reducer_class
            )
        self._stores[paths] = store
        if len(self._stores) > _STORES_KEPT:
            del self._stores[next(iter(self._stores))]
        return store

    def _target(self, text: str) -> Lane:
        try:
            return lane_from_input(text)
        except UnknownLaneError:
            raise diagnostic("UNKNOWN_LANE", known=", ".join(BOARD_LANES)) from None

    def require_work_package(self, paths: MissionPaths, reducer: Reducer, work_package: str) -> None:
        """Refuse a work package that neither the log nor a task file knows."""
        if reducer.row_in_force(work_package) is None and find_work_package(paths.tasks, work_package) is None:
            raise diagnostic("WORK_PACKAGE_NOT_FOUND")

    def _context(self, paths: MissionPaths, reducer: Reducer, request: Transition) -> Context:
        return Context(
            actor=request.actor,
            force=request.force,
            reason=request.reason,
            workspace_context=request.workspace_context,
            subtasks_complete=self._subtasks_complete(paths, reducer, request),
            implementation_evidence_present=reducer.row_in_force(request.work_package) is not None,
            evidence=request.evidence,
            review_ref=request.review_ref,
            review_result=request.review_result,
        )

    def _subtasks_complete(self, paths: MissionPaths, reducer: Reducer, request: Transition) -> bool:
        """The roster of the task file, each subtask recorded as done. No roster, nothing open."""
        if request.force or request.to.strip().lower() != Lane.FOR_REVIEW:
            return True
        path = find_work_package(paths.tasks, request.work_package)
        roster = read_work_package(path).subtasks if path is not None else None
        recorded = reducer.subtasks(request.work_package)
        return all(recorded.get(name) == Lane.DONE for name in roster or ())
