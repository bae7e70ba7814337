"""Review-cycle artifacts ``tasks/<work package file's stem>/review-cycle-N.md`` (interop: section 1.6; RAC-003, RAC-006).

A file is read into a typed value or refused with one word of ``ReviewFinding``: never a guess, never a traceback.
What the value says is not decided here; which of artifact and event counts is the profile's business (RAC-004).
How rows refer to artifacts is in ``ReviewReference`` (interop: section 1.7).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import yaml

from .frontmatter import FrontmatterError, parse_yaml, split
from .identifiers import is_safe_segment
from .mission import MISSIONS_DIRECTORY
from .profiles import CONTRACT_320, Profile

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

_NAME: Final = re.compile(r"review-cycle-([1-9][0-9]{0,8})\.md\Z")
_OVERRIDE: Final = "review_artifact_override_"
#: Rows whose reference is one of these have no artifact.
SENTINELS: Final = frozenset({"action-review-claim", "force-override"})


class Verdict(StrEnum):
    """What an artifact can say; not the words of events."""

    APPROVED = "approved"
    REJECTED = "rejected"
    ARBITER_OVERRIDE = "arbiter_override"
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


class ReviewFormatError(ValueError):
    """A review artifact or a reference to one is not what it should be.

    Arguments:
        finding: the word; ``problem``: the sentence; ``field``: the key that it is about, empty when none.
    """

    def __init__(self, finding: ReviewFinding, problem: str, *, field: str = "") -> None:
        self.finding = finding
        self.problem = problem
        self.field = field
        super().__init__(f"{finding}: {problem}")


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
            f"{_OVERRIDE}actor": self.override_actor,
            f"{_OVERRIDE}reason": self.override_reason,
        }
        values |= {key: value for key, value in optional.items() if value is not None}
        return {**values, **self.extra}


# --- names


def artifact_name(number: int) -> str:
    """Return ``review-cycle-<number>.md``; ValueError for a number below 1."""
    if number < 1:
        raise ValueError(f"review cycles are numbered from 1, not {number}")
    return f"review-cycle-{number}.md"


def cycle_number(name: str) -> int | None:
    """Return the number in an artifact's name, None for any other name (``-0``, ``-01``, ``-final``)."""
    match = _NAME.match(name)
    return int(match[1]) if match else None


def cycles(directory: Path) -> dict[int, Path]:
    """Return the artifacts in ``directory`` by number, ascending: 10 comes after 9. Empty when it is missing."""
    found: dict[int, Path] = {}
    for path in directory.iterdir() if directory.is_dir() else ():
        number = cycle_number(path.name)
        if number is not None and path.is_file():
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


# --- bytes


_NEVER_FOLD: Final = 1 << 30


class _Dumper(yaml.SafeDumper):
    # Only blocks, at the margin of their key, as real artifacts have them.
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless)


def _represent_text(dumper: Any, text: str) -> Any:
    # A line of its own may be three dashes, which would end the frontmatter for those who look for them.
    style = '"' if text and text.splitlines() != [text] else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", ""))
# By the rules of YAML 1.2 ``yes`` is a text and 1e5 a number; for 1.1 it is the other way round. Texts that are
# something else to one of the two are quoted, except the words, which every known reader takes for texts.
_Dumper.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":bool")]
    for first, resolvers in yaml.SafeDumper.yaml_implicit_resolvers.items()
}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^[-+]?(?:0o?[0-7]+|0x[0-9a-fA-F]+|[0-9]+)$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
):
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


def encode_frontmatter(values: Mapping[str, Any], body: str) -> bytes:
    """Return a file of ``values``, a blank line and ``body``. No rule is enforced.

    Keys stand in alphabetical order, but those of an override come last, as released writers have it.

    Raises:
        UnicodeEncodeError: a lone surrogate, which no file can hold.
    """
    _require_utf8(values)
    # What overrides a review is put after what the review said.
    ordered = {key: values[key] for key in sorted(values, key=lambda key: (key.startswith(_OVERRIDE), key))}
    # Only the outermost keys are sorted: in an affected file the path comes first.
    text = yaml.dump(
        ordered, Dumper=_Dumper, width=_NEVER_FOLD, allow_unicode=True, default_flow_style=False, sort_keys=False
    )
    # The dumper leaves a blank where the value of a key is empty.
    text = re.sub(r"(?m)^((?:- )?[A-Za-z_]+:) $", r"\1", text)
    return (f"---\n{text}---\n" + (f"\n{body}" if body else "")).encode()


def encode_artifact(artifact: ReviewArtifact) -> bytes:
    """Return the bytes of an artifact, in the layout of released writers."""
    return encode_frontmatter(artifact.frontmatter(), artifact.body)


def _require_utf8(value: Any) -> None:
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _require_utf8(key)
            _require_utf8(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _require_utf8(item)


# --- reading


def read_artifact(path: Path, profile: Profile = CONTRACT_320) -> ReviewArtifact:
    """Return the artifact in ``path``.

    Raises:
        ReviewFormatError: UNREADABLE, and everything that ``parse_artifact`` raises.
    """
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
        actor, reason = (self.override(values.pop(f"{_OVERRIDE}{key}", None), key) for key in ("actor", "reason"))
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
            raise _wrong(f"{_OVERRIDE}{key}", "is not a text")
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


# --- references


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
