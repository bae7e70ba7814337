"""A command that cannot make a file larger than so many bytes, from its first write on (STA-003)."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from .running import NotSupportedHere, Running

__all__ = ["start_limited"]

# Sets the limit in the process that becomes the program: set from outside it would race with the program's first
# write, and nothing may be run between fork and exec of a process that has threads. Why it could not is said through
# a pipe that closes when the program starts.
_LIMITER: Final = """\
import os, resource, signal, sys
failed, limit, ignored = map(int, sys.argv[1:4])
os.set_inheritable(failed, False)
try:
    # Python ignores both, and a program would inherit that.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN if ignored else signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    os.execvp(sys.argv[4], sys.argv[4:])
except Exception as error:
    os.write(failed, f"{getattr(error, 'errno', 0)} {getattr(error, 'strerror', error)}".encode())
"""


def start_limited(
    argv: tuple[str, ...], environment: Mapping[str, str], cwd: Path | str, stdin: Any, limit: int, *, ignored: bool
) -> Running:
    """Start a command whose files cannot grow beyond ``limit`` bytes; the rest as of ``Sandbox.start``."""
    if sys.platform == "win32":
        raise NotSupportedHere("limiting the size of files needs RLIMIT_FSIZE, and Windows has no such limit")
    if limit < 0:  # it would be taken for a huge one
        raise ValueError(f"a limit of {limit} bytes")
    ours, theirs = os.pipe()
    with open(ours, "rb") as failed:  # noqa: PTH123 - a descriptor
        try:
            # Isolated and without site: ten milliseconds, and no variable has a say.
            words = [sys.executable, "-I", "-S", "-c", _LIMITER, str(theirs), str(limit), str(int(ignored)), *argv]
            running = Running(argv, words, environment, cwd, stdin, (theirs,))
        finally:
            os.close(theirs)
        number, _, why = failed.read().decode("utf-8", "replace").partition(" ")
    if number:
        running.kill()
        raise OSError(int(number), f"{argv[0]}, limited to {limit} bytes a file: {why}")
    return running
