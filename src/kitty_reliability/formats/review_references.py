"""How rows refer to review artifacts (interop: section 1.7)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from .identifiers import is_safe_segment
from .mission import MISSIONS_DIRECTORY
from .review_model import ReviewFinding, ReviewFormatError, artifact_name, cycle_number

__all__ = ["SENTINELS", "ReferenceKind", "ReviewReference", "parse_reference"]

#: Rows whose reference is one of these have no artifact.
SENTINELS: Final = frozenset({"action-review-claim", "force-override"})


class ReferenceKind(StrEnum):
    """The four things that ``review_ref`` and ``review_result.reference`` can be."""

    ARTIFACT = "review-cycle"
    FEEDBACK = "feedback"
    SENTINEL = "sentinel"
    PATH = "path"


@dataclass(frozen=True, slots=True)
class ReviewReference:
    """A reference. ``segments`` are mission, work package file's stem and name; empty for sentinels and paths, and
    for a legacy ``feedback://`` that is malformed, which resolves to nothing and is no error.
    """

    kind: ReferenceKind
    text: str
    segments: tuple[str, ...] = ()

    @classmethod
    def to(cls, mission_slug: str, stem: str, number: int) -> ReviewReference:
        """Return the reference to artifact ``number`` of a work package; ReviewFormatError for unsafe names."""
        return parse_reference(f"review-cycle://{mission_slug}/{stem}/{artifact_name(number)}")

    def __str__(self) -> str:
        return self.text

    @property
    def number(self) -> int | None:
        """The cycle number, None when the reference names no artifact."""
        return cycle_number(self.segments[2]) if self.kind is ReferenceKind.ARTIFACT else None

    def path(self, root: Path, git_directory: Path | None = None) -> Path | None:
        """Return where the file would be, None for sentinels; ``git_directory``: where legacy feedback lies."""
        if self.kind is ReferenceKind.PATH:
            return root / self.text
        if not self.segments:
            return None
        slug, stem, name = self.segments
        if self.kind is ReferenceKind.ARTIFACT:
            return root / MISSIONS_DIRECTORY / slug / "tasks" / stem / name
        return (git_directory or root / ".git") / "spec-kitty" / "feedback" / slug / stem / name


def parse_reference(text: str) -> ReviewReference:
    """Return what a reference is.

    Raises:
        ReviewFormatError: BAD_REFERENCE for a ``review-cycle://`` without exactly three safe segments, the last of
            them an artifact's name; also for a blank text.
    """
    value = text.strip()
    if not value:
        raise ReviewFormatError(ReviewFinding.BAD_REFERENCE, "the reference is blank")
    if value in SENTINELS:
        return ReviewReference(ReferenceKind.SENTINEL, value)
    scheme, separator, rest = value.partition("://")
    if not separator or scheme not in ("review-cycle", "feedback"):
        return ReviewReference(ReferenceKind.PATH, value)
    segments = tuple(rest.split("/"))
    sound = len(segments) == 3 and all(is_safe_segment(segment) for segment in segments)
    if scheme == "feedback":
        return ReviewReference(ReferenceKind.FEEDBACK, value, segments if sound else ())
    if not sound or cycle_number(segments[2]) is None:
        raise ReviewFormatError(ReviewFinding.BAD_REFERENCE, f"{value!r:.200} is not review-cycle://mission/stem/name")
    return ReviewReference(ReferenceKind.ARTIFACT, value, segments)
