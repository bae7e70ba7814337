"""The short way to read the rows that a log has most of: lane transitions and annotations as writers write them.

``msgspec`` makes a row of a line in one step and refuses what has another shape, but keeps the last of two equal keys
without a word. So the rows are encoded again, and the quotes of both are *counted*: there are two for each key and each
text, and those of what was dropped are missing. Nothing is refused here: a line that is not plain is read the long way
(``strict_json``, ``row_shapes``), which alone says what a row is and what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NotRequired, TypedDict

import msgspec

from .identifiers import is_safe_segment, is_ulid
from .instants import instant
from .lanes import Lane
from .rows import AnnotationRow, LaneRow

__all__ = ["LONGEST_PORTION", "PlainAnnotationRow", "PlainLaneRow", "plain_rows"]

#: How many bytes of a log are read in one go, at most.
LONGEST_PORTION: Final = 1 << 16

# ``_Later`` is of what is set when a row is read, and is not in its line. A line that has such a key nevertheless is refused,
# or has quotes that are not encoded again.
if TYPE_CHECKING:
    _LaneName = str
    _Later = int
else:
    _LaneName = Literal[tuple(map(str, Lane))]
    _Later = Literal[0]
_Id = Annotated[str, msgspec.Meta(min_length=1)]
_Scalar = str | int | float | bool | None
# As deep as what known writers write, and never as deep as the limit of `strict_json`.
_Policy = dict[str, _Scalar | list[_Scalar] | dict[str, _Scalar | list[_Scalar]]]


class _Actor(TypedDict):
    role: str | None
    profile: str | None
    tool: str | None
    model: str | None


class _Review(TypedDict):
    reviewer: str
    verdict: str
    reference: str


class _Evidence(TypedDict):
    review: _Review


class _Outcome(_Review):
    feedback_path: NotRequired[str | None]


class _Override(TypedDict):
    at: str
    actor: str
    wp_id: str
    reason: str


class _Delta(TypedDict, total=False):
    shell_pid: int | None
    shell_pid_created_at: str | None
    agent: str | None
    assignee: str | None
    role: str | None
    agent_profile: str | None
    agent_profile_version: str | None
    model: str | None
    provider: str | None
    note: str | None
    subtasks: dict[str, _LaneName] | None
    tracker_refs: list[str] | None
    tracker_refs_replace: list[str] | None
    review: _Override | None
    release_runtime_claim: bool


class _Plain(msgspec.Struct, kw_only=True, gc=False, eq=False, forbid_unknown_fields=True, omit_defaults=True):
    @property
    def data(self) -> dict[str, Any]:
        """The object of the row, made anew each time."""
        values = zip(self.__struct_encode_fields__[2:], msgspec.structs.astuple(self)[2:], strict=True)
        return {name: value for name, value in values if value is not msgspec.UNSET}


class PlainLaneRow(LaneRow, _Plain, kw_only=True):
    """A lane transition with the keys that every writer writes."""

    line: _Later = 0
    when: _Later = 0
    actor: str | _Actor
    at: str
    event_id: _Id
    evidence: _Evidence | None
    execution_mode: str
    force: bool
    from_lane: _LaneName
    mission_id: str | None
    mission_slug: str | None
    policy_metadata: _Policy | None
    reason: str | None
    review_ref: str | None
    outcome: _Outcome | msgspec.UnsetType | None = msgspec.field(default=msgspec.UNSET, name="review_result")
    to_lane: _LaneName
    wp_id: str

    @property
    def review_result(self) -> Any:
        """The outcome of a review, or None."""
        return self.outcome or None


class PlainAnnotationRow(AnnotationRow, _Plain, kw_only=True):
    """An annotation whose slots are all known."""

    line: _Later = 0
    when: _Later = 0
    actor: str | _Actor
    at: str
    delta: _Delta
    event_id: _Id
    written_kind: Literal["annotation"] = msgspec.field(name="kind")
    wp_id: str


_PlainRow = PlainLaneRow | PlainAnnotationRow

_lane: Final = msgspec.json.Decoder(PlainLaneRow).decode
_annotation: Final = msgspec.json.Decoder(PlainAnnotationRow).decode
_encode: Final = msgspec.json.Encoder().encode
_REFUSED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def plain_rows(portion: bytes, lines: Sequence[bytes], first_line: int) -> list[_PlainRow | None]:
    """Return the row of each of the ``lines`` of ``portion``, None for a line that must be read the long way."""
    if len(portion) > LONGEST_PORTION:
        return [None] * len(lines)
    # A quote inside of a text is one byte more in both, unless it is spelled by its number.
    numbered = b"\\" in portion and b"\\u0022" in portion
    found: list[_PlainRow | None] = []
    others = []
    for line in lines:
        try:
            row: _PlainRow | None = _lane(line)
        except _REFUSED:
            row = _plain_annotation(line)
        if row is None or (numbered and b"\\u0022" in line):
            row = None
            others.append(line)
        found.append(row)
    if portion.count(b'"') != _encode(found).count(b'"') + b"".join(others).count(b'"'):
        found = [
            row if row and line.count(b'"') == _encode(row).count(b'"') else None
            for row, line in zip(found, lines, strict=True)
        ]
    safe = set(filter(is_safe_segment, {row.wp_id for row in found if row}))
    for index, row in enumerate(found):
        if row:
            row.line = first_line + index
            try:
                row.when = instant(row.at)
            except (ValueError, OverflowError):
                found[index] = None
            if row.wp_id not in safe:
                found[index] = None
    return found


def _plain_annotation(line: bytes) -> PlainAnnotationRow | None:
    try:
        row = _annotation(line)
    except _REFUSED:
        return None
    return row if is_ulid(row.event_id, strict=False) else None
