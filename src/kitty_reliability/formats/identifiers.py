"""Identifiers: what may name a mission, a work package, an event (clauses SEC-001, SEC-002)."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["MID_LENGTH", "is_safe_segment", "is_ulid", "is_work_package_id", "mid8"]

_SEGMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_ULID: Final = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}\Z")
_LOOSE_ULID: Final = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}\Z")
_WORK_PACKAGE: Final = re.compile(r"WP\d{2,}\Z", re.ASCII)

#: Length of the part of a mission id that branch and directory names embed.
MID_LENGTH: Final = 8


def is_safe_segment(text: str) -> bool:
    """Say whether ``text`` is one path segment that cannot leave its directory on any platform."""
    return _SEGMENT.match(text) is not None and ".." not in text


def is_ulid(text: str, *, strict: bool = True) -> bool:
    """Say whether ``text`` is a ULID in Crockford's alphabet, upper case, 26 characters.

    With ``strict=False`` the first character may exceed 7, as the released pattern allows it.
    """
    return (_ULID if strict else _LOOSE_ULID).match(text) is not None


def is_work_package_id(text: str) -> bool:
    """Say whether ``text`` is a work package id as writers make it: ``WP`` and two or more digits."""
    return _WORK_PACKAGE.match(text) is not None


def mid8(mission_id: str) -> str:
    """Return the first eight characters of a mission id."""
    return mission_id[:MID_LENGTH]
