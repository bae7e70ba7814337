"""The five kinds of row, as thin views of the parsed object (interop: section 2.2)."""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "AnnotationRow",
    "DecisionRow",
    "LaneRow",
    "LifecycleRow",
    "PackageRow",
    "RetrospectiveRow",
    "Row",
    "kind_of",
]


class Row:
    """A row of a log: ``data`` is its object with every key it had, ``line`` its number, from 1."""

    __slots__ = ("data", "line")
    kind: ClassVar[str]

    def __init__(self, data: dict[str, Any], line: int) -> None:
        self.data = data
        self.line = line

    def __eq__(self, other: object) -> bool:
        """Two rows are equal when they say the same; where they stand does not matter."""
        return isinstance(other, Row) and self.kind == other.kind and self.data == other.data

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} line {self.line}: {self.data!r}>"

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

    __slots__ = ("when",)

    def __init__(self, data: dict[str, Any], line: int, when: Any) -> None:
        self.data = data
        self.line = line
        self.when = when

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
    def delta(self) -> dict[str, Any]:
        """The slots that change."""
        delta: dict[str, Any] = self.data["delta"]
        return delta


class LifecycleRow(Row):
    """Something that happened to the mission as a whole, or any other row with an ``event_type``."""

    __slots__ = ()
    kind = "lifecycle"


class DecisionRow(Row):
    """A decision point that was opened, widened, discussed, resolved or overridden."""

    __slots__ = ()
    kind = "decision"


class RetrospectiveRow(Row):
    """A row of either retrospective family (``event_name`` or ``type``)."""

    __slots__ = ()
    kind = "retrospective"


_RETROSPECTIVE_TYPES = frozenset({"RetrospectiveCaptured", "RetrospectiveCaptureFailed", "RetrospectiveSkipped"})


def kind_of(data: dict[str, Any]) -> type[Row] | None:
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
