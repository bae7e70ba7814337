"""What ``kitty.run`` gives back. PYTEST_DONT_REWRITE"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kitty_reliability.observe.output import Output

if TYPE_CHECKING:
    from kitty_reliability.faults.finalizer import FinalizedRun
    from kitty_reliability.faults.sync_script import SyncFault
    from kitty_reliability.faults.sync_service import SyncRequest

__all__ = ["CommandResult"]


@dataclass(frozen=True, slots=True)
class CommandResult:
    """A command that has ended.

    ``status`` is its exit status, None when a signal ended it; ``ending`` says so in words. ``requests`` is what it
    asked of the hosted service, ``acted`` the faults that it met there.
    """

    status: int | None
    ending: str
    stdout: Output
    stderr: Output
    requests: tuple[SyncRequest, ...]
    acted: tuple[SyncFault, ...]

    @classmethod
    def of(cls, done: FinalizedRun) -> CommandResult:
        """Return ``done`` with streams that can be looked at."""
        ran = done.ran
        return cls(ran.status, ran.ending, Output(ran.stdout), Output(ran.stderr), done.requests, done.acted)
