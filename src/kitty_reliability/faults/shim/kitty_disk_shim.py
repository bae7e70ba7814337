"""Makes writes to one file misbehave, inside the Python process that does them.

Modes: ``lost`` (every write claims success and nothing is written), ``altered`` (something else of the same length
is written), ``full`` (every write fails), ``torn`` (a number of bytes is written, then writes fail), ``slow`` (every
write waits first). A rename onto the file counts as a write; ``altered`` loses it. Each time it acts it adds a line
to a marker file, so that a fault that never took effect is known. ``io.FileIO`` called by its name, ``mmap`` and C
extensions go past it.

Standard library only, no import of the package: it also runs inside other programs.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from .kitty_file_shim import FileShim
else:  # in another program: beside this file, on the path
    from kitty_file_shim import FileShim

__all__ = ["Shim", "install_from_environment"]


class Shim(FileShim):
    """One fault on one file, by whatever name, link or descriptor it is written.

    Arguments:
        path: the file. marker: the file that counts how often the fault acted.
        mode: ``lost``, ``altered``, ``full``, ``torn`` or ``slow``.
        bytes_through: for ``torn``, what gets through before writes fail. seconds: for ``slow``.
    """

    names = "open write writev pwrite pwritev sendfile copy_file_range replace rename"

    def __init__(self, path: str, marker: str, mode: str, bytes_through: int = 0, seconds: float = 0.0) -> None:
        super().__init__(os.path.abspath(path), marker, mode, bytes_through)
        self.left = bytes_through
        self.seconds = seconds

    # --- deciding

    def is_ours(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except OSError:
            return False

    def _is_target(self, path: Any, directory: int | None = None, *, follow: bool = True) -> bool:
        """Say whether a path, relative to an open directory perhaps, leads to the file; a rename replaces a link."""
        if isinstance(path, int):
            return self.is_ours(path)
        relative: dict[str, Any] = {} if directory is None else {"dir_fd": directory}
        try:
            text, own = os.fsdecode(path), self.path
            if follow:
                try:
                    return os.path.samestat(os.stat(text, **relative), os.stat(own))
                except FileNotFoundError:  # one of them is not there yet: its place tells
                    own = os.path.realpath(own)
                    text = os.path.realpath(text) if directory is None else text
            folder, name = os.path.split(text)
            own_folder, own_name = os.path.split(own)
            return name == own_name and os.path.samestat(os.stat(folder or ".", **relative), os.stat(own_folder))
        except (OSError, TypeError, ValueError):
            return False

    def _through(self, size: int) -> int:
        """Return how many of ``size`` bytes are really written; raise when the write fails as a whole."""
        self._acted(self.mode)
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

    def put(self, descriptor: int, data: Any, write: Callable[[Any], Any]) -> Any:
        if not self.is_ours(descriptor):
            return write(data)
        size = memoryview(data).nbytes
        through = self._through(size) if size else 0
        if through:
            kept = bytes(memoryview(data).cast("B")[:through])
            write(kept if self.mode != "altered" else bytes(byte if byte in b"\r\n" else 0x20 for byte in kept))
        return size if self.mode == "lost" else through

    # --- os

    def _open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if self.mode == "lost" and flags & os.O_TRUNC and self._is_target(path, dir_fd):
            flags &= ~os.O_TRUNC
        descriptor: int = self.original["open"](path, flags, mode, dir_fd=dir_fd)
        return descriptor

    def _pwritev(self, descriptor: int, buffers: Any, offset: int, flags: int = 0) -> Any:
        if self.is_ours(descriptor):
            return self._pwrite(descriptor, b"".join(buffers), offset)
        return self.original["pwritev"](descriptor, buffers, offset, flags)

    # What the kernel copies by itself is read and written here instead, as any caller has to expect: a part at a time.

    def _sendfile(self, target: int, source: int, offset: int | None, count: int, *rest: Any, **keys: Any) -> Any:
        if self.is_ours(target):
            return self._write(target, _read(source, count, offset))
        return self.original["sendfile"](target, source, offset, count, *rest, **keys)

    def _copy_file_range(
        self, src: int, dst: int, count: int, offset_src: int | None = None, offset_dst: int | None = None
    ) -> Any:
        if not self.is_ours(dst):
            return self.original["copy_file_range"](src, dst, count, offset_src, offset_dst)
        data = _read(src, count, offset_src)
        return self._write(dst, data) if offset_dst is None else self._pwrite(dst, data, offset_dst)

    def _move(self, how: str, source: Any, target: Any, **folders: int | None) -> None:
        if self._is_target(target, folders.get("dst_dir_fd"), follow=False):
            if self.mode == "torn":
                # A rename is whole or not at all; a disk that is full by now lets it not happen.
                self.left = 0
            self._through(1)
            # Blanks for a whole file would destroy rows that were durable before, which no writer can prevent.
            if self.mode in ("lost", "altered"):
                os.unlink(source, dir_fd=folders.get("src_dir_fd"))
                return
        self.original[how](source, target, **folders)

    # --- open()

    def _opening(self, file: Any, mode: str, opener: Any) -> str | None:
        # Where an opener leads is known only once it has opened.
        if not any(letter in mode for letter in "wax+") or (opener is None and not self._is_target(file)):
            return None
        kept = mode.replace("t", "").replace("b", "")
        if self.mode == "lost" and "w" in kept and os.path.exists(self.path) and self._is_target(file):
            return "r+"
        return kept


def _read(descriptor: int, count: int, offset: int | None) -> bytes:
    part = min(count, 1 << 20)
    return os.read(descriptor, part) if offset is None else os.pread(descriptor, part, offset)


def install_from_environment() -> None:
    """Put in place the fault that the environment describes."""
    Shim(**json.loads(os.environ["KITTY_DISK_FAULT"])).install()
