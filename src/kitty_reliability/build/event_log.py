"""An event log, verb by verb: ``log.lane("WP01", "claimed").note("WP01", "hi").raw(b'{"half')``.

Every verb writes through, so the file is what the verbs said. Rows are legal unless asked otherwise: an edge
that the lane table does not have needs ``force=True`` (a forced row) or ``illegal=True`` (a row that no writer
should have written). Any key of any row can be overridden or dropped (formats: interop section 2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import orjson

from kitty_reliability.formats.events import encode_row
from kitty_reliability.formats.lanes import EDGES, Guard, Lane, UnknownLaneError, lane_from_input

from . import payloads
from .clock import Clock
from .errors import BuildError
from .identifiers import Identifiers

__all__ = ["ROUTES", "EventLog"]

#: The lanes that lead to each lane when only the goal is named.
ROUTES: Final[dict[Lane, tuple[Lane, ...]]] = {
    Lane.GENESIS: (),
    Lane.PLANNED: (Lane.PLANNED,),
    Lane.CLAIMED: (Lane.PLANNED, Lane.CLAIMED),
    Lane.IN_PROGRESS: (Lane.PLANNED, Lane.CLAIMED, Lane.IN_PROGRESS),
    Lane.FOR_REVIEW: (Lane.PLANNED, Lane.CLAIMED, Lane.IN_PROGRESS, Lane.FOR_REVIEW),
    Lane.IN_REVIEW: (Lane.PLANNED, Lane.CLAIMED, Lane.IN_PROGRESS, Lane.FOR_REVIEW, Lane.IN_REVIEW),
    Lane.APPROVED: (
        Lane.PLANNED, Lane.CLAIMED, Lane.IN_PROGRESS, Lane.FOR_REVIEW, Lane.IN_REVIEW, Lane.APPROVED,
    ),
    Lane.DONE: (
        Lane.PLANNED, Lane.CLAIMED, Lane.IN_PROGRESS, Lane.FOR_REVIEW, Lane.IN_REVIEW, Lane.APPROVED,
        Lane.DONE,
    ),
    Lane.BLOCKED: (Lane.PLANNED, Lane.CLAIMED, Lane.IN_PROGRESS, Lane.BLOCKED),
    Lane.CANCELED: (Lane.PLANNED, Lane.CANCELED),
}  # fmt: skip

#: The lanes by the name that a row has.
_LANES: Final[dict[str, Lane]] = {lane.value: lane for lane in Lane}

_LIFECYCLE_VERSION: Final = "5.0.0"


class EventLog:
    """The log of one mission.

    Arguments:
        path: the file; its directory must exist.
        mission_slug, mission_id: the identity that rows carry; ``mission_id`` None leaves the key out.
        clock, ids: where timestamps and ids come from.
        actor, reviewer: who acts when a verb does not say.
        bootstrap: how work packages enter the log, see ``build.mission``.
    """

    def __init__(
        self,
        path: Path,
        *,
        mission_slug: str,
        mission_id: str | None,
        clock: Clock | None = None,
        ids: Identifiers | None = None,
        actor: str = "implementer-agent",
        reviewer: str = "reviewer-agent",
        bootstrap: Literal["genesis", "planned"] = "genesis",
    ) -> None:
        self.bootstrap = bootstrap
        self.path = path
        self.mission_slug = mission_slug
        self.mission_id = mission_id
        self.clock = clock or Clock()
        self.ids = ids or Identifiers(f"log:{mission_slug}")
        self.actor = actor
        self.reviewer = reviewer
        #: What the verbs wrote, one item a verb.
        self.chunks: list[bytes] = []
        #: The lane that each work package was last moved to.
        self.lanes: dict[str, Lane] = {}
        self._rows: list[dict[str, Any]] = []
        self._unread: list[bytes] = []
        self._reviews: dict[str, int] = {}
        self._deferred = False

    # --- verbs

    def lane(
        self,
        work_package: str,
        to: str,
        *,
        force: bool = False,
        illegal: bool = False,
        drop: Iterable[str] = (),
        **keys: Any,
    ) -> EventLog:
        """Add a lane transition of ``work_package`` to ``to``.

        Arguments:
            force: a forced row, with a reason unless ``reason=`` is given.
            illegal: allow an edge that the table does not have, unforced.
            drop: keys to leave out.
            keys: keys to set, whatever they are: ``actor=``, ``at=``, ``from_lane=``, ``review_result=`` ...

        Raises:
            BuildError: unknown lane, or an edge that needs ``force`` or ``illegal``; no force leads to ``genesis`` or
                ``uninitialized``.
        """
        target = _lane(to)
        source = _lane(keys["from_lane"]) if "from_lane" in keys else self.lanes.get(work_package, Lane.GENESIS)
        legal = (source, target) in EDGES
        if force and not illegal and target in (Lane.GENESIS, Lane.UNINITIALIZED):
            raise BuildError(
                f"{work_package}: {source} -> {target} cannot be forced; say illegal=True for a row that should not exist"
            )
        if not (legal or force or illegal):
            raise BuildError(
                f"{work_package}: {source} -> {target} is not in the lane table; "
                "say force=True for a forced row or illegal=True for a row that should not exist"
            )
        return self._add(self._row(work_package, source, target, force=force) | keys, drop)

    def route(self, work_package: str, lanes: Iterable[str], *, illegal: bool = False) -> EventLog:
        """Add one transition for each of ``lanes`` in turn."""
        for lane in lanes:
            self.lane(work_package, lane, illegal=illegal)
        return self

    def annotate(self, work_package: str, *, drop: Iterable[str] = (), **delta: Any) -> EventLog:
        """Add an annotation with the members of ``delta``, such as ``note=``, ``subtasks=``, ``agent=``."""
        return self._add(
            {
                "actor": self.actor,
                "at": self._at(),
                "delta": delta,
                "event_id": self._id(),
                "kind": "annotation",
                "wp_id": work_package,
            },
            drop,
        )

    def note(self, work_package: str, text: str) -> EventLog:
        """Add an annotation that appends a note."""
        return self.annotate(work_package, note=text)

    def lifecycle(self, event_type: str, *, drop: Iterable[str] = (), **payload: Any) -> EventLog:
        """Add a lifecycle row such as ``MissionCreated``; its time stands in ``timestamp``.

        Arguments:
            payload: members of the payload to set; those that the type asks for are there without.
        """
        moment = self._at()
        package = payload.get("wp_id")
        return self._add(
            {
                "aggregate_id": package or self.mission_id or self.mission_slug,
                "aggregate_type": "WorkPackage" if package else "Mission",
                "event_id": self._id(),
                "event_type": event_type,
                "payload": payloads.lifecycle(self, event_type, moment, payload),
                "project_slug": "demo",
                "project_uuid": "00000000-0000-4000-8000-000000000000",
                "schema_version": _LIFECYCLE_VERSION,
                "timestamp": moment,
            },
            drop,
        )

    def decision(self, decision: str, *, resolved: bool = False, **payload: Any) -> EventLog:
        """Add the opening of a decision point, or its resolution; ``payload`` as in ``lifecycle``."""
        moment = self._at()
        return self._add(
            {
                "at": moment,
                "event_id": self._id(),
                "event_type": "DecisionPointResolved" if resolved else "DecisionPointOpened",
                "payload": payloads.decision(self, decision, moment, payload, resolved=resolved),
            }
        )

    def retrospective(self, name: str = "Captured", **keys: Any) -> EventLog:
        """Add a retrospective row: ``Captured`` and its like, or ``retrospective.completed`` and its like."""
        common = {
            "at": self._at(),
            "event_id": self._id(),
            "mission_id": self.mission_id,
            "mission_slug": self.mission_slug,
        }
        if name.startswith("retrospective."):
            return self._add({**common, "event_name": name, **payloads.retrospective(self, name), **keys})
        own = {
            "actor": {"display": self.actor, "id": self.actor, "kind": "agent"},
            "execution_mode": "main",
            "force": False,
            "lamport": len(self.rows) + 1,
            "schema_version": 1,
            "type": f"Retrospective{name}",
            "wp_id": None,
        }
        return self._add({**common, **own, **payloads.captured(self, name), **keys})

    retro = retrospective

    def row(self, row: Mapping[str, Any]) -> EventLog:
        """Add any row as it is."""
        return self._add(dict(row))

    def raw(self, data: bytes) -> EventLog:
        """Add any bytes as they are, without a newline."""
        self.chunks.append(data)
        self._write(data)
        return self

    # --- looking at what was written

    @property
    def data(self) -> bytes:
        """The bytes that the verbs wrote."""
        return b"".join(self.chunks)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The parsed rows that the verbs wrote, in file order."""
        if self._unread:
            self._rows.extend(map(orjson.loads, self._unread))
            self._unread = []
        return self._rows

    @property
    def last(self) -> dict[str, Any]:
        """The row that the last verb wrote."""
        return self.rows[-1]

    def rewrite(self, data: bytes) -> EventLog:
        """Replace the whole file by ``data``."""
        self.chunks = [data]
        self.path.write_bytes(data)
        return self

    def fork(self, path: Path, name: str) -> EventLog:
        """Return a log at ``path`` that goes on from here: same bytes, lanes and moment, but ids of its own.

        Arguments:
            name: whose log it is; two forks of one name draw the same ids.
        """
        other = EventLog(
            path,
            mission_slug=self.mission_slug,
            mission_id=self.mission_id,
            clock=Clock(self.clock.now, self.clock.step),
            ids=Identifiers(f"{self.ids.seed}:{self.ids.drawn}:{name}"),
            actor=self.actor,
            reviewer=self.reviewer,
            bootstrap=self.bootstrap,
        )
        other.lanes.update(self.lanes)
        other.rows.extend(self.rows)
        other._reviews.update(self._reviews)
        return other.rewrite(self.data if self._deferred else self.path.read_bytes())

    @property
    def deferred(self) -> bool:
        """Say whether the verbs keep what they write in memory."""
        return self._deferred

    def defer(self) -> EventLog:
        """Keep what the verbs write in memory until ``flush``: one write instead of one a row."""
        self._deferred = True
        return self

    def flush(self) -> EventLog:
        """Write what was deferred; an empty log becomes an empty file."""
        self.path.write_bytes(self._release())
        return self

    # --- inside

    def _release(self) -> bytes:
        """Return what was deferred, for somebody else to write; the next verb writes itself."""
        self._deferred = False
        return self.data

    def _recall(self, lines: list[bytes], lanes: Mapping[str, Lane], reviews: Mapping[str, int]) -> None:
        """Take up what verbs wrote elsewhere (``history``). Few ask for the rows, so they are read when one does."""
        self.chunks.extend(lines)
        self._unread.extend(lines)
        self.lanes.update(lanes)
        self._reviews.update(reviews)

    def _row(self, work_package: str, source: Lane, target: Lane, *, force: bool) -> dict[str, Any]:
        row: dict[str, Any] = {
            "actor": self.actor,
            "at": self._at(),
            "event_id": self._id(),
            "evidence": None,
            "execution_mode": "worktree",
            "force": force,
            "from_lane": str(source),
            "mission_slug": self.mission_slug,
            "policy_metadata": None,
            "reason": None,
            "review_ref": None,
            "to_lane": str(target),
            "wp_id": work_package,
        }
        if self.mission_id is not None:
            row["mission_id"] = self.mission_id
        if source is Lane.GENESIS:
            row |= {"actor": "finalize-tasks", "reason": "canonical bootstrap"}
            if self.bootstrap == "planned" and target is Lane.PLANNED:
                return {**row, "from_lane": "planned", "force": True}
        if force:
            row["reason"] = "forced by the test"
        else:
            step = EDGES.get((source, target))
            if step is not None:
                row |= self._what_the_guard_needs(work_package, step.guard, target)
        return row

    def _what_the_guard_needs(self, work_package: str, guard: Guard, target: Lane) -> dict[str, Any]:
        if target is Lane.IN_REVIEW:
            self._reviews[work_package] = self._reviews.get(work_package, 0) + 1
            return {"actor": self.reviewer, "review_ref": "action-review-claim"}
        if guard is Guard.REASON or target in (Lane.BLOCKED, Lane.CANCELED):
            keys: dict[str, Any] = {"reason": f"{target} by the test"}
        else:
            keys = {}
        if guard in (Guard.REVIEW_APPROVES, Guard.REVIEW_CONCLUDES):
            approves = guard is Guard.REVIEW_APPROVES
            review = self._review(work_package, "approved" if approves else "changes_requested")
            keys |= {"actor": self.reviewer, "review_ref": review["reference"], "review_result": review}
            if approves:
                keys["evidence"] = {"review": review}
        elif guard is Guard.APPROVAL_EVIDENCE:
            review = self._review(work_package, "approved")
            keys["evidence"] = {"review": review}
            if target is Lane.DONE:
                review["reference"] = f"lane-approved:{work_package}"
                keys["actor"] = "merge"
        elif guard is Guard.REVIEW_REF:
            keys["review_ref"] = self._review(work_package, "changes_requested")["reference"]
        return keys

    def _review(self, work_package: str, verdict: str) -> dict[str, str]:
        number = max(1, self._reviews.get(work_package, 1))
        return {
            "reviewer": self.reviewer,
            "verdict": verdict,
            "reference": f"review:{work_package}:{number}",
        }

    def _add(self, row: dict[str, Any], drop: Iterable[str] = ()) -> EventLog:
        if isinstance(drop, str):
            raise BuildError(f"drop is a list of keys, not the text {drop!r}")
        for key in drop:
            row.pop(key, None)
        line = encode_row(row)
        self.rows.append(row)
        self.chunks.append(line)
        target, package = row.get("to_lane"), row.get("wp_id")
        # A row that was overridden into nonsense moves nothing.
        if isinstance(target, str) and isinstance(package, str) and target in _LANES:
            self.lanes[package] = _LANES[target]
        self._write(line)
        return self

    def _write(self, data: bytes) -> None:
        if not self._deferred:
            with self.path.open("ab") as file:
                file.write(data)

    def _at(self) -> str:
        self.clock.tick()
        return self.clock.text

    def _id(self) -> str:
        return self.ids.ulid(self.clock.now)


def _lane(text: str) -> Lane:
    if not isinstance(text, str):
        raise BuildError(f"{text!r} is not the name of a lane, such as 'planned'")
    if text in _LANES:
        return _LANES[text]
    try:
        return lane_from_input(text)
    except UnknownLaneError as error:
        raise BuildError(str(error)) from None
