"""The five kinds of row (interop: section 2.2): what can be asked of each, and thin views of the parsed object.

Two kinds are many in a log, and short ways to read them have views of their own (``plain_rows``).
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "AnnotationRow",
    "DecisionRow",
    "LaneRow",
    "LifecycleRow",
    "MissionRow",
    "PackageRow",
    "ParsedAnnotationRow",
    "ParsedLaneRow",
    "RetrospectiveRow",
    "Row",
    "kind_of",
]


class Row:
    """A row of a log: ``data`` is its object with every key it had, ``line`` its number, from 1."""

    __slots__ = ()
    kind: ClassVar[str]
    data: Any
    line: int

    def __eq__(self, other: object) -> bool:
        """Two rows are equal when they say the same; where they stand does not matter."""
        return isinstance(other, Row) and self.kind == other.kind and self.data == other.data

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{self.kind.capitalize()}Row line {self.line}: {self.data!r}>"

    @property
    def event_id(self) -> Any:
        """The id of the event; lifecycle rows may have none (None then)."""
        return self.data.get("event_id")

    @property
    def at(self) -> Any:
        """The timestamp as written; lifecycle rows call it ``timestamp``."""
        return self.data.get("at", self.data.get("timestamp"))


class PackageRow(Row):
    """A row about one work package. ``when`` orders it: an instant in nanoseconds, or the timestamp's text."""

    __slots__ = ()
    when: Any

    @property
    def actor(self) -> Any:
        """Who did it: a text, or an object of role, profile, tool and model."""
        return self.data["actor"]

    @property
    def wp_id(self) -> Any:
        """The work package that it is about."""
        return self.data["wp_id"]


class LaneRow(PackageRow):
    """A lane transition."""

    __slots__ = ()
    kind = "lane"

    @property
    def from_lane(self) -> Any:
        """The lane that the writer believed to be in force."""
        return self.data["from_lane"]

    @property
    def to_lane(self) -> Any:
        """The lane that the row moves to."""
        return self.data["to_lane"]

    @property
    def force(self) -> Any:
        """Whether the writer overrode the rules."""
        return self.data["force"]

    @property
    def mission_id(self) -> Any:
        """The id of the mission that the row names, None when it names none."""
        return self.data.get("mission_id")

    @property
    def mission_slug(self) -> Any:
        """The slug of the mission that the row names, by either key; None or empty when it names none."""
        return self.data.get("mission_slug") or self.data.get("feature_slug")

    @property
    def review_ref(self) -> Any:
        """What the row is justified by, or None."""
        return self.data.get("review_ref")

    @property
    def policy_metadata(self) -> Any:
        """What the writer noted of the process that works, or None."""
        return self.data.get("policy_metadata")

    @property
    def review_result(self) -> Any:
        """The outcome of a review, or None."""
        return self.data.get("review_result")


class AnnotationRow(PackageRow):
    """A change of runtime slots that moves no lane."""

    __slots__ = ()
    kind = "annotation"

    @property
    def delta(self) -> Any:
        """The slots that change."""
        return self.data["delta"]


class ParsedLaneRow(LaneRow):
    """A lane transition as a view of its parsed object."""

    __slots__ = ("data", "line", "when")

    def __init__(self, data: dict[str, Any], line: int, when: Any) -> None:
        self.data, self.line, self.when = data, line, when


class ParsedAnnotationRow(AnnotationRow):
    """An annotation as a view of its parsed object."""

    __slots__ = ("data", "line", "when")

    def __init__(self, data: dict[str, Any], line: int, when: Any) -> None:
        self.data, self.line, self.when = data, line, when


class MissionRow(Row):
    """A row about the mission as a whole."""

    __slots__ = ("data", "line")

    def __init__(self, data: dict[str, Any], line: int) -> None:
        self.data, self.line = data, line


class LifecycleRow(MissionRow):
    """Something that happened to the mission as a whole, or any other row with an ``event_type``."""

    __slots__ = ()
    kind = "lifecycle"


class DecisionRow(MissionRow):
    """A decision point that was opened, widened, discussed, resolved or overridden."""

    __slots__ = ()
    kind = "decision"


class RetrospectiveRow(MissionRow):
    """A row of either retrospective family (``event_name`` or ``type``)."""

    __slots__ = ()
    kind = "retrospective"


_RETROSPECTIVE_TYPES = frozenset({"RetrospectiveCaptured", "RetrospectiveCaptureFailed", "RetrospectiveSkipped"})


def kind_of(data: dict[str, Any]) -> type[MissionRow] | None:
    """Return the class of a row that is neither annotation nor lane transition, None for those two.

    The caller has looked at ``kind`` already: it decides before anything else.
    """
    name = data.get("event_name")
    if name.__class__ is str and name.startswith("retrospective."):
        return RetrospectiveRow
    family = data.get("type")
    if family.__class__ is str and family in _RETROSPECTIVE_TYPES:
        return RetrospectiveRow
    if "event_type" in data:
        event_type = data["event_type"]
        if event_type.__class__ is str and event_type.startswith("DecisionPoint"):
            return DecisionRow
        return LifecycleRow
    return None
