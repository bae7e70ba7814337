"""One call on a file fails, lies, or is a Python process's last (clauses STA-001, STA-002, STA-003, STA-009).

Calls are counted, so that each in turn can be struck until there are no more: ``acted`` is 0 then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .python import PythonFault

__all__ = ["CallFault"]


@dataclass(frozen=True, slots=True)
class CallFault(PythonFault):
    """A fault at one call that Python code makes on ``path``, or on what is in that folder.

    Arguments:
        path: a file, or a folder.
        mode: ``fail``: call ``number`` fails (open, write, rename, fsync, truncate, unlink). ``fail-on``: so does every
            later one. ``stop``: the process ends before it; calls that only read are not counted then. ``cut``:
            ``bytes_through`` bytes of the first write are written, then the process ends. ``short``: the first write
            claims ``bytes_through`` bytes, and none is there.
        marker: a file, not there yet, that counts how often the fault acted; outside of ``path``.
        number: which call, from 1 on.
        bytes_through: see ``cut`` and ``short``.
    """

    mode: Literal["fail", "fail-on", "stop", "cut", "short"]
    number: int = 1
    bytes_through: int = 0

    _shim = "kitty_call_shim"
    _variable = "KITTY_CALL_FAULT"

    @property
    def what(self) -> str:
        """The call that was struck first, such as ``write /the/file``; empty when none was."""
        return next(iter(self._said()), "")
