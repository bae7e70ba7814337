"""A run in a process of its own, for what is under test may end the process that it runs in.

The process leaves notes in a directory. When it ends before its time, the scenario that it was in is not decided,
and another process goes on behind it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn, Self

from .reporting.document import line, read_report

__all__ = ["MOST_ENDS", "Notes", "ends_in_order", "reproduce_apart", "run_apart"]

#: After so many processes that ended before their time the rest is not run.
MOST_ENDS: Final = 20
_VARIABLE: Final = "KITTY_CONFORM_NOTES"
#: What a person or a CI ends a run with.
_ENDS: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

_Handler = Callable[[int, FrameType | None], object]


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
        return {**own_environment(), _VARIABLE: str(directory)}

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


def own_environment() -> dict[str, str]:
    """Return an environment in which git and pytest go by nothing of the user's.

    What git is told to sign, to run as a hook or to convert is no part of an implementation, nor is another repository
    that a hook has in its variables.
    """
    theirs = {name for name in os.environ if name == "PYTEST_ADDOPTS" or name.startswith("GIT_")} - {"GIT_EXEC_PATH"}
    plain = {name: value for name, value in os.environ.items() if name not in theirs}
    return plain | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}


def ends_in_order() -> None:
    """Let this process, when it is told to end, write its report and end what it started; once is enough."""

    def stop(*_: object) -> NoReturn:
        # A terminal tells the whole group, and whoever waits for this process passes it on.
        for number in _ENDS:
            signal.signal(number, lambda *_: None)
        raise KeyboardInterrupt

    _handle(stop)


@contextmanager
def _passed_on(process: subprocess.Popen[bytes], ended: list[int]) -> Iterator[None]:
    """Tell ``process`` what this one is told, and kill it when it is told so again; ``ended`` has what it was told."""

    def pass_on(number: int, _: FrameType | None) -> None:
        ended.append(number)
        (process.kill if len(ended) > 1 else process.terminate)()

    before = _handle(pass_on)
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _handle(handler: _Handler) -> list[tuple[int, signal._HANDLER]]:
    """Have ``handler`` called for each signal that is not ignored, as nohup does; return what was called before."""
    if threading.current_thread() is not threading.main_thread():
        return []
    heeded = [number for number in _ENDS if signal.getsignal(number) is not signal.SIG_IGN]
    return [(number, signal.signal(number, handler)) for number in heeded]


def run_apart(arguments: Sequence[str], spec: str, directory: Path) -> tuple[int | None, bool]:
    """Run ``kitty-conform`` with ``arguments``; return its exit status, and whether it was told to end.

    The status is None when it ended with nothing decided. ``directory`` is an empty one for notes.
    """
    notes = Notes(directory)
    ended: list[int] = []
    while True:
        process = subprocess.Popen(
            # -P: a json.py where it is run is not taken for that of Python.
            [sys.executable, "-P", "-m", "kitty_conformance.command", *arguments],
            env=Notes.environment(directory),
        )
        with _passed_on(process, ended):
            status = process.wait()
        if notes.status is not None:
            return notes.status, bool(ended)
        said = f"kitty-conform: the run against {spec} ended before its end, with status {status}"
        if ended or not notes.end(status):
            print(f"\n{said}: nothing is decided.", file=sys.stderr)
            return None, bool(ended)
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
        [sys.executable, "-P", "-m", "kitty_conformance.reproducing", str(report), str(directory), str(found), *behind],
        env=own_environment(),
        check=False,
    )
    ended = {"reason": "the process that ran it again ended before its end"}
    made = json.loads(found.read_text(encoding="utf-8")) if found.is_file() else dict.fromkeys(failed, ended)
    document.footer = {**document.footer, "reproductions": made}
    report.write_text("".join(map(line, [document.header, *document.results, document.footer])), encoding="ascii")
    folders = [one["folder"] for one in made.values() if "folder" in one]
    print(f"reproductions: {len(folders)} of {len(failed)} failures, in {directory}")
