"""The reducer: rows in, lanes and snapshot out (interop: section 4; clauses LOG-001 to LOG-006, LOG-010 to LOG-012).

Rows may come in any order and in several portions. A portion costs what it holds: a row that is later than
what its work package already has is folded on top, and only a row that belongs further back makes that one
work package fold again. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Final, TypeVar

from kitty_reliability.formats.diagnostics import Diagnostic, diagnostic
from kitty_reliability.formats.events import AnnotationRow, LaneRow, RetrospectiveRow, Row
from kitty_reliability.formats.identifiers import is_safe_segment
from kitty_reliability.formats.lanes import BOARD_LANES, Lane
from kitty_reliability.formats.mission import Meta
from kitty_reliability.formats.profiles import Profile
from kitty_reliability.formats.snapshot import Snapshot

from .annotations import fold_annotation
from .retrospectives import retrospective_block

__all__ = ["Reducer", "WorkPackageState"]

_SYNTHETIC_REASONS: Final = ("Force move to ", "move-task: ")
_APPROVALS: Final = frozenset({Lane.APPROVED, Lane.DONE})
_REVIEWED: Final = frozenset({Lane.FOR_REVIEW, Lane.APPROVED})
_SENT_BACK: Final = frozenset({Lane.PLANNED, Lane.IN_PROGRESS})
# Looked up once: in Python 3.11 a member of an enumeration costs more than what is asked of a row by it.
_PLANNED, _CLAIMED, _IN_REVIEW, _CANCELED = Lane.PLANNED, Lane.CLAIMED, Lane.IN_REVIEW, Lane.CANCELED

_Row = TypeVar("_Row", LaneRow, AnnotationRow)


class WorkPackageState:
    """What the rows of one work package add up to."""

    __slots__ = (
        "annotations",
        "force_count",
        "in_force",
        "overlay",
        "rejected_when",
        "rows",
        "slots",
    )

    def __init__(self) -> None:
        self.rows: list[LaneRow] = []
        self.annotations: list[AnnotationRow] = []
        #: Runtime slots that annotations set. They fold after every transition, so they win.
        self.overlay: dict[str, Any] = {}
        self.restart()

    def restart(self) -> None:
        """Forget what was folded from lane transitions."""
        #: The transition that is in force, None before the first.
        self.in_force: LaneRow | None = None
        #: When the last rejection that counted happened.
        self.rejected_when: Any = None
        self.force_count = 0
        #: Runtime slots that transitions set.
        self.slots: dict[str, Any] = {}


class Reducer:
    """Reduces the rows of one mission under a profile.

    Arguments:
        profile: the rules (formats.profiles).
        mission_slug: the name of the mission's directory.
        mission_id: the ULID of ``meta.json``, None when the mission has none.
    """

    def __init__(self, profile: Profile, mission_slug: str, mission_id: str | None) -> None:
        self.profile = profile
        self.mission_slug = mission_slug
        self.mission_id = mission_id
        #: Distinct lane transitions of this mission.
        self.event_count = 0
        #: Distinct rows of any kind, this mission's or not.
        self.row_count = 0
        #: False as soon as one transition is more than a bootstrap of ``planned``.
        self.only_bootstrap = True
        self.reports: list[Diagnostic] = []
        self._seen: dict[str, Row] = {}
        self._packages: dict[str, WorkPackageState] = {}
        self._retrospectives: list[RetrospectiveRow] = []
        self._first: LaneRow | None = None
        self._newest: LaneRow | None = None

    # --- taking rows in

    def add(self, rows: Iterable[Row]) -> None:
        """Take ``rows`` in.

        Raises:
            DiagnosticError: EVENT_ID_CONFLICT naming both lines (LOG-003), or a row that cannot be ordered.
        """
        new = self._new([*rows])
        self.row_count += len(new)
        moves: dict[str, list[LaneRow]] = defaultdict(list)
        annotations: dict[str, list[AnnotationRow]] = defaultdict(list)
        for move in self._counted(self._own([row for row in new if isinstance(row, LaneRow)])):
            moves[move.wp_id].append(move)
        for row in [row for row in new if not isinstance(row, LaneRow)]:
            if isinstance(row, AnnotationRow):
                annotations[row.wp_id].append(row)
            elif isinstance(row, RetrospectiveRow):
                self._retrospectives.append(row)
        for wp_id, added in moves.items():
            self._fold(self._package(wp_id), added)
        for wp_id, noted in annotations.items():
            self._fold_annotations(self._package(wp_id), noted)

    def _new(self, rows: list[Row]) -> list[Row]:
        """Return the rows that were not taken in before (LOG-002). Where every id is new, no row needs a closer look."""
        by_id = {row.event_id: row for row in rows} if self.profile.annotations_count_once else {}
        if len(by_id) == len(rows) and None not in by_id and self._seen.keys().isdisjoint(by_id):
            if self._seen:
                self._seen.update(by_id)
            else:
                self._seen = by_id
            return rows
        return [row for row in rows if not self._is_repetition(row)]

    def _is_repetition(self, row: Row) -> bool:
        """Say whether the row was taken in before (LOG-002); refuse one id with two contents (LOG-003)."""
        event_id = row.event_id
        if event_id is None or not (isinstance(row, LaneRow) or self.profile.annotations_count_once):
            return False
        try:
            earlier = self._seen.setdefault(event_id, row)
        except TypeError:
            raise _unusable(row, "event_id") from None
        if earlier is row:
            return False
        if self.profile.conflicting_ids_refused and earlier.data != row.data:
            raise diagnostic(
                "EVENT_ID_CONFLICT",
                event_id=event_id,
                line=earlier.line,
                other_line=row.line,
                lines=[earlier.line, row.line],
            )
        return True

    def _own(self, rows: list[LaneRow]) -> list[LaneRow]:
        """Return the rows of this mission; report the others (LOG-010). What rows name is looked at once."""
        if not self.profile.foreign_rows_ignored:
            return rows
        if not any(map(self._is_foreign, {(row.mission_id, row.mission_slug): row for row in rows}.values())):
            return rows
        self.reports += [_foreign(row) for row in rows if self._is_foreign(row)]
        return [row for row in rows if not self._is_foreign(row)]

    def _is_foreign(self, row: LaneRow) -> bool:
        """Say whether the row is another mission's, by what it names. The id decides; without one, the slug."""
        if row.mission_id and self.mission_id:
            return bool(row.mission_id != self.mission_id)
        return bool(row.mission_slug) and row.mission_slug != self.mission_slug

    def _package(self, wp_id: str) -> WorkPackageState:
        package = self._packages.get(wp_id)
        if package is None:
            package = self._packages[wp_id] = WorkPackageState()
        return package

    def _counted(self, rows: list[LaneRow]) -> list[LaneRow]:
        """Count transitions of this mission; return them in order."""
        if rows:
            self.event_count += len(rows)
            self.only_bootstrap = self.only_bootstrap and all(map(_is_bootstrap, rows))
            rows = self._sorted(rows)
            known = [row for row in (self._first, self._newest) if row is not None]
            self._first, *_, self._newest = self._sorted([*known, rows[0], rows[-1]])
        return rows

    # --- folding

    def _order(self, row: LaneRow | AnnotationRow) -> tuple[Any, str]:
        """Return what rows are sorted by: when they happened (LOG-005), then the event id."""
        return row.when, row.event_id

    def _sorted(self, rows: list[_Row]) -> list[_Row]:
        try:
            return sorted(rows, key=self._order)
        except TypeError:
            raise _unusable(self._not_like_the_first(rows), "at") from None

    def _not_like_the_first(self, rows: Sequence[LaneRow | AnnotationRow]) -> Row:
        """Return the row that cannot be ordered."""
        for row in rows:
            try:
                self._order(rows[0]) < self._order(row)  # noqa: B015
            except TypeError:
                break
        return row

    def _placed(self, known: list[_Row], added: list[_Row]) -> int:
        """Put rows that are in order where they belong; return the index of the first one that is at a new place."""
        last = len(known) - 1
        known += added
        if last >= 0 and self._sorted(known[last : last + 2])[0] is not known[last]:
            known[:] = self._sorted(known)
            return 0
        return last + 1

    def _fold(self, package: WorkPackageState, added: list[LaneRow]) -> None:
        start = self._placed(package.rows, added)
        if start == 0:
            package.restart()
        for row in _leaving_a_trace(package.rows[start:]):
            if not self._is_outranked(package, row):
                self._apply(package, row)

    def _fold_annotations(self, package: WorkPackageState, added: list[AnnotationRow]) -> None:
        start = self._placed(package.annotations, self._sorted(added))
        if start == 0:
            package.overlay = {}
        for row in package.annotations[start:]:
            fold_annotation(package.overlay, row.delta)

    def _is_outranked(self, package: WorkPackageState, row: LaneRow) -> bool:
        """Say whether a rejection of the same instant stands against ``row`` (LOG-004)."""
        in_force = package.in_force
        if in_force is None or in_force.when != row.when:
            return False
        if self.profile.every_rejection_outranks:
            return package.rejected_when == row.when and row.to_lane in _APPROVALS
        return _is_rollback(in_force) and not _is_rollback(row)

    def _apply(self, package: WorkPackageState, row: LaneRow) -> None:
        package.in_force = row
        source, target = row.from_lane, row.to_lane
        if target in _SENT_BACK and _is_rejection(row):
            package.rejected_when = row.when
        if row.force:
            package.force_count += 1
        slots = package.slots
        if source == _PLANNED and target == _CLAIMED:
            _claim(slots, row.policy_metadata or {})
        if row.review_result or source == _IN_REVIEW:
            slots["review_result"] = _review_result(row.review_result)
        slots.pop("cancellation_reason", None)
        slots.pop("reason_source", None)
        if target == _CANCELED:
            slots["cancellation_reason"] = row.data.get("reason")
            slots["reason_source"] = _reason_source(row.data)

    # --- answers

    @property
    def work_packages(self) -> list[str]:
        """The ids that any row of this mission names, sorted."""
        return sorted(self._packages)

    def lane(self, wp_id: str) -> Lane | None:
        """Return the lane in force, None when no transition of this mission moved the work package."""
        row = self.row_in_force(wp_id)
        return None if row is None else Lane(row.to_lane)

    def row_in_force(self, wp_id: str) -> LaneRow | None:
        """Return the transition that decides the lane, None when there is none."""
        package = self._packages.get(wp_id)
        return None if package is None else package.in_force

    def transitions(self, wp_id: str) -> list[LaneRow]:
        """Return the transitions of a work package, in the order in which they happened."""
        package = self._packages.get(wp_id)
        return [] if package is None else list(package.rows)

    def annotations(self, wp_id: str) -> list[AnnotationRow]:
        """Return the annotations of a work package, in the order in which they were made."""
        package = self._packages.get(wp_id)
        return [] if package is None else list(package.annotations)

    def excerpt(self, wp_ids: Iterable[str]) -> Reducer:
        """Return a reducer that knows these work packages alone, to look ahead in."""
        copy = type(self)(self.profile, self.mission_slug, self.mission_id)
        for package in [self._packages[wp_id] for wp_id in wp_ids if wp_id in self._packages]:
            copy.add([*package.rows, *package.annotations])
        return copy

    def subtasks(self, wp_id: str) -> dict[str, str]:
        """Return the recorded state of each subtask of a work package."""
        package = self._packages.get(wp_id)
        return {} if package is None else dict(package.overlay.get("subtasks") or {})

    def has_event(self, event_id: str) -> bool:
        """Say whether a row with this id was taken in."""
        return event_id in self._seen

    def log_state(self) -> str:
        """Return what the rows amount to: one of the four answers of LOG-012 that a present log can give."""
        if self.event_count:
            return "bootstrap-only" if self.only_bootstrap else "active"
        if any(package.annotations for package in self._packages.values()):
            return "annotations-only"
        return "no-transitions" if self.row_count else "empty"

    def snapshot(self, meta: Meta) -> Snapshot:
        """Return the snapshot of ``status.json`` (LOG-011)."""
        summary = dict.fromkeys((str(lane) for lane in BOARD_LANES), 0)
        work_packages: dict[str, dict[str, Any]] = {}
        for wp_id in self.work_packages:
            entry = work_packages[wp_id] = self.entry(wp_id)
            if entry["lane"] in summary:
                summary[entry["lane"]] += 1
        slug = (self._first and self._first.mission_slug) or ""
        newest = self._newest
        snapshot: Snapshot = {
            "event_count": self.event_count,
            "last_event_id": None if newest is None else newest.event_id,
            "materialized_at": "" if newest is None else newest.at,
            "mission_number": _mission_number(meta, self.mission_slug),
            "mission_slug": slug if is_safe_segment(slug) else "",
            "mission_type": meta.mission_type,
            "summary": summary,
            "work_packages": work_packages,
        }
        block = retrospective_block(self._retrospectives)
        if block is not None:
            snapshot["retrospective"] = block
        return snapshot

    def entry(self, wp_id: str) -> dict[str, Any]:
        """Return the slots of one work package, as the snapshot has them."""
        package = self._packages[wp_id]
        row = package.in_force
        if row is None:
            actor, lane, at, event_id = package.annotations[0].actor, Lane.UNINITIALIZED, None, None
        else:
            actor, lane, at, event_id = row.actor, row.to_lane, row.at, row.event_id
        return {
            "lane": str(lane),
            "actor": _actor_name(actor),
            "last_transition_at": at,
            "last_event_id": event_id,
            "force_count": package.force_count,
            **package.slots,
            **package.overlay,
        }


def _leaving_a_trace(rows: list[LaneRow]) -> list[LaneRow]:
    """Return those of the ``rows``, which are in order, that leave more than a lane which a later row changes again."""
    kept = [
        row
        for row, after in pairwise(rows)
        if row.when == after.when
        or row.force
        or row.policy_metadata
        or row.review_result
        or row.from_lane == _IN_REVIEW
    ]
    return [*kept, *rows[-1:]]


def _is_bootstrap(row: LaneRow) -> bool:
    return row.to_lane == _PLANNED and (row.from_lane == Lane.GENESIS or bool(row.from_lane == _PLANNED and row.force))


def _is_rejection(row: LaneRow) -> bool:
    if row.to_lane not in _SENT_BACK:
        return False
    return row.from_lane == _IN_REVIEW or (row.from_lane in _REVIEWED and row.review_ref is not None)


def _is_rollback(row: LaneRow) -> bool:
    # What released 3.2.x protects: rejections to in_progress, and no others.
    return row.to_lane == Lane.IN_PROGRESS and (
        row.from_lane == _IN_REVIEW or (row.from_lane == Lane.FOR_REVIEW and row.review_ref is not None)
    )


def _claim(slots: dict[str, Any], policy: dict[str, Any]) -> None:
    for name in ("shell_pid", "shell_pid_created_at"):
        if policy.get(name) is not None:
            slots[name] = policy[name]
    if policy.get("agent"):
        slots["agent"] = policy["agent"]


def _review_result(result: dict[str, Any] | None) -> dict[str, Any] | None:
    if not result:
        return None
    kept = {key: result[key] for key in ("reviewer", "verdict", "reference")}
    if result.get("feedback_path") is not None:
        kept["feedback_path"] = result["feedback_path"]
    return kept


def _reason_source(data: dict[str, Any]) -> str:
    recorded = data.get("reason_source")
    if recorded is not None:
        return str(recorded)
    reason = data.get("reason") or ""
    if not reason.strip() or reason.startswith(_SYNTHETIC_REASONS):
        return "synthetic"
    return "operator"


def _actor_name(actor: Any) -> str:
    if isinstance(actor, dict):
        return actor.get("tool") or actor.get("role") or ""
    return str(actor)


def _mission_number(meta: Meta, slug: str) -> str:
    if meta.mission_number is not None:
        return str(meta.mission_number)
    digits = re.match(r"(\d{1,18})-", meta.mission_slug or slug, re.ASCII)
    return str(int(digits[1])) if digits else ""


def _foreign(row: LaneRow) -> Diagnostic:
    other = row.data.get("mission_slug") or row.data.get("mission_id") or "?"
    return diagnostic("FOREIGN_ROW", line=row.line, other_mission=other, event_id=row.data["event_id"]).diagnostic


def _unusable(row: Row, key: str) -> Exception:
    return diagnostic("ROW_FIELD_INVALID", line=row.line, key=key, problem="cannot be compared with other rows")
