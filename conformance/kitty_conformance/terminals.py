"""Commands whose output goes elsewhere than to two pipes: to terminals, or both streams to one pipe."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from kitty_reliability.implementations.processes import Finished, Process, end_group, start_group
from pytest_kitty.scenarios import inconclusive

__all__ = ["run_in_terminals", "run_merged"]

_ROWS_AND_COLUMNS = (50, 500)


def run_merged(argv: Sequence[str], environment: Mapping[str, str], cwd: Path | str, seconds: float) -> Finished:
    """Run a command whose stdout and stderr are one; all of it is in ``stdout`` of what is returned."""
    with tempfile.TemporaryFile() as out:
        process = start_group(
            argv, environment, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
        status = _end(process, seconds)
        out.seek(0)
        return Finished(list(argv), status, out.read(), b"", 0.0)


def run_in_terminals(argv: Sequence[str], environment: Mapping[str, str], cwd: Path | str, seconds: float) -> Finished:
    """Run a command whose stdout is one terminal and whose stderr is another; inconclusive without such."""
    if sys.platform == "win32":
        inconclusive("this system has no pseudo-terminals")
    import pty
    import termios

    ours, theirs = zip(*(pty.openpty() for _ in range(2)), strict=True)
    read: list[bytearray] = [bytearray(), bytearray()]
    readers = [threading.Thread(target=_read, args=pair, daemon=True) for pair in zip(ours, read, strict=True)]
    try:
        for terminal in theirs:
            termios.tcsetwinsize(terminal, _ROWS_AND_COLUMNS)
        out, err = theirs
        process = start_group(argv, environment, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
    finally:
        for terminal in theirs:
            os.close(terminal)
    for reader in readers:
        reader.start()
    status = _end(process, seconds)
    for reader in readers:
        reader.join(seconds)
    for terminal in ours:
        os.close(terminal)
    return Finished(list(argv), status, bytes(read[0]), bytes(read[1]), 0.0)


def _read(terminal: int, into: bytearray) -> None:
    try:
        while chunk := os.read(terminal, 65536):
            into += chunk
    except OSError:
        return  # Linux says so when nobody has the other end any more


def _end(process: Process, seconds: float) -> int | None:
    """Return the exit status; None when it had to be killed after ``seconds``."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        end_group(process)
        return None
