"""One call on a file fails, lies, or is a Python process's last (clauses STA-001, STA-002, STA-003, STA-009).

Calls are counted, so that each in turn can be struck until there are no more: ``acted`` is 0 then.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["CallFault"]

_SHIM = Path(__file__).parent / "shim"


@dataclass(frozen=True, slots=True)
class CallFault:
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

    path: Path
    mode: Literal["fail", "fail-on", "stop", "cut", "short"]
    marker: Path
    number: int = 1
    bytes_through: int = 0

    @property
    def acted(self) -> int:
        """How often the fault acted so far."""
        return len(self._said())

    @property
    def what(self) -> str:
        """The call that was struck first, such as ``write /the/file``; empty when none was."""
        return next(iter(self._said()), "")

    def _said(self) -> list[str]:
        try:
            return self.marker.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []

    @contextmanager
    def here(self) -> Iterator[None]:
        """Put the fault in place in this process, for as long as the block lasts. ``stop`` and ``cut`` end it."""
        from .shim.kitty_call_shim import Shim

        shim = Shim(**self._arguments())
        shim.install()
        try:
            yield
        finally:
            shim.remove()

    def environment(self) -> dict[str, str]:
        """Return the variables that put the fault in place in a Python program that is started with them."""
        path = [str(_SHIM), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {"KITTY_CALL_FAULT": json.dumps(self._arguments()), "PYTHONPATH": os.pathsep.join(path)}

    def _arguments(self) -> dict[str, Any]:
        return {**asdict(self), "path": str(self.path), "marker": str(self.marker)}
