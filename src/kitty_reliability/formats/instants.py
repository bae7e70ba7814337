"""Timestamps: one instant, many spellings (clause LOG-005)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

__all__ = ["instant", "spell"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BETWEEN: Final = ("T", "t", " ")
#: What follows the sixth digit as nearly every writer writes it.
_ENDS: Final = ("+", "Z", "")
_BEYOND: Final = re.compile(r"[.,][0-9]{6}([0-9]{1,3})")
_read: Final = datetime.fromisoformat


def instant(text: str) -> int:
    """Return the instant that an ISO 8601 text names, in nanoseconds since 1970.

    ``Z``, any offset, fractions of any length or none. A text without an offset is read as UTC, which is what
    every known writer means by it.

    Raises:
        ValueError: the text names no instant.
    """
    moment = _read(text)
    if text[10:11] not in _BETWEEN:
        raise ValueError(f"{text!r} is not a date and a time")
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    nanoseconds = (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000
    # Python's own reading ends with the sixth digit of the fraction; writers in other languages go on.
    if text[26:27] in _ENDS:
        return nanoseconds
    beyond = _BEYOND.match(text, 19)
    return nanoseconds + int(beyond[1].ljust(3, "0")) if beyond else nanoseconds


def spell(moment: datetime) -> str:
    """Return the spelling that writers use: UTC, ``+00:00``, microseconds unless they are zero.

    Raises:
        ValueError: ``moment`` has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a row needs a moment with a time zone")
    return moment.astimezone(UTC).isoformat()
