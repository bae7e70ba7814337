"""A limit on the size of files: an append is torn at any byte that is wanted, in any language, without privilege."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from kitty_conformance.world import World
from kitty_reliability.implementations.base import Implementation
from kitty_reliability.implementations.protocol import Outcome, OutcomeKind
from pytest_kitty.scenarios import inconclusive

__all__ = ["LEVEL", "died_of_it", "limited", "limiter"]

LEVEL = "file-size-limit"

#: SIGXFSZ by its name, as the status of a process (macOS and Linux agree), and as a shell tells it.
_SIGNS = ("SIGXFSZ", "status -25", "status 153", "signal 25")

_LIMITER = """\
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
os.execvp(sys.argv[2], sys.argv[2:])
"""


def limiter(size: int) -> list[str]:
    """Return the words that start a program whose files may not grow beyond ``size`` bytes."""
    if sys.platform == "win32":
        inconclusive(f"{LEVEL}: Windows has no such limit")
    # Isolated and without site: ten milliseconds, and no variable has a say.
    return [sys.executable, "-I", "-S", "-c", _LIMITER, str(size)]


@contextmanager
def limited(world: World, size: int) -> Iterator[Implementation]:
    """Yield a session whose files may not grow beyond ``size`` bytes, for as long as the block lasts.

    This process and a running session are limited as they are, where the system can do that. Others are started anew.
    """
    if sys.platform == "win32":
        inconclusive(f"{LEVEL}: Windows has no such limit")
    import resource

    world.worlds.untraceable("the size of files is limited")
    implementation = world.implementation
    here = implementation.in_this_process
    process = 0 if here else implementation.process_id
    if here or (process is not None and sys.platform == "linux"):
        # Zero means this process.
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        _limit(process or 0, size, limits[1])
        try:
            yield implementation
        finally:
            # A session that died of it is not there any more.
            with contextlib.suppress(ProcessLookupError):
                _limit(process or 0, *limits)
        return
    # Compiled files would be torn as well, and stay.
    quiet = {"PYTHONDONTWRITEBYTECODE": "1"}
    with implementation.sibling(quiet, wrapper=limiter(size)) as session:
        yield session


def died_of_it(outcome: Outcome) -> bool:
    """Say whether a program was ended by the signal that a write beyond the limit sends."""
    return outcome.kind is OutcomeKind.CRASHED and any(sign in str(outcome) for sign in _SIGNS)


def _limit(process: int, soft: int, hard: int) -> None:
    import resource

    if process == 0 or sys.platform != "linux":
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    else:
        resource.prlimit(process, resource.RLIMIT_FSIZE, (soft, hard))
