"""What the command line prints to: streams that are not open, that nobody reads any more, or whose disk is full."""

from __future__ import annotations

import os
import sys

from .exit_status import refuse

__all__ = ["lost", "open_streams"]


def open_streams() -> None:
    """Open what the process was started without: the next file would be taken for it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def lost(error: OSError) -> int:
    """Say what cannot be written, and return the exit status; what was printed and cannot be, is dropped."""
    what = error.filename
    try:
        print(end="", flush=True)
    except OSError:
        what = what or "what is printed here"
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return refuse("nobody reads any more what is printed here; the rest was not done")
    return refuse(f"{f'{what}: ' if what else ''}{error.strerror}; the rest was not done")
