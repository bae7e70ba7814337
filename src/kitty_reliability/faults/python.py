"""What the faults have in common that reach Python code in this process, and Python programs in any other one."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from . import shim

__all__ = ["PythonFault"]


@dataclass(frozen=True, slots=True)
class PythonFault:
    """A fault on ``path`` that a shim puts in place.

    Arguments:
        path: what misbehaves.
        mode: how.
        marker: a file, not there yet, that counts how often the fault acted; outside of ``path``.
    """

    path: Path
    mode: str
    marker: Path

    #: The shim's module, and the variable that tells it of the fault.
    _shim: ClassVar[str]
    _variable: ClassVar[str]

    @property
    def acted(self) -> int:
        """How often the fault acted so far."""
        return len(self._said())

    def _said(self) -> list[str]:
        try:
            return self.marker.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []

    @contextmanager
    def here(self) -> Iterator[None]:
        """Put the fault in place in this process, for as long as the block lasts."""
        fault = importlib.import_module(f"{shim.__name__}.{self._shim}").Shim(**self._arguments())
        fault.install()
        try:
            yield
        finally:
            fault.remove()

    def environment(self) -> dict[str, str]:
        """Return the variables that put the fault in place in a Python program that is started with them."""
        return {self._variable: json.dumps(self._arguments()), "PYTHONPATH": shim.python_path(os.environ)}

    def _arguments(self) -> dict[str, Any]:
        return {**asdict(self), "path": str(self.path), "marker": str(self.marker)}
