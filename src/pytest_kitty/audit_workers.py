"""How the reports of an audit come from the processes of pytest-xdist. PYTEST_DONT_REWRITE

To pytest-xdist a mission is one item, for which the first of its items stands. It sends a report as a dictionary of twenty
strings, which takes as long as the question does: those of a mission are sent as one text. What a worker that dies has
not sent is lost with it; xdist fails the item that stands for the mission.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import pytest

__all__ = ["COLLECTED", "MESSAGE", "REST", "pack", "unpack"]

#: The attribute of a report in a worker: what is sent in its place.
MESSAGE: Final = "kitty_audit_message"
#: The attributes of a report that came from a worker: the others of its mission, and how many items there are in all.
REST: Final = "kitty_audit_rest"
COLLECTED: Final = "kitty_audit_collected"


def pack(reports: Sequence[Any], collected: int) -> dict[str, str]:
    """Return the reports of a mission as a message, with how many items were ``collected`` in all."""
    first = reports[0]
    path, mission, key = first.location[0], first.kitty_audit["mission"], first.kitty_audit["key"]
    return {MESSAGE: json.dumps([collected, path, mission, key, [_told(report) for report in reports]])}


def _told(report: Any) -> list[Any]:
    audited = report.kitty_audit
    told = [audited["rule"], report.duration, report.start, report.stop]
    if report.passed and not audited["findings"]:
        return told
    reason = report.longrepr if isinstance(report.longrepr, tuple | None) else str(report.longrepr)
    return [*told, report.outcome, reason, report.user_properties, audited["judged"], audited["findings"]]


def unpack(message: dict[str, Any]) -> pytest.TestReport | None:
    """Return the first of the reports that were packed, with ``REST`` and ``COLLECTED``; None for another message.

    What pytest-xdist says besides of where it comes from is said of each.
    """
    if MESSAGE not in message:
        return None
    origin = dict(message)
    collected, path, mission, key, told = json.loads(origin.pop(MESSAGE))
    first, *rest = [_report(origin, path, {"mission": mission, "key": key}, *one) for one in told]
    vars(first).update({REST: rest, COLLECTED: collected})
    return first


def _report(
    origin: dict[str, Any],
    path: str,
    mission: dict[str, Any],
    rule: str,
    duration: float,
    start: float,
    stop: float,
    outcome: Any = "passed",
    reason: Any = None,
    properties: Sequence[list[str]] = (),
    judged: bool = True,
    findings: Sequence[dict[str, Any]] = (),
) -> pytest.TestReport:
    return pytest.TestReport(
        f"{mission['mission']}::{rule}",
        (path, None, f"{mission['mission']} {rule}"),
        {},
        outcome,
        # What pytest takes apart when it counts those that were skipped.
        tuple(reason) if isinstance(reason, list) else reason,
        "call",
        (),
        duration,
        start,
        stop,
        [(name, value) for name, value in properties],
        kitty_audit={**mission, "rule": rule, "judged": judged, "findings": findings},
        **origin,
    )
