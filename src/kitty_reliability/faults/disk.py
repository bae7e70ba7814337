"""A disk that misbehaves for one file: loses writes, is full, tears a write, is slow (clauses STA-002, STA-003).

The same fault reaches Python code in this process and Python programs in any other one. It counts how often it
acted: a fault that never acted proves nothing, and a scenario that relied on it is inconclusive.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["DiskFault"]

_SHIM = Path(__file__).parent / "shim"


@dataclass(frozen=True, slots=True)
class DiskFault:
    """A fault on ``path``, under whatever name it is written, by Python code; ``mmap`` and C extensions go past it.

    Arguments:
        path: the file whose writes misbehave.
        mode: ``lost``: writes claim success and are not there. ``altered``: blanks are there instead; a file that is
            renamed onto ``path`` is lost. ``full``: writes fail. ``torn``: ``bytes_through`` bytes are written, then
            writes fail. ``slow``: each write waits ``seconds`` first.
        marker: a file, not there yet, that counts how often the fault acted; outside the mission.
    """

    path: Path
    mode: Literal["lost", "altered", "full", "torn", "slow"]
    marker: Path
    bytes_through: int = 0
    seconds: float = 0.0

    @property
    def acted(self) -> int:
        """How often the fault acted so far."""
        try:
            return self.marker.stat().st_size
        except FileNotFoundError:
            return 0

    @contextmanager
    def here(self) -> Iterator[None]:
        """Put the fault in place in this process, for as long as the block lasts."""
        from .shim.kitty_disk_shim import Shim

        shim = Shim(**self._arguments())
        shim.install()
        try:
            yield
        finally:
            shim.remove()

    def environment(self) -> dict[str, str]:
        """Return the variables that put the fault in place in a Python program that is started with them."""
        path = [str(_SHIM), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {"KITTY_DISK_FAULT": json.dumps(self._arguments()), "PYTHONPATH": os.pathsep.join(path)}

    def _arguments(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "marker": str(self.marker),
            "mode": self.mode,
            "bytes_through": self.bytes_through,
            "seconds": self.seconds,
        }
