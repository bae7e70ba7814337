"""Timestamps: one instant, many spellings (clause LOG-005)."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["instant", "spell"]


def instant(text: str) -> float:
    """Return the instant that an ISO 8601 text names, in seconds since 1970 with microsecond precision.

    ``Z``, any offset, fractions or none. A text without an offset is read as UTC, which is what every known
    writer means by it.

    Raises:
        ValueError: the text names no instant.
    """
    if text[10:11] not in ("T", "t", " "):
        raise ValueError(f"{text!r} is not a date and a time")
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()


def spell(moment: datetime) -> str:
    """Return the spelling that writers use: UTC, ``+00:00``, microseconds unless they are zero.

    Raises:
        ValueError: ``moment`` has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a row needs a moment with a time zone")
    return moment.astimezone(UTC).isoformat()
