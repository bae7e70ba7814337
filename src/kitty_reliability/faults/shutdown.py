"""Work that is really scheduled while an interpreter exits (clause SYN-001)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from .running import Ran, Running

__all__ = ["ran_during_shutdown", "run_during_shutdown"]

#: Runs the given program from an exit handler, when the executors have already stopped for good: that is how a
#: finalizer finds the interpreter. The status has to be forced, since exit handlers have no say in it.
_AT_EXIT: Final = """
import atexit, concurrent.futures.thread, os, runpy, sys, traceback
kind, program, first = sys.argv[1:4]
sys.argv = [program if kind == "file" else "-c", *sys.argv[4:]]
status = 0
def end():
    if status:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)
def run():
    global status
    try:
        if kind == "file":
            runpy.run_path(program, run_name="__main__")
        else:
            exec(compile(program, "<during shutdown>", "exec"), {"__name__": "__main__"})
    except SystemExit as leaving:
        if not isinstance(leaving.code, (int, type(None))):
            print(leaving.code, file=sys.stderr)
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
atexit.register(end)
atexit.register(run)
exec(compile(first, "<before shutdown>", "exec"), {"__name__": "__before__"})
"""


def run_during_shutdown(
    program: str | Path,
    *arguments: str,
    before: str = "",
    python: Path | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    seconds: float = 60.0,
) -> subprocess.CompletedProcess[str]:
    """Run a Python program inside an interpreter that is already exiting, and return what became of it.

    Whatever it hands to a thread pool fails with the interpreter's own "cannot schedule new futures after
    interpreter shutdown"; from Python 3.12 on no thread starts either. Exit handlers that it registers come too
    late; those that ``before`` registers run, and find the same.

    Arguments:
        program: source text, or the path of a file. arguments: its ``sys.argv[1:]``.
        before: source text that runs in the same process while all is well, such as slow imports.
        python: the interpreter; this one unless given. environment: all of it; inherited unless given.
        directory: where it runs. seconds: after which it is killed. What it started ends with it.

    Raises:
        subprocess.TimeoutExpired: it had to be killed.
        OSError: it cannot be started.
    """
    ran = ran_during_shutdown(program, arguments, before, python, environment, directory, seconds)
    if ran.late:
        raise subprocess.TimeoutExpired(ran.argv, seconds, ran.stdout, ran.stderr)
    status = ran.status if ran.status is not None else -(ran.signal or 0)
    texts = (said.decode("utf-8", "replace") for said in (ran.stdout, ran.stderr))
    return subprocess.CompletedProcess(list(ran.argv), status, *texts)


def ran_during_shutdown(
    program: str | Path,
    arguments: Sequence[str] = (),
    before: str = "",
    python: Path | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    seconds: float = 60.0,
) -> Ran:
    """Do as ``run_during_shutdown`` does, and return a ``Ran``: ``late`` if it had to be killed."""
    kind = "file" if isinstance(program, Path) else "text"
    argv = (str(python or sys.executable), "-c", _AT_EXIT, kind, str(program), before, *arguments)
    with Running(argv, argv, os.environ if environment is None else environment, directory, subprocess.DEVNULL) as run:
        return run.wait(seconds)
