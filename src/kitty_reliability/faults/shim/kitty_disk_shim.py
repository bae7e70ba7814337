"""Makes writes to one file misbehave, inside the Python process that does them.

Modes: ``lost`` (every write claims success and nothing is written), ``altered`` (something else of the same length
is written), ``full`` (every write fails), ``torn`` (a
number of bytes is written, then writes fail), ``slow`` (every write waits first). A rename onto the file counts
as a write. Each time it acts it adds a byte to a marker file, so that a fault that never took effect is known.

Standard library only, no import of the package: it also runs inside other programs.
"""

from __future__ import annotations

import builtins
import errno
import io
import json
import os
import time
from typing import Any

__all__ = ["Shim", "install_from_environment"]

_WRITABLE = os.O_WRONLY | os.O_RDWR


class Shim:
    """One fault on one file.

    Arguments:
        path: the file. marker: the file that counts how often the fault acted.
        mode: ``lost``, ``altered``, ``full``, ``torn`` or ``slow``.
        bytes_through: for ``torn``, what gets through before writes fail. seconds: for ``slow``.
    """

    def __init__(self, path: str, marker: str, mode: str, bytes_through: int = 0, seconds: float = 0.0) -> None:
        self.path = os.path.abspath(path)
        self.marker = marker
        self.mode = mode
        self.left = bytes_through
        self.seconds = seconds
        self.descriptors: set[int] = set()
        self.original: dict[str, Any] = {
            "open": os.open,
            "write": os.write,
            "close": os.close,
            "replace": os.replace,
            "rename": os.rename,
            "io_open": io.open,
        }

    def install(self) -> None:
        """Put the fault in place."""
        for name in ("open", "write", "close", "replace", "rename"):
            setattr(os, name, getattr(self, f"_{name}"))
        for module in (io, builtins):
            module.open = self._io_open  # type: ignore[attr-defined]

    def remove(self) -> None:
        """Take the fault away."""
        for name in ("open", "write", "close", "replace", "rename"):
            setattr(os, name, self.original[name])
        for module in (io, builtins):
            module.open = self.original["io_open"]  # type: ignore[attr-defined]

    # --- deciding

    def _is_target(self, path: Any) -> bool:
        if isinstance(path, int):
            return path in self.descriptors
        try:
            return bool(os.path.abspath(os.fspath(path)) == self.path)
        except (TypeError, ValueError):
            return False

    def _acted(self) -> None:
        descriptor = self.original["open"](self.marker, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.original["write"](descriptor, b".")
        self.original["close"](descriptor)

    def _through(self, size: int) -> int:
        """Return how many of ``size`` bytes are really written; raise when the write fails as a whole."""
        self._acted()
        if self.mode == "lost":
            return 0
        if self.mode == "slow":
            time.sleep(self.seconds)
            return size
        if self.mode == "altered":
            return size
        through = min(size, self.left) if self.mode == "torn" else 0
        if through == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)
        self.left -= through
        return through

    def _bytes(self, data: Any, through: int) -> bytes:
        """Return what is really written of ``data``."""
        kept = bytes(memoryview(data).cast("B")[:through])
        return kept if self.mode != "altered" else bytes(byte if byte in b"\r\n" else 0x20 for byte in kept)

    # --- os

    def _open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        lose = self.mode == "lost" and flags & os.O_TRUNC and self._is_target(path)
        descriptor: int = self.original["open"](path, flags & ~os.O_TRUNC if lose else flags, mode, dir_fd=dir_fd)
        # A number comes back when a file was closed behind our back; then it means another file.
        self.descriptors.discard(descriptor)
        if flags & _WRITABLE and self._is_target(path):
            self.descriptors.add(descriptor)
        return descriptor

    def _write(self, descriptor: int, data: Any) -> int:
        if descriptor not in self.descriptors:
            written: int = self.original["write"](descriptor, data)
            return written
        size = memoryview(data).nbytes
        through = self._through(size)
        if through:
            self.original["write"](descriptor, self._bytes(data, through))
        return size if self.mode == "lost" else through

    def _close(self, descriptor: int) -> None:
        self.descriptors.discard(descriptor)
        self.original["close"](descriptor)

    def _replace(
        self, source: Any, target: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None
    ) -> None:
        self._move("replace", source, target, src_dir_fd, dst_dir_fd)

    def _rename(
        self, source: Any, target: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None
    ) -> None:
        self._move("rename", source, target, src_dir_fd, dst_dir_fd)

    def _move(self, how: str, source: Any, target: Any, src_dir_fd: int | None, dst_dir_fd: int | None) -> None:
        if self._is_target(target):
            if self.mode == "torn":
                # A rename is whole or not at all; a disk that is full by now lets it not happen.
                self.left = 0
            self._through(1)
            if self.mode in ("lost", "altered"):
                os.unlink(source, dir_fd=src_dir_fd)
                return
        self.original[how](source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

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
        writes = any(letter in mode for letter in "wax+")
        if opener is not None or not writes or not self._is_target(file):
            return self.original["io_open"](file, mode, buffering, encoding, errors, newline, closefd, opener)
        kept = mode.replace("t", "").replace("b", "")
        if self.mode == "lost" and "w" in kept and os.path.exists(self.path):
            kept = "r+"
        raw = _FaultyFile(file, kept, closefd)
        raw.shim = self
        buffered: Any
        if buffering == 0 and "b" in mode:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in kept else io.BufferedWriter(raw)
        if "b" in mode:
            return buffered
        text: Any = io.TextIOWrapper(buffered, encoding, errors, newline, line_buffering=buffering == 1)
        text.mode = mode
        return text


class _FaultyFile(io.FileIO):
    shim: Shim

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        through = self.shim._through(size)
        if through:
            super().write(self.shim._bytes(data, through))
        return size if self.shim.mode == "lost" else through


def install_from_environment() -> None:
    """Put in place the fault that the environment describes."""
    Shim(**json.loads(os.environ["KITTY_DISK_FAULT"])).install()
