"""Rules about reviews and about what refers to something else. PYTEST_DONT_REWRITE"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from kitty_reliability.formats.events import EVENT_LOG_NAME, LaneRow
from kitty_reliability.formats.identifiers import is_safe_segment
from kitty_reliability.formats.lanes import Lane
from kitty_reliability.formats.review_model import OVERRIDE
from kitty_reliability.formats.reviews import EventVerdict, Verdict
from kitty_reliability.reference.reducer import Reducer

from .findings import CannotJudge, Finding, Rule, Severity
from .mission import AuditedMission, ReviewFile
from .reading import UnreadableError, require_inside

__all__ = [
    "CONTRADICTORY_VERDICTS",
    "UNRESOLVABLE_REFERENCES",
    "contradictory_verdicts",
    "latest_reviews",
    "unresolvable_references",
]

CONTRADICTORY_VERDICTS: Final = Rule(
    "contradictory-verdicts",
    Severity.ERROR,
    "No approved or done work package was rejected by its latest review.",
    "review it again, or record a complete override (actor and reason) in the artifact",
    ("RAC-001", "RAC-002", "RAC-004", "RAC-005"),
)
UNRESOLVABLE_REFERENCES: Final = Rule(
    "unresolvable-references",
    Severity.WARNING,
    "What rows, task files and the lane manifest refer to is there.",
    "restore what it names from git, or correct the reference",
    ("RAC-004", "OWN-005"),
)

_SHIPPING: Final = (Lane.APPROVED, Lane.DONE)
_OVERRIDE_KEYS: Final = ("at", "actor", "wp_id", "reason")
_SCHEME: Final = "review-cycle://"


def latest_reviews(mission: AuditedMission, work_package: str) -> list[ReviewFile]:
    """Return the artifact with the highest number; several when directories of one work package share it (RAC-003)."""
    rest = len(work_package)
    found = [
        review
        for review in mission.reviews
        if review.directory.startswith(work_package) and review.directory[rest : rest + 1] in ("", "-", "_", ".")
    ]
    highest = max((review.number for review in found), default=0)
    return [review for review in found if review.number == highest]


def contradictory_verdicts(mission: AuditedMission) -> Iterator[Finding]:
    """Find work packages that ship although the latest artifact, or the latest event, rejects them.

    A rejection that a complete override clears is told and never fails. Words that are no verdict of the contract
    (``changes_requested``, prose without frontmatter) are what old writers wrote: they say nothing here.
    """
    reducer = mission.reducer
    for work_package in reducer.work_packages:
        lane = reducer.lane(work_package)
        if lane not in _SHIPPING:
            continue
        slots = reducer.entry(work_package)
        override = slots.get("review") or {}
        cleared = _is_complete(override, _OVERRIDE_KEYS) and override.get("wp_id") == work_package
        for review in latest_reviews(mission, work_package):
            if (review.values or {}).get("verdict") == Verdict.REJECTED:
                yield _rejected(work_package, lane, review, cleared)
        if (slots.get("review_result") or {}).get("verdict") == EventVerdict.CHANGES_REQUESTED and not cleared:
            row = _rejecting_row(reducer, work_package)
            what = f"{work_package} is {lane}, and its latest review event asks for changes"
            line = None if row is None else row.line
            yield CONTRADICTORY_VERDICTS.found(EVENT_LOG_NAME, work_package, what, line=line, clause="RAC-004")


def _rejected(work_package: str, lane: Lane, review: ReviewFile, cleared: bool) -> Finding:
    settled = cleared or _is_complete(review.values, (f"{OVERRIDE}actor", f"{OVERRIDE}reason"))
    what = f"{work_package} is {lane}, and its latest review artifact says rejected"
    if settled:
        what += "; a complete override clears it"
        return CONTRADICTORY_VERDICTS.found(
            review.file, work_package, what, remedy="nothing has to be done", clause="RAC-005", cap=Severity.INFO
        )
    clause = "RAC-001" if lane is Lane.APPROVED else "RAC-002"
    return CONTRADICTORY_VERDICTS.found(review.file, work_package, what, clause=clause)


def _is_complete(values: Any, keys: tuple[str, ...]) -> bool:
    return isinstance(values, dict) and all(str(values.get(key) or "").strip() for key in keys)


def _rejecting_row(reducer: Reducer, work_package: str) -> LaneRow | None:
    found = None
    for row in reducer.transitions(work_package):
        if (row.data.get("review_result") or {}).get("verdict") == EventVerdict.CHANGES_REQUESTED:
            found = row
    return found


def unresolvable_references(mission: AuditedMission) -> Iterator[Finding]:
    """Find references to artifacts, work packages and lanes that are not there.

    Texts, temporary paths and ``feedback://``, which was never committed, are what old writers wrote: not followed.
    """
    for row in mission.rows:
        if isinstance(row, LaneRow):
            for reference in sorted(_references(row)):
                problem = _problem(mission, reference)
                if problem:
                    what = f"line {row.line} refers to {reference}, {problem}"
                    yield UNRESOLVABLE_REFERENCES.found(
                        EVENT_LOG_NAME, f"{row.data['event_id']} {reference}", what, line=row.line
                    )
    yield from _names(mission)


def _references(row: LaneRow) -> set[str]:
    data = row.data
    result, evidence = data.get("review_result") or {}, data.get("evidence") or {}
    review = evidence.get("review") if isinstance(evidence.get("review"), dict) else {}
    texts = (data.get("review_ref"), result.get("reference"), (review or {}).get("reference"))
    return {text.strip() for text in texts if isinstance(text, str) and text.strip().startswith(_SCHEME)}


def _problem(mission: AuditedMission, reference: str) -> str:
    segments = reference.removeprefix(_SCHEME).split("/")
    if len(segments) != 3 or not all(map(is_safe_segment, segments)):
        return "which is not review-cycle://mission/work package/file"
    slug, folder, name = segments
    base = mission.state if slug == mission.slug else mission.place.specs
    path = base / ("tasks" if slug == mission.slug else f"{slug}/tasks") / folder / name
    try:
        found = path.is_file() and bool(require_inside(path, mission.place.specs if base != mission.state else base))
    except UnreadableError as error:
        return f"which {error}"
    return "" if found else "which is not there"


def _names(mission: AuditedMission) -> Iterator[Finding]:
    """Find names of work packages and lanes that nothing has."""
    known = {task.work_package for task in mission.tasks}
    try:
        known |= set(mission.reducer.work_packages)
    except CannotJudge:
        return
    for task in mission.tasks:
        wanted = (task.values or {}).get("dependencies")
        for name in wanted if isinstance(wanted, list) else ():
            if isinstance(name, str) and name not in known:
                yield UNRESOLVABLE_REFERENCES.found(
                    task.file, f"depends on {name}", f"depends on {name}, which is not there", clause="OWN-005"
                )
    lanes = [lane for lane in _list((mission.lanes or {}).get("lanes")) if isinstance(lane, dict)]
    ids = {str(lane.get("lane_id")) for lane in lanes}
    for lane in lanes:
        for key, there in (("wp_ids", known), ("depends_on_lanes", ids)):
            for name in _list(lane.get(key)):
                if isinstance(name, str) and name not in there:
                    what = f"{lane.get('lane_id')} has {name} in {key}, which is not there"
                    yield UNRESOLVABLE_REFERENCES.found(
                        "lanes.json", f"{lane.get('lane_id')} {name}", what, clause="OWN-005"
                    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
