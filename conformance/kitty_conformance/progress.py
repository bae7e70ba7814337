"""One line on a terminal that says where a run is; nothing at all where nobody looks."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Generator
from typing import Any, Final, TextIO

import pytest

from kitty_reliability.formats.visible import visible
from pytest_kitty.plugin import kitty_session

from .catalogue import scenario_name

__all__ = ["Progress", "watched"]

#: How often a scenario asks, more or less: what is expected of one before any was seen.
_ASKED: Final = 6
#: For how many scenarios that expectation counts.
_TRUST: Final = 5
_TICK: Final = 1.0


def watched() -> bool:
    """Say whether somebody looks: both streams are a terminal that can clear a line."""
    return sys.stdout.isatty() and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


class Progress:
    """A pytest plugin that keeps the line.

    Arguments:
        stream: where it is written.
        jobs: how many scenarios are run at a time.
        clock: gives seconds.
    """

    def __init__(self, stream: TextIO, jobs: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._jobs = jobs
        self._clock = clock
        self._collected: set[str] = set()
        self._typical = 0.0
        self._began = self._since = clock()
        self._scenario = ""
        self._done = 0
        self._over = threading.Event()
        self._lock = threading.Lock()

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Ask what an operation usually takes, and begin."""
        self._typical = kitty_session(session.config).implementation.greeting.typical_seconds
        threading.Thread(target=self._tick, daemon=True, name="kitty-progress").start()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Count the scenarios."""
        self.collected(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Count the scenarios of the workers."""
        self.collected(ids)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Name the scenario."""
        self.begin(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a scenario that ended."""
        if report.when == "teardown":
            self.end()

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(self) -> Generator[None, Any, Any]:
        """Have no letter printed for a scenario: the line is there instead."""
        category, _, word = yield
        return category, "", word

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Make room for the table."""
        with self._lock:
            self._over.set()
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def collected(self, node_ids: Any) -> None:
        """Take the scenarios in that are to be run."""
        self._collected |= set(node_ids)
        self._began = self._clock()

    def begin(self, node_id: str) -> None:
        """Take in that a scenario begins."""
        self._scenario, self._since = scenario_name(node_id), self._clock()
        self._draw()

    def end(self) -> None:
        """Take in that a scenario ended."""
        self._done += 1
        self._draw()

    def line(self, width: int) -> str:
        """Return the line, of ``width`` columns at most."""
        now, total = self._clock(), len(self._collected)
        head = f"[{self._done}/{total}] "
        tail = f"  {now - self._since:.0f} s" + (f", {_about(self._left(now))} left" if total else "")
        name = visible(self._scenario)
        room = max(0, width - len(head) - len(tail) - 1)
        return (head + (name if len(name) <= room else name[: max(0, room - 3)] + "...") + tail)[:width]

    def _left(self, now: float) -> float:
        """Return how long the rest takes, in seconds: by what was declared first, by what was seen later."""
        expected = self._typical * _ASKED / self._jobs
        each = (now - self._began + expected * _TRUST) / (self._done + _TRUST)
        return each * max(0, len(self._collected) - self._done)

    def _draw(self) -> None:
        with self._lock:
            if not self._over.is_set():
                self._stream.write("\r\x1b[K" + self.line(shutil.get_terminal_size().columns - 1))
                self._stream.flush()

    def _tick(self) -> None:
        while not self._over.wait(_TICK):
            self._draw()


def _about(seconds: float) -> str:
    return f"about {seconds:.0f} s" if seconds < 100 else f"about {seconds / 60:.0f} min"
