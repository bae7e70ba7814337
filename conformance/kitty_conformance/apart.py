"""A run in a process of its own, for what is under test may end the process that it runs in.

The process leaves notes in a directory. When it ends before its time, the scenario that it was in is not decided,
and another process goes on behind it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from .reporting.document import line, read_report

__all__ = ["MOST_ENDS", "Notes", "reproduce_apart", "run_apart"]

#: After so many processes that ended before their time the rest is not run.
MOST_ENDS: Final = 20
_VARIABLE: Final = "KITTY_CONFORM_NOTES"


class Notes:
    """The directory that a run and the process that waits for it share."""

    def __init__(self, directory: Path) -> None:
        self._running = directory / "running"
        self._status = directory / "status"
        self._ended = directory / "ended"

    @classmethod
    def of_this_process(cls) -> Self | None:
        """Return the notes to be left by this process, None when it is not one that somebody waits for."""
        directory = os.environ.pop(_VARIABLE, None)
        return None if directory is None else cls(Path(directory))

    @staticmethod
    def environment(directory: Path) -> dict[str, str]:
        """Return the environment of a process that leaves its notes in ``directory``."""
        return {**os.environ, _VARIABLE: str(directory)}

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


def run_apart(arguments: Sequence[str], spec: str, directory: Path) -> int | None:
    """Run ``kitty-conform`` with ``arguments`` and return its exit status; None when it ended with nothing decided.

    ``directory`` is an empty one for notes.
    """
    notes = Notes(directory)
    while True:
        done = subprocess.run(
            [sys.executable, "-m", "kitty_conformance.command", *arguments],
            env=Notes.environment(directory),
            check=False,
        )
        if notes.status is not None:
            return notes.status
        said = f"kitty-conform: the run against {spec} ended before its end, with status {done.returncode}"
        if not notes.end(done.returncode):
            print(f"\n{said}: nothing is decided.", file=sys.stderr)
            return None
        scenario, _ = notes.ended[-1]
        print(f"\n{said}, in {scenario}. Another process goes on behind it.", file=sys.stderr)
        print("An implementation in this process can end it; try served: in front of its name.", file=sys.stderr)


def reproduce_apart(report: Path, directory: Path, notes: Path, behind: Sequence[str]) -> None:
    """Write reproductions of the failures in ``report`` into ``directory``, and name them in its footer."""
    document = read_report(report)
    failed = [one["scenario"] for one in document.results if one["verdict"] in ("fail", "known deviation")]
    if not failed or document.footer is None:
        return
    found = notes / "reproductions"
    subprocess.run(
        [sys.executable, "-m", "kitty_conformance.reproducing", str(report), str(directory), str(found), *behind],
        check=False,
    )
    ended = {"reason": "the process that ran it again ended before its end"}
    made = json.loads(found.read_text(encoding="utf-8")) if found.is_file() else dict.fromkeys(failed, ended)
    document.footer = {**document.footer, "reproductions": made}
    report.write_text("".join(map(line, [document.header, *document.results, document.footer])), encoding="ascii")
    folders = [one["folder"] for one in made.values() if "folder" in one]
    print(f"reproductions: {len(folders)} of {len(failed)} failures, in {directory}")
