"""The rows that a mission begins with, worked out once in a process for each set of routes (models: C3).

The missions of a test suite are alike: the same few lanes, again and again. Their first rows differ in whose mission
it is and in the ids that are drawn, and in nothing else; so the lines are kept without these, and the next log that
goes the same way gets them with its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from kitty_reliability.formats.events import encode_row
from kitty_reliability.formats.lanes import Lane

from .clock import Clock
from .event_log import EventLog
from .identifiers import TIME_LENGTH, Identifiers

__all__ = ["tell"]

#: A longer log is worked out each time, so that what is kept stays below 60 MB.
_KEPT_ROWS: Final = 400
_KEPT_LOGS: Final = 200


class _Told(NamedTuple):
    """What a log was after it was told. A line is in three pieces: what is its own stands between them."""

    lines: list[tuple[bytes, bytes, bytes]]
    lanes: Mapping[str, Lane]
    reviews: Mapping[str, int]
    now: datetime


_told: dict[tuple[Any, ...], _Told] = {}


def tell(
    log: EventLog, routes: Mapping[str, Iterable[str]], *, illegal: bool = False, actor: str | None = None
) -> None:
    """Add to a deferred log without rows the lanes of each work package, one package after the other.

    Arguments:
        routes: work package -> the lanes that it goes through.
        illegal: as in ``EventLog.lane``.
        actor: who acts in every row; whoever does so for each step when left out.

    Raises:
        BuildError: as ``EventLog.lane`` does; the log may have some of the rows then.
    """
    asked = {package: tuple(lanes) for package, lanes in routes.items()}
    question = _question(log, asked, illegal, actor)
    told = _told.get(question) if question else None
    if told is not None:
        _recall(log, told)
        return
    keys: dict[str, Any] = {} if actor is None else {"actor": actor}
    for package, lanes in asked.items():
        for lane in lanes:
            log.lane(package, lane, illegal=illegal, **keys)
    if question and len(log.rows) <= _KEPT_ROWS:
        if len(_told) >= _KEPT_LOGS:
            _told.clear()
        _told[question] = _Told(_pieces(log), log.lanes.copy(), log._reviews.copy(), log.clock.now)


def _question(
    log: EventLog, routes: Mapping[str, tuple[str, ...]], illegal: bool, actor: str | None
) -> tuple[Any, ...] | None:
    """Return what the rows depend on, but for whose they are; None when equal questions have several answers."""
    clock = log.clock
    texts = (log.mission_slug, log.mission_id or "", log.actor, log.reviewer, log.bootstrap, actor or "", *routes)
    # One moment in two time zones is equal, and so are 1 and True; half of a surrogate pair cannot be read back.
    if (
        type(clock) is Clock
        and clock.now.tzinfo is UTC
        and type(log.ids) is Identifiers
        and all(type(text) is str and text.isascii() for text in texts)
        and all(isinstance(lane, str) for lanes in routes.values() for lane in lanes)
    ):
        who = (log.actor, log.reviewer, log.bootstrap, log.mission_id is None, actor)
        return (*who, illegal, clock.now, clock.step, *routes.items())
    return None


def _identity(log: EventLog) -> bytes:
    """Return the part of a line that says whose it is: keys stand in order, and these are neighbours."""
    identity = {"mission_slug": log.mission_slug}
    if log.mission_id is not None:
        identity["mission_id"] = log.mission_id
    return encode_row(identity)[1:-2]


def _pieces(log: EventLog) -> list[tuple[bytes, bytes, bytes]]:
    identity, pieces = _identity(log), []
    for line, row in zip(log.chunks, log.rows, strict=True):
        before, rest = line.split(row["event_id"][TIME_LENGTH:].encode())
        between, after = rest.split(identity)
        pieces.append((before, between, after))
    return pieces


def _recall(log: EventLog, told: _Told) -> None:
    identity, draw = _identity(log), log.ids._draw
    lines = [b"".join((before, draw().encode(), between, identity, after)) for before, between, after in told.lines]
    log._recall(lines, told.lanes, told.reviews)
    log.clock.now = told.now
