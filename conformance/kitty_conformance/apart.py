"""A run in a process of its own, for what is under test may end the process that it runs in.

The process leaves notes in a directory. When it ends before its time, the scenario that it was in is not decided,
and another process goes on behind it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

__all__ = ["MOST_ENDS", "Notes", "run_apart"]

#: After so many processes that ended before their time the rest is not run.
MOST_ENDS: Final = 20
_VARIABLE: Final = "KITTY_CONFORM_NOTES"


class Notes:
    """The directory that a run and the process that waits for it share."""

    def __init__(self, directory: Path) -> None:
        self.report = directory / "report"
        self._running = directory / "running"
        self._status = directory / "status"
        self._ended = directory / "ended"

    @classmethod
    def of_this_process(cls) -> Self | None:
        """Return the notes to be left by this process, None when it is not one that somebody waits for."""
        directory = os.environ.pop(_VARIABLE, None)
        return None if directory is None else cls(Path(directory))

    @property
    def status(self) -> int | None:
        """The exit status of the kit, once there is one."""
        return int(self._status.read_text(encoding="ascii")) if self._status.is_file() else None

    @status.setter
    def status(self, status: int) -> None:
        self._status.write_text(str(status), encoding="ascii")

    @property
    def running(self) -> str | None:
        """The scenario that was begun last."""
        return self._running.read_text(encoding="utf-8") if self._running.is_file() else None

    @running.setter
    def running(self, node_id: str) -> None:
        self._running.write_text(node_id, encoding="utf-8")

    @property
    def ended(self) -> list[tuple[str, str]]:
        """The processes that ended before their time: the scenario that each was in, and its status."""
        lines = self._ended.read_text(encoding="utf-8").splitlines() if self._ended.is_file() else []
        return [(scenario, status) for status, _, scenario in (line.partition(" ") for line in lines)]

    def end(self, status: int) -> bool:
        """Note that the process ended with ``status``; False when it was in no scenario, so that nothing goes on."""
        scenario = self.running
        if scenario is None:
            return False
        self._running.unlink()
        with self._ended.open("a", encoding="utf-8") as file:
            file.write(f"{status} {scenario}\n")
        return True


def run_apart(arguments: Sequence[str], spec: str) -> int | None:
    """Run ``kitty-conform`` with ``arguments`` and return its exit status; None when it ended with nothing decided."""
    with tempfile.TemporaryDirectory() as directory:
        notes = Notes(Path(directory))
        while True:
            done = subprocess.run(
                [sys.executable, "-m", "kitty_conformance.command", *arguments],
                env={**os.environ, _VARIABLE: directory},
                check=False,
            )
            if notes.status is not None:
                return notes.status
            print(f"\nkitty-conform: the run against {spec} ended before its end, with status {done.returncode}", end="", file=sys.stderr)  # fmt: skip
            if not notes.end(done.returncode):
                print(": nothing is decided.", file=sys.stderr)
                return None
            scenario, _ = notes.ended[-1]
            print(f", in {scenario}. Another process goes on behind it.", file=sys.stderr)
            print("An implementation in this process can end it; try served: in front of its name.", file=sys.stderr)
