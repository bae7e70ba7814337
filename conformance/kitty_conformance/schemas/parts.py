"""What several schemas are made of. No pattern looks ahead or back: some languages cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kitty_reliability.formats.lanes import Lane

__all__ = [
    "LANE",
    "SEGMENT",
    "TEXT",
    "TRIPLE",
    "ULID",
    "Shape",
    "instant",
    "listed",
    "nullable",
    "shape",
    "titled",
    "with_words",
]

Shape = dict[str, Any]

TEXT: Final[Shape] = {"type": "string"}
LANE: Final[Shape] = {"enum": [str(lane) for lane in Lane]}
SEGMENT: Final[Shape] = {
    "type": "string",
    "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$",
    "not": {"pattern": "\\.\\.|\\n"},
    "description": "One path segment that cannot leave its directory.",
}
ULID: Final[Shape] = {"type": "string", "pattern": "^[0-9A-HJKMNP-TV-Z]{26}$", "maxLength": 26}


def nullable(one: Shape) -> Shape:
    """Return a schema that takes null as well."""
    return {"anyOf": [one, {"type": "null"}]}


def listed(items: Shape) -> Shape:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


def instant(words: str) -> Shape:
    """Return the schema of a timestamp; the calendar is not looked at."""
    pattern = (
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?$"
    )
    return {"type": "string", "pattern": pattern, "not": {"pattern": "\\n"}, "description": words}


def shape(required: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None, *, closed: bool = False) -> Shape:
    """Return the schema of an object; ``closed`` takes no other keys."""
    made: Shape = {"type": "object", "required": [*required], "properties": {**required, **(optional or {})}}
    return {**made, "additionalProperties": False} if closed else made


#: Who judged, what was said, and where it can be looked up.
TRIPLE: Final = shape(
    {
        "reviewer": TEXT,
        "verdict": {"type": "string", "description": "approved or changes_requested; what else is written is read."},
        "reference": TEXT,
    },
    {"feedback_path": nullable(TEXT)},
)


def with_words(properties: Mapping[str, Shape], words: Mapping[str, str]) -> dict[str, Shape]:
    """Return ``properties``, each with what is said of it."""
    return {
        key: {**value, **({"description": words[key]} if key in words else {})} for key, value in properties.items()
    }


def titled(name: str, title: str, description: str, made: Shape, examples: Sequence[Any]) -> Shape:
    """Return a whole schema."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:pytest-kitty:schema:{name}:1"}
    return {**head, "title": title, "description": description, **made, "examples": [*examples]}
