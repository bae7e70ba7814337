"""Review-cycle artifacts ``tasks/<work package file's stem>/review-cycle-N.md`` (interop: section 1.6; RAC-003, RAC-006).

A file is read into a typed value or refused with one word of ``ReviewFinding``: never a guess, never a traceback.
What the value says is not decided here; which of artifact and event counts is the profile's business (RAC-004).
Values are in ``review_model``, bytes in ``review_yaml``, references in ``review_references``; all are names here too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .frontmatter import FrontmatterError, parse_yaml, split
from .identifiers import is_safe_segment
from .profiles import CONTRACT_320, Profile
from .review_model import (
    EVENT_VERDICTS,
    OVERRIDE,
    AffectedFile,
    EventVerdict,
    ReviewArtifact,
    ReviewFinding,
    ReviewFormatError,
    Verdict,
    artifact_name,
    cycle_number,
)
from .review_references import SENTINELS, ReferenceKind, ReviewReference, parse_reference
from .review_yaml import encode_artifact, encode_frontmatter

__all__ = [
    "EVENT_VERDICTS",
    "SENTINELS",
    "AffectedFile",
    "EventVerdict",
    "ReferenceKind",
    "ReviewArtifact",
    "ReviewFinding",
    "ReviewFormatError",
    "ReviewReference",
    "Verdict",
    "artifact_name",
    "cycle_number",
    "cycles",
    "encode_artifact",
    "encode_frontmatter",
    "latest_cycle",
    "next_cycle_number",
    "parse_artifact",
    "parse_reference",
    "read_artifact",
]

# --- names


def cycles(directory: Path) -> dict[int, Path]:
    """Return the artifacts in ``directory`` by number, ascending: 10 comes after 9. Empty when it is missing."""
    found: dict[int, Path] = {}
    for path in directory.iterdir() if directory.is_dir() else ():
        number = cycle_number(path.name)
        # A link to nowhere is an artifact that cannot be read, not one that is not there (RAC-006).
        if number is not None and not path.is_dir():
            found[number] = path
    return dict(sorted(found.items()))


def latest_cycle(directory: Path) -> Path | None:
    """Return the artifact with the highest number, whatever its age (RAC-003); None when there is none."""
    return next(reversed(cycles(directory).values()), None)


def next_cycle_number(directory: Path) -> int:
    """Return the highest number plus one: gaps are not filled, retries do not inflate it.

    Raises:
        ReviewFormatError: UNNUMBERED_SIBLING for a ``review-cycle-*.md`` whose number cannot be told.
    """
    taken = [0]
    for path in sorted(directory.glob("review-cycle-*.md")):
        number = cycle_number(path.name)
        if number is None:
            raise ReviewFormatError(ReviewFinding.UNNUMBERED_SIBLING, f"{path.name} has no cycle number")
        taken.append(number)
    return max(taken) + 1


# --- reading


def read_artifact(path: Path, profile: Profile = CONTRACT_320) -> ReviewArtifact:
    """Return the artifact in ``path``.

    Raises:
        ReviewFormatError: UNREADABLE, and everything that ``parse_artifact`` raises.
    """
    # A pipe in its place would be waited for, a device read for ever.
    if path.exists() and not path.is_file():
        raise ReviewFormatError(ReviewFinding.UNREADABLE, f"{path.name} is no regular file")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ReviewFormatError(ReviewFinding.UNREADABLE, f"{path.name}: {error.strerror}") from None
    return parse_artifact(data, profile)


def parse_artifact(data: bytes, profile: Profile = CONTRACT_320) -> ReviewArtifact:
    """Return the artifact that ``data`` holds.

    ``contract-320`` refuses what it cannot be sure of. ``spec-kitty-3.2`` reads as 3.2.7 does: verdict words, the body
    and conflict markers in it do not matter, ``"2"`` is a cycle number, an override of another type is none.

    Raises:
        ReviewFormatError: the first finding.
    """
    try:
        text = data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ReviewFormatError(ReviewFinding.NOT_UTF8, f"byte {error.start}: {error.reason}") from None
    strict = profile.strict_rows
    parts = split(text)
    if _conflicted(text if parts is None else parts[0], text if strict else ""):
        raise ReviewFormatError(ReviewFinding.CONFLICT_MARKERS, "a merge was not resolved")
    if parts is None:
        raise ReviewFormatError(ReviewFinding.NO_FRONTMATTER, "no YAML between two lines of three dashes")
    try:
        values = parse_yaml(parts[0])
    except FrontmatterError as error:
        raise ReviewFormatError(ReviewFinding.BAD_YAML, str(error)) from None
    return _Reader(values, parts, strict=strict).artifact()


_OURS, _MIDDLE, _THEIRS = (re.compile(rf"^{mark}", re.M) for mark in ("<{7}(?: |$)", "={7}$", ">{7}(?: |$)"))


def _conflicted(head: str, text: str) -> bool:
    # Any marker in the frontmatter; in a body, which may quote one, only the whole sequence.
    if any(mark.search(head) for mark in (_OURS, _THEIRS)):
        return True
    ours = _OURS.search(text)
    middle = _MIDDLE.search(text, ours.end()) if ours else None
    return middle is not None and _THEIRS.search(text, middle.end()) is not None


# An unquoted timestamp is no text to released readers.
_TIMESTAMP: Final = re.compile(r"(?m)^reviewed_at:[ \t]+\d{4}-\d\d?-\d\d?(?:[Tt \t][^\n]*)?$")


@dataclass(frozen=True, slots=True)
class _Reader:
    values: dict[str, Any]
    parts: tuple[str, str]
    strict: bool

    def artifact(self) -> ReviewArtifact:
        values = dict(self.values)
        number = self.number(values.pop("cycle_number", None))
        wp_id, slug, reviewer, reviewed_at = (
            self.text(values.pop(key, None), key) for key in ("wp_id", "mission_slug", "reviewer_agent", "reviewed_at")
        )
        if _TIMESTAMP.search(self.parts[0]):
            raise _wrong("reviewed_at", "is not quoted, which makes it a timestamp")
        command = values.pop("reproduction_command", None)
        if command is not None and not isinstance(command, str):
            raise _wrong("reproduction_command", "is not a text")
        files = self.files(values.pop("affected_files", []))
        actor, reason = (self.override(values.pop(f"{OVERRIDE}{key}", None), key) for key in ("actor", "reason"))
        verdict = self.verdict(values)
        body = self.parts[1].lstrip("\n")
        if self.strict:
            for key, segment in (("wp_id", wp_id), ("mission_slug", slug)):
                if not is_safe_segment(segment):
                    raise ReviewFormatError(ReviewFinding.UNSAFE_SEGMENT, f"{key} is {segment!r:.80}", field=key)
            if not body.strip():
                raise ReviewFormatError(ReviewFinding.EMPTY_BODY, "nothing is said below the frontmatter")
        return ReviewArtifact(
            number, slug, wp_id, reviewer, reviewed_at, body, verdict, files, command, actor, reason, values
        )

    def number(self, value: Any) -> int:
        if value is None:
            raise ReviewFormatError(ReviewFinding.MISSING_FIELD, "no cycle_number", field="cycle_number")
        if not self.strict and isinstance(value, str | float):
            try:
                value = int(value)
            except (ValueError, OverflowError):
                value = None
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise _wrong("cycle_number", "is not a whole number from 1")
        return value

    def text(self, value: Any, key: str) -> str:
        if value is None:
            raise ReviewFormatError(ReviewFinding.MISSING_FIELD, f"no {key}", field=key)
        if not isinstance(value, str):
            raise _wrong(key, "is not a text")
        if not (value.strip() if self.strict else value):
            raise ReviewFormatError(ReviewFinding.MISSING_FIELD, f"{key} is blank", field=key)
        return value

    def files(self, value: Any) -> tuple[AffectedFile, ...]:
        if not isinstance(value, list):
            raise _wrong("affected_files", "is not a list")
        return tuple(self.file(item) for item in value)

    def file(self, item: Any) -> AffectedFile:
        if not isinstance(item, dict):
            raise _wrong("affected_files", "has an entry that is not a mapping with a path")
        path, lines = item.get("path"), item.get("line_range")
        if not isinstance(path, str) or not path:
            raise _wrong("affected_files", "has an entry without a path")
        if lines is not None and not isinstance(lines, str):
            raise _wrong("affected_files", "has a line_range that is not a text")
        return AffectedFile(path, lines)

    def override(self, value: Any, key: str) -> str | None:
        if value is None or isinstance(value, str):
            return value
        if self.strict:
            raise _wrong(f"{OVERRIDE}{key}", "is not a text")
        return None

    def verdict(self, values: dict[str, Any]) -> Verdict | None:
        """Take the verdict out of ``values``; a word that means nothing stays there for the lenient profile."""
        word = values.get("verdict")
        if isinstance(word, str) and word in set(Verdict):
            return Verdict(values.pop("verdict"))
        if self.strict and "verdict" in values:
            if not isinstance(word, str):
                raise _wrong("verdict", "is not a text")
            raise ReviewFormatError(ReviewFinding.UNKNOWN_VERDICT, f"verdict is {word!r:.80}", field="verdict")
        return None


def _wrong(key: str, problem: str) -> ReviewFormatError:
    return ReviewFormatError(ReviewFinding.WRONG_TYPE, f"{key} {problem}", field=key)
