"""The short way to read a lane row that stands in the log as writers write most of them.

One expression proves of a whole line what ``strict_json`` and ``row_shapes`` would find out of it: the keys of a lane
row, sorted and each once, nothing nested, no escapes, an id, a safe work package id, two lanes. The object is parsed
only when somebody asks for it. Nothing is refused here: any other line is read the long way, which alone says what a
row is and what is wrong with it.
"""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from .instants import instant
from .lanes import Lane
from .rows import LaneRow

__all__ = ["PlainLaneRow", "plain_row"]

_LONGEST: Final = 1 << 16
_TEXT: Final = r'"[ !#-\[\]-~]*"'
_OPTIONAL: Final = rf"(?:null|{_TEXT})"
_LANE: Final = rf'"({"|".join(Lane)})"'
_PLAIN: Final = re.compile(
    r"\{"
    + ", ".join(
        (
            rf'"actor": {_TEXT}',
            r'"at": "([0-9T:.+Z-]*)"',
            r'"event_id": "([0-9A-Z]+)"',
            r'"evidence": null',
            rf'"execution_mode": {_TEXT}',
            r'"force": (?:(true)|false)',
            rf'"from_lane": {_LANE}',
            r'"mission_id": "([0-9A-Z]+)"',
            rf'"mission_slug": {_TEXT}',
            r'"policy_metadata": null',
            rf'"reason": {_OPTIONAL}',
            rf'"review_ref": {_OPTIONAL}(?:, "review_result": null)?',
            rf'"to_lane": {_LANE}',
            r'"wp_id": "([A-Za-z0-9][A-Za-z0-9_-]*)"',
        )
    )
    + r"\}",
    re.ASCII,
).fullmatch


class PlainLaneRow(LaneRow):
    """A lane row whose members are null, true, false or texts; ``data`` is parsed when it is first asked for."""

    __slots__ = ("_text", "event_id", "force", "from_lane", "mission_id", "to_lane", "wp_id")
    event_id: Any
    wp_id: Any
    from_lane: Any
    to_lane: Any
    force: Any
    mission_id: Any
    policy_metadata = None
    review_result = None

    def __init__(self, text: str, found: tuple[Any, ...], line: int) -> None:
        self._text = text
        self.line = line
        at, self.event_id, force, self.from_lane, self.mission_id, self.to_lane, self.wp_id = found
        self.force = force is not None
        self.when = instant(at)

    def __getattr__(self, name: str) -> Any:
        # Asked only for what is not there: the slot is filled the first time.
        if name != "data":
            raise AttributeError(name)
        self.data = orjson.loads(self._text)
        return self.data


def plain_row(line: bytes, number: int) -> PlainLaneRow | None:
    """Return the row of line ``number``, None when it must be read the long way."""
    if len(line) > _LONGEST:
        return None
    text = line.decode("latin-1")
    found = _PLAIN(text)
    if found is None:
        return None
    try:
        return PlainLaneRow(text, found.groups(), number)
    except (ValueError, OverflowError):
        return None  # the timestamp names no instant
