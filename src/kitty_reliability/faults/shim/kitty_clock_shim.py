"""Stops the clock of the Python process that it is in: each look at the time of day gives one moment.

``time``'s ``time``, ``time_ns``, ``gmtime``, ``localtime`` and ``strftime``, and ``datetime``'s ``now``, ``utcnow`` and
``today``. Clocks that only measure go on, and so do extensions that ask the system themselves.

Standard library only, no import of the package: it also runs inside other programs.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from typing import Any

__all__ = ["install", "install_from_environment"]

_DATETIME = dt.datetime


class _Kind(type):
    # A moment that was made before the clock stopped, or by C code, is one as well.
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, _DATETIME)

    def __subclasscheck__(cls, other: type) -> bool:
        return issubclass(other, _DATETIME)


def install(moment: float) -> None:
    """Stop the clock at ``moment``, in seconds since 1970."""
    local, world, spell = time.localtime, time.gmtime, time.strftime

    class Stopped(_DATETIME, metaclass=_Kind):
        """A date and a time; the present one is always the same."""

        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return cls.fromtimestamp(moment, tz)

        @classmethod
        def utcnow(cls) -> Any:
            return cls.fromtimestamp(moment, dt.timezone.utc).replace(tzinfo=None)  # noqa: UP017 - older Pythons too

        @classmethod
        def today(cls) -> Any:
            return cls.fromtimestamp(moment)

    stopped: dict[str, Any] = {
        "time": lambda: moment,
        "time_ns": lambda: int(moment * 10**6) * 1000,
        "gmtime": lambda seconds=None: world(moment if seconds is None else seconds),
        "localtime": lambda seconds=None: local(moment if seconds is None else seconds),
        "strftime": lambda form, value=None: spell(form, local(moment) if value is None else value),
    }
    for name, function in stopped.items():
        setattr(time, name, function)
    Stopped.__name__ = Stopped.__qualname__ = "datetime"
    Stopped.__module__ = "datetime"
    dt.datetime = Stopped  # type: ignore[misc]


def install_from_environment() -> None:
    """Do what ``KITTY_STOPPED_CLOCK`` says, which holds the moment."""
    install(float(os.environ["KITTY_STOPPED_CLOCK"]))
