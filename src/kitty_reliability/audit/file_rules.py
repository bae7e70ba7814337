"""Rules about the files of a mission and the names in them. PYTEST_DONT_REWRITE"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from kitty_reliability.formats.events import EVENT_LOG_NAME
from kitty_reliability.formats.identifiers import is_safe_segment, is_ulid
from kitty_reliability.formats.mission import META_NAME
from kitty_reliability.formats.reviews import ReviewFinding, ReviewFormatError, parse_artifact
from kitty_reliability.formats.visible import visible_line
from kitty_reliability.formats.work_package import KNOWN_KEYS

from .findings import Finding, Rule, Severity
from .mission import AuditedMission
from .review_rules import latest_reviews

__all__ = [
    "MISSION_FILES",
    "ORPHAN_WORK_PACKAGES",
    "UNSAFE_IDENTIFIERS",
    "mission_files",
    "orphan_work_packages",
    "unsafe_identifiers",
]

MISSION_FILES: Final = Rule(
    "mission-files",
    Severity.ERROR,
    "Every file of the mission can be read as what it is, and is inside the mission.",
    "restore it from git",
    ("SEC-003", "SEC-005", "LOG-010", "OWN-005", "OWN-010", "RAC-006"),
)
ORPHAN_WORK_PACKAGES: Final = Rule(
    "orphan-work-packages",
    Severity.WARNING,
    "Every work package has a task file and rows in the log.",
    "run spec-kitty agent mission finalize-tasks --mission {slug}",
    ("OWN-005", "LOG-012"),
)
UNSAFE_IDENTIFIERS: Final = Rule(
    "unsafe-identifiers",
    Severity.ERROR,
    "No name of a mission, work package, lane or branch can lead elsewhere or deceive a reader.",
    "rename it: letters, digits, dot, hyphen and underscore, and no two dots in a row",
    ("SEC-001", "SEC-002", "SEC-004", "SEC-006"),
)


def mission_files(mission: AuditedMission) -> Iterator[Finding]:
    """Find files that cannot be read, are not what their name says, or lead out of the mission."""
    if mission.is_link:
        what = "the directory of the mission is a link; it was not followed"
        yield MISSION_FILES.found(".", "link", what, remedy="put the directory itself there")
        return
    # Looking is what notes the problems.
    looked = (mission.meta_values, mission.log, mission.snapshot, mission.lanes, mission.tasks, mission.reviews)
    for problem in mission.problems:
        file, what, remedy, clause, line = problem
        yield MISSION_FILES.found(file, what.partition(":")[0], what, line=line, remedy=remedy, clause=clause)
    if looked[0] is None and not any(problem.file == META_NAME for problem in mission.problems):
        yield MISSION_FILES.found(
            META_NAME, "missing", "is missing, and readers take the directory for no mission", cap=Severity.WARNING
        )
    for key in ("mission_id", "mission_slug"):
        value = mission.meta.data.get(key)
        if not isinstance(value, str | None):
            what = f"{key} is {value!r:.120}, which is no text; rows name the mission by its text"
            yield MISSION_FILES.found(META_NAME, key, what, clause="LOG-010")
    yield from _manifest(mission)
    yield from _tasks(mission)
    yield from _artifacts(mission)


def _manifest(mission: AuditedMission) -> Iterator[Finding]:
    # Old manifests lack keys that say nothing about who works where.
    lanes = mission.lanes
    if lanes is None:
        return
    listed = lanes.get("lanes")
    sound = isinstance(listed, list) and all(
        isinstance(lane, dict) and isinstance(lane.get("lane_id"), str) and isinstance(lane.get("wp_ids"), list)
        for lane in listed
    )
    if not sound:
        yield MISSION_FILES.found("lanes.json", "lanes", "is no lane manifest: lanes is no list of lane_id and wp_ids")
        return
    yield from _other_mission(mission, lanes)
    lanes_of = defaultdict(list)
    for lane in lanes["lanes"]:
        for work_package in {one for one in lane["wp_ids"] if isinstance(one, str)}:
            lanes_of[work_package].append(lane["lane_id"])
    for work_package, several in sorted(lanes_of.items()):
        if len(several) > 1:
            what = f"{work_package} is in {len(several)} lanes: {', '.join(several)}"
            remedy = "leave it in the lane that it is worked on in"
            yield MISSION_FILES.found("lanes.json", work_package, what, remedy=remedy, clause="OWN-010")


def _other_mission(mission: AuditedMission, lanes: dict[str, Any]) -> Iterator[Finding]:
    slugs = (None, mission.slug, mission.meta.data.get("mission_slug"))
    ids = (lanes.get("mission_id"), mission.meta.data.get("mission_id"))
    # Old manifests have a slug for the id.
    both_are_ids = all(isinstance(one, str) and is_ulid(one) for one in ids)
    for key, foreign in (
        ("mission_slug", lanes.get("mission_slug") not in slugs),
        ("mission_id", both_are_ids and ids[0] != ids[1]),
    ):
        if foreign:
            what = f"{key} is {lanes[key]!r:.120}, that of another mission; branches and worktrees would be its own"
            remedy = "compute the lanes of this mission anew"
            yield MISSION_FILES.found("lanes.json", key, what, remedy=remedy, clause="OWN-010", cap=Severity.WARNING)


def _tasks(mission: AuditedMission) -> Iterator[Finding]:
    files = defaultdict(list)
    for task in mission.tasks:
        files[task.work_package].append(task.file)
        if task.values is None:
            continue
        declared = task.values.get("work_package_id")
        if declared != task.work_package:
            what = f"its work_package_id is {declared!r}, its name says {task.work_package}"
            remedy = "make the two say the same"
            yield MISSION_FILES.found(task.file, "work_package_id", what, remedy=remedy, clause="OWN-010")
        unknown = ", ".join(sorted(str(key) for key in task.values if key not in KNOWN_KEYS))
        if unknown:
            what = f"its frontmatter has keys that released readers refuse: {unknown}"
            yield MISSION_FILES.found(
                task.file, "unknown keys", what, remedy="remove them", clause="OWN-005", cap=Severity.WARNING
            )
    for work_package, names in files.items():
        if len(names) > 1:
            what = f"{work_package} has {len(names)} files: {', '.join(names)}"
            yield MISSION_FILES.found(
                names[1], work_package, what, remedy="keep the file that is true", clause="OWN-010"
            )


#: What makes an artifact unreadable, rather than one of another time.
_BROKEN: Final = (ReviewFinding.CONFLICT_MARKERS,)
#: Noted when it was read, another rule's business, or no doubt about what it says.
_SAID_ELSEWHERE: Final = (
    ReviewFinding.NOT_UTF8,
    ReviewFinding.BAD_YAML,
    ReviewFinding.UNSAFE_SEGMENT,
    ReviewFinding.EMPTY_BODY,
)


def _artifacts(mission: AuditedMission) -> Iterator[Finding]:
    latest = {review.file for task in mission.tasks for review in latest_reviews(mission, task.work_package)}
    for review in mission.reviews:
        try:
            if review.values is not None:
                parse_artifact(review.data)
        except ReviewFormatError as error:
            if error.finding in _SAID_ELSEWHERE:
                continue
            broken = error.finding in _BROKEN
            if broken or review.file in latest:
                # An artifact from before the format is no defect; that it decides nothing is worth knowing.
                yield MISSION_FILES.found(
                    review.file,
                    str(error.finding),
                    f"is no review artifact that decides: {error}",
                    remedy="resolve the merge" if broken else "nothing has to be done; a new review says it anew",
                    clause="RAC-006",
                    cap=Severity.ERROR if broken else Severity.INFO,
                )


def orphan_work_packages(mission: AuditedMission) -> Iterator[Finding]:
    """Find work packages that only the log, or only a task file, knows."""
    files = {task.work_package: task.file for task in mission.tasks}
    moved = {name for name, rows in mission.transitions() if rows}
    remedy = ORPHAN_WORK_PACKAGES.remedy.format(slug=shlex.quote(mission.slug))
    if files and not moved:
        # A coordination branch that is not checked out here has the log.
        if mission.log is None and mission.is_coordinated:
            return
        state = "no event log" if mission.log is None else "an event log without a transition"
        what = f"{len(files)} work packages have task files and {state}"
        yield ORPHAN_WORK_PACKAGES.found(EVENT_LOG_NAME, "no transitions", what, remedy=remedy, clause="LOG-012")
        return
    for name in sorted(files.keys() - moved):
        what = f"{name} has a task file and no row in the log"
        yield ORPHAN_WORK_PACKAGES.found(files[name], name, what, remedy=remedy, clause="LOG-012")
    for name in sorted(moved - files.keys()):
        what = f"{name} has rows in the log and no task file"
        yield ORPHAN_WORK_PACKAGES.found(EVENT_LOG_NAME, name, what, remedy="restore its task file from git")


def unsafe_identifiers(mission: AuditedMission) -> Iterator[Finding]:
    """Find names that are no single path segment, look like options, or hide characters."""
    yield from _segment(".", "the directory", mission.slug, "SEC-001")
    for key in ("slug", "mission_slug", "mission_id"):
        yield from _segment(META_NAME, key, mission.meta.data.get(key), "SEC-001")
    for key in ("target_branch", "coordination_branch"):
        yield from _branch(META_NAME, key, mission.meta.data.get(key))
    for line, name in mission.unsafe_packages.items():
        yield from _segment(EVENT_LOG_NAME, "wp_id", name, "SEC-002", line)
    lanes = mission.lanes or {}
    for key in ("mission_branch", "target_branch"):
        yield from _branch("lanes.json", key, lanes.get(key))
    listed = lanes.get("lanes")
    for lane in listed if isinstance(listed, list) else ():
        if isinstance(lane, dict):
            yield from _segment("lanes.json", "lane_id", lane.get("lane_id"), "SEC-002")
            names = lane.get("wp_ids")
            for name in names if isinstance(names, list) else ():
                yield from _segment("lanes.json", "wp_ids", name, "SEC-002")
    for name, _ in mission.task_names:
        if visible_line(name) != name:
            yield _hidden("tasks", name)
    for task in mission.tasks:
        yield from _segment(task.file, "work_package_id", (task.values or {}).get("work_package_id"), "SEC-002")
    for review in mission.reviews:
        for key in ("wp_id", "mission_slug"):
            yield from _segment(review.file, key, (review.values or {}).get(key), "SEC-002")


def _segment(file: str, key: str, value: Any, clause: str, line: int | None = None) -> Iterator[Finding]:
    if isinstance(value, str) and value and not is_safe_segment(value):
        what = f"{key} is {value!r:.120}, which is not one safe path segment"
        yield UNSAFE_IDENTIFIERS.found(file, f"{key} {value}", what, line=line, clause=clause)


def _branch(file: str, key: str, value: Any) -> Iterator[Finding]:
    if isinstance(value, str) and (value.startswith("-") or visible_line(value) != value or ".." in value):
        what = f"{key} is {value!r:.120}, which git would not take for a branch"
        yield UNSAFE_IDENTIFIERS.found(file, f"{key} {value}", what, clause="SEC-006", remedy="rename the branch")


def _hidden(directory: str, name: str) -> Finding:
    what = f"{name!r:.120} has characters that are not seen"
    return UNSAFE_IDENTIFIERS.found(f"{directory}/{name}", "hidden characters", what, clause="SEC-004")
