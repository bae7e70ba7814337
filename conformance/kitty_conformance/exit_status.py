"""The exit status of ``kitty-conform``, and how it says why it does not do what it was asked."""

from __future__ import annotations

import sys

__all__ = ["CONFORMS", "IN_ERROR", "NOTHING_RAN", "UNDECIDED", "VIOLATED", "WRONG_LIST", "refuse"]

CONFORMS, VIOLATED, UNDECIDED, IN_ERROR, WRONG_LIST, NOTHING_RAN = range(6)


def refuse(said: object, status: int = IN_ERROR) -> int:
    """Say on stderr what is wrong, and return the exit status."""
    print(f"kitty-conform: {said}", file=sys.stderr)
    return status
