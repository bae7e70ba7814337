"""Stands in for the calls on files that Python code makes in this process: what the shims of files share.

Standard library only, no import of the package: it also runs inside other programs.
"""

from __future__ import annotations

import builtins
import io
import os
from collections.abc import Callable
from functools import partial
from typing import Any

__all__ = ["FileShim"]


class FileShim:
    """What stands in for ``open()`` and for the functions of ``os`` in ``names``, as far as the system has them.

    Arguments:
        path: what misbehaves. marker: the file that gets a line each time the fault acts.
        mode: how. bytes_through: how much of a write counts.
    """

    #: The functions of ``os``, separated by blanks; for each the class has a method of that name after ``_``.
    names: str

    def __init__(self, path: str, marker: str, mode: str, bytes_through: int) -> None:
        self.path = path
        self.marker = os.path.abspath(marker)
        self.mode = mode
        self.bytes_through = bytes_through
        #: What the system has of them.
        self.original: dict[str, Any] = {name: getattr(os, name) for name in self.names.split() if hasattr(os, name)}
        self.original_open = io.open

    def install(self) -> None:
        """Put the fault in place."""
        for name in self.original:
            setattr(os, name, self._instead_of(name))
        for module in (io, builtins):
            module.open = self._io_open  # type: ignore[attr-defined]

    def remove(self) -> None:
        """Take the fault away."""
        for name, original in self.original.items():
            setattr(os, name, original)
        for module in (io, builtins):
            module.open = self.original_open  # type: ignore[attr-defined]

    def _instead_of(self, name: str) -> Any:
        return getattr(self, f"_{name}")

    def _acted(self, what: str) -> None:
        descriptor = self.original["open"](self.marker, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.original["write"](descriptor, f"{what}\n".encode(errors="backslashreplace"))
        os.close(descriptor)

    # --- what each fault decides

    def put(self, descriptor: int, data: Any, write: Callable[[Any], Any]) -> Any:
        """Do ``write(data)``, or what the fault makes of it on that descriptor; return what the writer is told."""
        raise NotImplementedError

    def is_ours(self, descriptor: int) -> bool:
        """Say whether a descriptor is open on what misbehaves; not its number tells, which is used again."""
        raise NotImplementedError

    def _opening(self, file: Any, mode: str, opener: Any) -> str | None:
        """Return the mode, without ``t`` and ``b``, in which a file is opened whose writes are looked at."""
        raise NotImplementedError

    def _opened(self, descriptor: int, file: Any) -> None:
        """Take note of a descriptor that ``open()`` got."""

    def _move(self, how: str, source: Any, target: Any, **folders: int | None) -> None:
        raise NotImplementedError

    # --- os

    def _write(self, descriptor: int, data: Any) -> Any:
        return self.put(descriptor, data, partial(self.original["write"], descriptor))

    def _writev(self, descriptor: int, buffers: Any) -> Any:
        if self.is_ours(descriptor):
            return self._write(descriptor, b"".join(buffers))
        return self.original["writev"](descriptor, buffers)

    def _pwrite(self, descriptor: int, data: Any, offset: int) -> Any:
        return self.put(descriptor, data, lambda part: self.original["pwrite"](descriptor, part, offset))

    def _replace(self, src: Any, dst: Any, **folders: int | None) -> None:
        self._move("replace", src, dst, **folders)

    def _rename(self, src: Any, dst: Any, **folders: int | None) -> None:
        self._move("rename", src, dst, **folders)

    # --- open()

    def _io_open(
        self,
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> Any:
        kept = self._opening(file, mode, opener)
        if kept is None:
            return self.original_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
        raw = _File(file, kept, closefd, opener)
        raw.shim = self
        self._opened(raw.fileno(), file)
        if buffering == 0 and "b" in mode:
            return raw
        buffered: Any = io.BufferedRandom(raw) if "+" in kept else io.BufferedWriter(raw)
        if "b" in mode:
            return buffered
        text: Any = io.TextIOWrapper(buffered, encoding, errors, newline, line_buffering=buffering == 1)
        text.mode = mode
        return text


class _File(io.FileIO):
    shim: FileShim

    def write(self, data: Any) -> Any:
        return self.shim.put(self.fileno(), data, super().write)
