"""Timestamps: one instant, many spellings (clause LOG-005)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["instant", "spell"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def instant(text: str) -> int:
    """Return the instant that an ISO 8601 text names, in nanoseconds since 1970.

    ``Z``, any offset, fractions of any length or none. A text without an offset is read as UTC, which is what
    every known writer means by it.

    Raises:
        ValueError: the text names no instant.
    """
    if text[10:11] not in ("T", "t", " "):
        raise ValueError(f"{text!r} is not a date and a time")
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    nanoseconds = (moment - _EPOCH) // _MICROSECOND * 1000
    # Python's own reading ends with the sixth digit of the fraction; writers in other languages go on.
    return nanoseconds + _rest(text) if text[26:27].isdecimal() else nanoseconds


def _rest(text: str) -> int:
    if text[19] not in ".,":
        return 0
    digits = text[26:29]
    while digits and not digits.isdecimal():
        digits = digits[:-1]
    return int(digits.ljust(3, "0"))


def spell(moment: datetime) -> str:
    """Return the spelling that writers use: UTC, ``+00:00``, microseconds unless they are zero.

    Raises:
        ValueError: ``moment`` has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a row needs a moment with a time zone")
    return moment.astimezone(UTC).isoformat()
