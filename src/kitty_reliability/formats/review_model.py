"""Review-cycle artifacts as values, and the words that they and the events about them use (interop: section 1.6)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from .findings import FormatError

__all__ = [
    "EVENT_VERDICTS",
    "OVERRIDE",
    "AffectedFile",
    "EventVerdict",
    "ReviewArtifact",
    "ReviewFinding",
    "ReviewFormatError",
    "Verdict",
    "artifact_name",
    "cycle_number",
]

_NAME: Final = re.compile(r"review-cycle-([1-9][0-9]{0,199})\.md\Z")
#: What the keys of an override begin with.
OVERRIDE: Final = "review_artifact_override_"


class Verdict(StrEnum):
    """What an artifact can say; not the words of events."""

    APPROVED = "approved"
    REJECTED = "rejected"
    ARBITEROVERRIDE = "arbiter_override"
    APPROVED_AFTER_ORCHESTRATOR_FIX = "approved_after_orchestrator_fix"


class EventVerdict(StrEnum):
    """What ``review_result`` and ``evidence.review`` of a row can say."""

    APPROVED = "approved"
    CHANGES_REQUESTED = "changes_requested"


#: The event's word for each word of an artifact. The two overrides are shown as approvals and never emitted.
EVENT_VERDICTS: Final[Mapping[Verdict, EventVerdict]] = {
    verdict: EventVerdict.CHANGES_REQUESTED if verdict is Verdict.REJECTED else EventVerdict.APPROVED
    for verdict in Verdict
}


class ReviewFinding(StrEnum):
    """Why an artifact, a directory of artifacts or a reference was refused."""

    UNREADABLE = "unreadable"
    NOT_UTF8 = "not-utf8"
    CONFLICT_MARKERS = "conflict-markers"
    NO_FRONTMATTER = "no-frontmatter"
    BAD_YAML = "bad-yaml"
    MISSING_FIELD = "missing-field"
    WRONG_TYPE = "wrong-type"
    UNSAFE_SEGMENT = "unsafe-segment"
    UNKNOWN_VERDICT = "unknown-verdict"
    EMPTY_BODY = "empty-body"
    UNNUMBERED_SIBLING = "unnumbered-sibling"
    BAD_REFERENCE = "bad-reference"


class ReviewFormatError(FormatError[ReviewFinding]):
    """A review artifact or a reference to one is not what it should be."""


@dataclass(frozen=True, slots=True)
class AffectedFile:
    """A file that a review speaks about; ``line_range`` as ``10-20``."""

    path: str
    line_range: str | None = None


@dataclass(frozen=True, slots=True)
class ReviewArtifact:
    """One review as its file says it. ``verdict`` None: the file gives none, as in 3.2.7; ``extra``: other keys."""

    cycle_number: int
    mission_slug: str
    wp_id: str
    reviewer_agent: str
    reviewed_at: str
    body: str
    verdict: Verdict | None = None
    affected_files: tuple[AffectedFile, ...] = ()
    reproduction_command: str | None = None
    override_actor: str | None = None
    override_reason: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_complete_override(self) -> bool:
        """Whether actor and reason of an override are both there and not blank (RAC-005)."""
        return bool((self.override_actor or "").strip() and (self.override_reason or "").strip())

    def frontmatter(self) -> dict[str, Any]:
        """Return the keys of the file with their values."""
        values: dict[str, Any] = {
            "affected_files": [
                {"path": item.path} | ({} if item.line_range is None else {"line_range": item.line_range})
                for item in self.affected_files
            ],
            "cycle_number": self.cycle_number,
            "mission_slug": self.mission_slug,
            "reproduction_command": self.reproduction_command,
            "reviewed_at": self.reviewed_at,
            "reviewer_agent": self.reviewer_agent,
            "wp_id": self.wp_id,
        }
        optional = {
            "verdict": None if self.verdict is None else str(self.verdict),
            f"{OVERRIDE}actor": self.override_actor,
            f"{OVERRIDE}reason": self.override_reason,
        }
        values |= {key: value for key, value in optional.items() if value is not None}
        return {**values, **self.extra}


def artifact_name(number: int) -> str:
    """Return ``review-cycle-<number>.md``; ValueError for a number below 1."""
    if number < 1:
        raise ValueError(f"review cycles are numbered from 1, not {number}")
    return f"review-cycle-{number}.md"


def cycle_number(name: str) -> int | None:
    """Return the number in an artifact's name, None for any other name (``-0``, ``-01``, ``-final``)."""
    match = _NAME.match(name)
    return int(match[1]) if match else None
