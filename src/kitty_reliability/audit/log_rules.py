"""Rules about the event log and what is derived from it. PYTEST_DONT_REWRITE"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final

from kitty_reliability.formats.events import EVENT_LOG_NAME, LaneRow
from kitty_reliability.formats.instants import instant
from kitty_reliability.formats.lanes import EDGES, Lane
from kitty_reliability.formats.snapshot import SNAPSHOT_NAME

from .findings import CannotJudge, Finding, Rule, Severity
from .mission import AuditedMission

__all__ = [
    "LANE_CHAIN",
    "LOG_INTEGRITY",
    "SNAPSHOT_AGREEMENT",
    "STRANDED_AFTER_DAYS",
    "STRANDED_CLAIMS",
    "lane_chain",
    "log_integrity",
    "snapshot_agreement",
    "stranded_claims",
]

#: A claim that is older and led to nothing is stranded; released 3.2.x counts the same days.
STRANDED_AFTER_DAYS: Final = 7
_DAY: Final = 86_400 * 10**9
#: What a snapshot says of a work package that decides something; the rest are notes of its runtime.
_DECIDING: Final = ("lane", "last_event_id", "last_transition_at", "force_count", "review_result", "review")

LOG_INTEGRITY: Final = Rule(
    "log-integrity",
    Severity.ERROR,
    "Every line of the event log is a row of this mission that readers agree about.",
    "restore the line from git",
    ("LOG-007", "STA-002", "LOG-002", "LOG-003", "LOG-008", "LOG-009", "LOG-010", "STA-009"),
)
LANE_CHAIN: Final = Rule(
    "lane-chain",
    Severity.WARNING,
    "Each transition starts in the lane that is in force and follows an edge of the lane table.",
    "look at what the writer knew; move the work package to its true lane with force and a reason",
    ("STA-007",),
)
SNAPSHOT_AGREEMENT: Final = Rule(
    "snapshot-agreement",
    Severity.ERROR,
    "The snapshot in status.json is what the log reduces to.",
    "derive it again: spec-kitty agent status materialize --mission {slug}",
    ("LOG-011", "LOG-012"),
)
STRANDED_CLAIMS: Final = Rule(
    "stranded-claims",
    Severity.WARNING,
    f"No work package has been claimed for more than {STRANDED_AFTER_DAYS} days without being started.",
    "go on as the holder: spec-kitty agent action implement {wp} --mission {slug} --agent {holder}",
    ("STA-004", "STA-011"),
)

#: A migration does not go on with anything.
_GIVE_BACK: Final = (
    "give it back: spec-kitty agent tasks move-task {wp} --mission {slug} --to planned --force --note 'never started'"
)


def log_integrity(mission: AuditedMission) -> Iterator[Finding]:
    """Find lines that are no rows, event ids with two contents, rows of other missions."""
    for refused in mission.refused:
        line = refused.fields["line"]
        if line in mission.unsafe_packages:
            continue  # another rule's business
        # What released readers coerce works today for those who use them, and for nobody else.
        lenient = mission.is_read_by_released(line)
        said = f"{refused.message}{' (only released 3.2.x reads it)' if lenient else ''}"
        cap = Severity.WARNING if lenient else Severity.ERROR
        yield _of_log(refused.code, said, line, remedy=refused.remediation, clause=refused.entry.invariant, cap=cap)
    if mission.seen_lines is not None:
        what = f"has {len(mission.refused)} lines that are refused; nothing behind line {mission.seen_lines} was read"
        yield _of_log("REFUSED", what, None, remedy="restore it from git")
    yield from _repeated_ids(mission)
    yield from _foreign(mission)
    yield from _differently_read(mission)
    yield from _ahead(mission)


def _of_log(subject: str, what: str, line: int | None, **more: Any) -> Finding:
    return LOG_INTEGRITY.found(EVENT_LOG_NAME, subject, what, line=line, **more)


def _repeated_ids(mission: AuditedMission) -> Iterator[Finding]:
    seen: dict[str, Any] = {}
    for row in mission.rows:
        event_id = row.event_id
        if event_id is None:
            continue
        earlier = seen.setdefault(event_id, row)
        if earlier is row:
            continue
        if earlier.data != row.data:
            what = f"lines {earlier.line} and {row.line} have one event id, {event_id}, and differ"
            remedy = "keep the row that is true; two rows never share an id"
            yield _of_log(f"EVENT_ID_CONFLICT {event_id}", what, row.line, remedy=remedy, clause="LOG-003")
        else:
            # A union merge does this; released readers count an annotation again.
            what = f"line {row.line} repeats line {earlier.line}; it counts once"
            remedy = "remove one of the two"
            yield _of_log(f"REPEATED {event_id}", what, row.line, remedy=remedy, clause="LOG-002", cap=Severity.INFO)


def _foreign(mission: AuditedMission) -> Iterator[Finding]:
    try:
        reports = mission.reducer.reports
    except CannotJudge:
        return  # said by the lines
    for report in reports:
        subject = f"{report.code} {report.fields['event_id']}"
        yield _of_log(
            subject, report.message, report.fields["line"], remedy=report.remediation, clause=report.entry.invariant
        )


def _differently_read(mission: AuditedMission) -> Iterator[Finding]:
    data = mission.log or b""
    if data and not data.endswith(b"\n") and not mission.refused:
        line = data.count(b"\n") + 1
        remedy = "add the newline; the next append of some writers would be glued to the row"
        what = f"line {line} ends without a newline"
        yield _of_log("NO_NEWLINE", what, line, remedy=remedy, clause="STA-009", cap=Severity.INFO)
    for mark in (b"\xe2\x80\xa8", b"\xe2\x80\xa9", b"\xc2\x85"):
        at = data.find(mark)
        if at >= 0 and not mission.refused:
            name = mark.decode().encode("unicode_escape").decode().lstrip("\\").upper()
            line = data.count(b"\n", 0, at) + 1
            what = f"line {line} has a raw {name} inside a text: one row, and two for released 3.2.x, which then reads nothing"
            remedy = "escape it as JSON does"
            yield _of_log(f"SEPARATOR {name}", what, line, remedy=remedy, clause="LOG-008", cap=Severity.WARNING)


def _ahead(mission: AuditedMission) -> Iterator[Finding]:
    for row in mission.rows:
        if not isinstance(row, LaneRow):
            continue
        try:
            ahead = instant(row.data["at"]) - mission.now
        except (ValueError, OverflowError):
            continue  # a row that only released readers take; its line is told
        # A day, for the clocks of machines that disagree.
        if ahead > _DAY:
            what = f"line {row.line} is dated {row.data['at']}, and outranks whatever happens until then"
            remedy = "date it as it happened; until then no move of its work package comes into force"
            subject = f"AHEAD {row.data['event_id']}"
            yield _of_log(subject, what, row.line, remedy=remedy, clause="STA-002", cap=Severity.WARNING)


def lane_chain(mission: AuditedMission) -> Iterator[Finding]:
    """Find transitions that no rule of the lane table explains. Forced and migrated rows explain themselves."""
    for work_package, rows in mission.transitions():
        # A migrated row stands beside the original one: either may be what the next writer went by.
        in_force: set[str] = {Lane.GENESIS, Lane.PLANNED}
        for row in rows:
            source, target = row.from_lane, row.to_lane
            if _is_migrated(row):
                in_force |= {source, target}
                continue
            if not row.data["force"]:
                if source not in in_force:
                    what = f"{work_package} goes {source} -> {target} while it is {' or '.join(sorted(in_force))}"
                    yield _broken(row, what)
                elif (source, target) not in EDGES:
                    yield _broken(row, f"{work_package} goes {source} -> {target}, which is no edge, without force")
            in_force = {target}


def _is_migrated(row: LaneRow) -> bool:
    actor = row.data["actor"]
    return isinstance(actor, str) and actor.startswith("migration")


def _broken(row: LaneRow, what: str) -> Finding:
    return LANE_CHAIN.found(EVENT_LOG_NAME, str(row.data["event_id"]), what, line=row.line)


def snapshot_agreement(mission: AuditedMission) -> Iterator[Finding]:
    """Find what ``status.json`` says and the log does not. No snapshot is no finding: it can be derived."""
    found = mission.snapshot
    if found is None:
        return
    if mission.meta_values is None:
        raise CannotJudge("type and number of the mission are unknown: meta.json cannot be read")
    remedy = SNAPSHOT_AGREEMENT.remedy.format(slug=shlex.quote(mission.slug))
    derived = mission.reducer.snapshot(mission.meta)
    if mission.log is None:
        what = "there is a snapshot and no log that it could come from"
        advice = "restore status.events.jsonl from git"
        yield SNAPSHOT_AGREEMENT.found(SNAPSHOT_NAME, "no log", what, remedy=advice, clause="LOG-012")
        return
    if found == derived:
        return
    other = mission.reduced_by_released()
    if other is not None and found == other.snapshot(mission.meta):
        return  # what released 3.2.x makes of this log
    keys = [key for key in _different(found, dict(derived)) if key != "work_packages"]
    if keys:
        yield SNAPSHOT_AGREEMENT.found(SNAPSHOT_NAME, "mission", f"differs in {', '.join(keys)}", remedy=remedy)
    yield from _packages(found.get("work_packages"), derived["work_packages"], remedy)


def _packages(found: Any, derived: Mapping[str, Any], remedy: str) -> Iterator[Finding]:
    if not isinstance(found, dict):
        yield SNAPSHOT_AGREEMENT.found(SNAPSHOT_NAME, "work_packages", "work_packages is no object", remedy=remedy)
        return
    for name in _different(found, derived):
        one, other = found.get(name), derived.get(name)
        if not isinstance(one, dict) or other is None:
            what = (
                f"{name} {'is missing' if name not in found else 'is in no row' if other is None else 'is no object'}"
            )
            yield SNAPSHOT_AGREEMENT.found(SNAPSHOT_NAME, name, what, remedy=remedy)
            continue
        slots = _different(one, other)
        cap = Severity.ERROR if set(slots) & set(_DECIDING) else Severity.WARNING
        shown = ", ".join(slots)
        if "lane" in slots:
            shown += f": the snapshot says {one.get('lane')}, the log {other['lane']}"
        yield SNAPSHOT_AGREEMENT.found(SNAPSHOT_NAME, name, f"{name} differs in {shown}", remedy=remedy, cap=cap)


def _different(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    missing = object()
    return sorted(key for key in {*one, *other} if one.get(key, missing) != other.get(key, missing))


def stranded_claims(mission: AuditedMission) -> Iterator[Finding]:
    """Find work packages that were claimed long ago and never started."""
    for work_package in mission.reducer.work_packages:
        row = mission.reducer.row_in_force(work_package)
        if row is None or row.to_lane != Lane.CLAIMED:
            continue
        try:
            days = (mission.now - instant(row.data["at"])) // _DAY
        except (ValueError, OverflowError):
            continue  # a row that only released readers take; its line is told
        if days >= STRANDED_AFTER_DAYS:
            holder = _holder(row.data["actor"])
            names = {"wp": work_package, "slug": shlex.quote(mission.slug), "holder": shlex.quote(holder)}
            remedy = (_GIVE_BACK if _is_migrated(row) else STRANDED_CLAIMS.remedy).format(**names)
            what = f"{work_package} is claimed by {holder} since {row.data['at']} and was not started"
            yield STRANDED_CLAIMS.found(EVENT_LOG_NAME, work_package, what, line=row.line, remedy=remedy)


def _holder(actor: Any) -> str:
    if isinstance(actor, dict):
        return str(actor.get("tool") or actor.get("role") or "somebody")
    return str(actor)
