"""A clock that stands still in other Python processes, so that what they do falls into one second (RPM-004)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime

from . import shim

__all__ = ["StoppedClock"]


@dataclass(frozen=True, slots=True)
class StoppedClock:
    """Every look at the time of day gives ``moment``; clocks that measure how long something takes go on.

    Programs that are not written in Python do not see it: what they wrote tells whether the clock stood.

    Arguments:
        moment: with a time zone.

    Raises:
        ValueError: a moment without a time zone.
    """

    moment: datetime

    def __post_init__(self) -> None:
        if self.moment.tzinfo is None:
            raise ValueError("a clock stands still at a moment with a time zone")

    def environment(self) -> dict[str, str]:
        """Return the variables that stop the clock of a Python program that is started with them."""
        return {"KITTY_STOPPED_CLOCK": repr(self.moment.timestamp()), "PYTHONPATH": shim.python_path(os.environ)}
