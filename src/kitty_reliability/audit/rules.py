"""The rules by id, and asking them about a mission. PYTEST_DONT_REWRITE"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from . import file_rules, log_rules, review_rules
from .findings import CannotJudge, Finding, Rule
from .mission import AuditedMission
from .places import MissionPlace

__all__ = ["MOST_FINDINGS", "RULES", "Answer", "audit"]

_Find = Callable[[AuditedMission], Iterator[Finding]]
#: What a rule says of one mission: its findings, or why it cannot say anything.
Answer = list[Finding] | CannotJudge

#: Of more findings of one rule in one mission the number is told.
MOST_FINDINGS: Final = 50

_FINDERS: Final[Mapping[Rule, _Find]] = {
    log_rules.LOG_INTEGRITY: log_rules.log_integrity,
    log_rules.LANE_CHAIN: log_rules.lane_chain,
    log_rules.SNAPSHOT_AGREEMENT: log_rules.snapshot_agreement,
    log_rules.STRANDED_CLAIMS: log_rules.stranded_claims,
    review_rules.CONTRADICTORY_VERDICTS: review_rules.contradictory_verdicts,
    review_rules.UNRESOLVABLE_REFERENCES: review_rules.unresolvable_references,
    file_rules.ORPHAN_WORK_PACKAGES: file_rules.orphan_work_packages,
    file_rules.UNSAFE_IDENTIFIERS: file_rules.unsafe_identifiers,
    file_rules.MISSION_FILES: file_rules.mission_files,
}

#: Every rule by its id, in the order in which they are shown.
RULES: Final[Mapping[str, Rule]] = MappingProxyType({rule.id: rule for rule in _FINDERS})


def audit(place: MissionPlace, rules: Collection[str] = tuple(RULES), *, now: int | None = None) -> dict[str, Answer]:
    """Return what each rule says of the mission at ``place``. Every file is read once; nothing is written.

    Arguments:
        rules: ids of ``RULES``.
        now: nanoseconds since 1970, for the age of claims; the clock's when it is not given.
    """
    mission = AuditedMission(place, time.time_ns() if now is None else now)
    return {rule.id: _answer(rule, find, mission) for rule, find in _FINDERS.items() if rule.id in rules}


def _answer(rule: Rule, find: _Find, mission: AuditedMission) -> Answer:
    try:
        if mission.is_link and find is not file_rules.mission_files:
            raise CannotJudge("the directory of the mission is a link; it was not followed")
        return list(_bounded(rule, find(mission)))
    except CannotJudge as reason:
        # The one that was raised holds on to the mission and all that was read of it.
        return CannotJudge(str(reason))


def _bounded(rule: Rule, findings: Iterable[Finding]) -> Iterator[Finding]:
    more = 0
    for number, finding in enumerate(findings):
        if number < MOST_FINDINGS:
            yield finding
        else:
            more += 1
    if more:
        yield rule.found(".", "more", f"{more} more findings of {rule.id}")
