"""A disk that misbehaves for one file: loses writes, is full, tears a write, is slow (clauses STA-002, STA-003).

The same fault reaches Python code in this process and Python programs in any other one. It counts how often it
acted: a fault that never acted proves nothing, and a scenario that relied on it is inconclusive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .python import PythonFault

__all__ = ["DiskFault"]


@dataclass(frozen=True, slots=True)
class DiskFault(PythonFault):
    """A fault on ``path``, under whatever name it is written, by Python code; ``mmap`` and C extensions go past it.

    Arguments:
        path: the file whose writes misbehave.
        mode: ``lost``: writes claim success and are not there. ``altered``: blanks are there instead; a file that is
            renamed onto ``path`` is lost. ``full``: writes fail. ``torn``: ``bytes_through`` bytes are written, then
            writes fail. ``slow``: each write waits ``seconds`` first.
        marker: a file, not there yet, that counts how often the fault acted; outside the mission.
    """

    mode: Literal["lost", "altered", "full", "torn", "slow"]
    bytes_through: int = 0
    seconds: float = 0.0

    _shim = "kitty_disk_shim"
    _variable = "KITTY_DISK_FAULT"
