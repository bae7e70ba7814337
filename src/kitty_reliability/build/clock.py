"""A clock that moves only when it is moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from kitty_reliability.formats.instants import spell

__all__ = ["DEFAULT_START", "Clock"]

#: Well before any run, so that rows written by a real clock come later than built ones.
DEFAULT_START: Final = datetime(2020, 3, 2, 9, 0, tzinfo=UTC)


class Clock:
    """Deterministic time for rows, commits and ids.

    Arguments:
        start: the first moment, with a time zone.
        step: how far ``tick`` moves. The odd microseconds give every row a fraction, as real rows have.
    """

    def __init__(
        self, start: datetime = DEFAULT_START, step: timedelta = timedelta(seconds=60, microseconds=17)
    ) -> None:
        if start.tzinfo is None:
            raise ValueError("a clock needs a start with a time zone")
        if start.timestamp() < 0:
            raise ValueError("a clock cannot start before 1970: neither ids nor git have such moments")
        self.now = start
        self.step = step

    def tick(self) -> datetime:
        """Move on by one step and return the new moment."""
        self.now += self.step
        return self.now

    def move(self, by: timedelta) -> datetime:
        """Move by any amount, also backwards, and return the new moment."""
        self.now += by
        return self.now

    @property
    def text(self) -> str:
        """The moment as rows spell it."""
        return spell(self.now)

    @property
    def git_date(self) -> str:
        """The moment as git takes it: ``<seconds> +0000``."""
        return f"{int(self.now.timestamp())} +0000"
