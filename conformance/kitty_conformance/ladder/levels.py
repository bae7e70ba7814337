"""Which levels of the fault ladder this machine has."""

from __future__ import annotations

import sys

from . import size_limit, system_calls

__all__ = ["levels"]


def levels() -> dict[str, str]:
    """Return ``available``, or why not, for each level."""
    return {
        "in-process": "available",
        size_limit.LEVEL: "Windows has no such limit" if sys.platform == "win32" else "available",
        system_calls.LEVEL: system_calls.missing() or "available",
    }
