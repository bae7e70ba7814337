"""How several processes of pytest-xdist share the missions of an audit. PYTEST_DONT_REWRITE

Each is given whole missions. xdist sends a report of each item as a dictionary of twenty strings, which takes as long as
the question does: a worker keeps what the items of a mission came to, and sends it with the report of the last one. What
a worker that dies has kept is lost with it; xdist fails the item that it died in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

__all__ = ["Bundle", "scheduling", "unpack"]

#: The attribute of a report that holds the reports before it.
_BEFORE: Final = "kitty_audit_before"
#: What is told of a report besides its reason.
_TOLD: Final = ("nodeid", "location", "outcome", "user_properties", "duration", "start", "stop", "kitty_audit")
#: What a report has in common with those that it brings along.
_SHARED: Final = ("node", "worker_id", "testrun_uid")


class Bundle:
    """The reports of a worker that were not sent yet."""

    def __init__(self) -> None:
        self._kept: list[Mapping[str, Any]] = []

    def keep(self, report: pytest.TestReport) -> None:
        """Keep a report of the phase ``call`` for the next that is sent."""
        told = {name: getattr(report, name) for name in _TOLD}
        self._kept.append({**told, "longrepr": _plain(report.longrepr)})

    def load(self, report: pytest.TestReport) -> None:
        """Let ``report`` bring along what was kept."""
        if self._kept:
            setattr(report, _BEFORE, json.dumps(self._kept))
            self._kept = []


def unpack(report: pytest.TestReport) -> Iterator[pytest.TestReport]:
    """Yield the reports that ``report`` brings along, in the order in which their items ran."""
    shared = {name: value for name, value in vars(report).items() if name in _SHARED}
    for kept in json.loads(vars(report).pop(_BEFORE, "[]")):
        reason = kept["longrepr"]
        values = {
            **kept,
            "location": tuple(kept["location"]),
            # What pytest takes apart when it counts those that were skipped.
            "longrepr": tuple(reason) if isinstance(reason, list) else reason,
            "user_properties": [tuple(pair) for pair in kept["user_properties"]],
        }
        yield pytest.TestReport(keywords={}, when="call", **values, **shared)


def _plain(reason: Any) -> str | list[Any] | None:
    if isinstance(reason, tuple):
        return list(reason)
    return reason if reason is None else str(reason)


def scheduling() -> type[Any]:
    """Return the scheduler that deals out missions: half of what is left to all in turn, at least one to each."""
    from xdist.scheduler import WorkStealingScheduling  # type: ignore[import-untyped]

    class MissionScheduling(WorkStealingScheduling):  # type: ignore[misc]
        """Whole missions instead of items; so there is nothing to steal."""

        def check_schedule(self) -> None:
            """Give nodes that have nothing to do more; end them when there is no more."""
            up = [node for node in self.nodes if not node.shutting_down]
            for node in up:
                # One item is not begun before the next one is known.
                if len(self.node2pending[node]) > 1:
                    continue
                if self.pending:
                    self._send_tests(node, self._missions(len(self.pending) // (2 * len(up))))
                else:
                    node.shutdown()

        def _missions(self, number: int) -> int:
            """Return at least ``number``: so many items that the last one ends a mission."""
            assert self.collection is not None
            names = [self.collection[index].rpartition("::")[0] for index in self.pending[number:]]
            return number + next(
                (count for count, name in enumerate(names) if count and name != names[count - 1]), len(names)
            )

    return MissionScheduling
