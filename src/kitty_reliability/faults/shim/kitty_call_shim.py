"""Counts the calls on a file or on those of a folder, inside the Python process that makes them, and strikes one.

``io.FileIO`` called by its name, ``mmap`` and C extensions go past it. Standard library only, no import of the
package: it also runs inside other programs.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from .kitty_file_shim import FileShim
else:  # in another program: beside this file, on the path
    from kitty_file_shim import FileShim

__all__ = ["ENDED", "Shim", "install_from_environment"]

#: The exit status of a process that was ended here: that of one that was killed, as shells tell it.
ENDED = 137
_WRITABLE = os.O_WRONLY | os.O_RDWR


class Shim(FileShim):
    """One fault at one call.

    Arguments:
        path: a file, or a folder. marker: the file that gets a line each time the fault acts.
        mode: ``fail``, ``fail-on``, ``stop``, ``cut`` or ``short``.
        number: which call. bytes_through: for ``cut``, what is written; for ``short``, what is claimed.
    """

    names = "open write writev pwrite replace rename fsync fdatasync ftruncate truncate unlink remove"

    def __init__(self, path: str, marker: str, mode: str, number: int = 1, bytes_through: int = 0) -> None:
        super().__init__(os.path.realpath(path), marker, mode, bytes_through)
        self.number = number
        self.count = 0
        #: Descriptor -> which file it was opened on, and the path of that.
        self.opened: dict[int, tuple[tuple[int, int], str]] = {}

    def _instead_of(self, name: str) -> Any:
        return getattr(self, f"_{name}", None) or partial(self._by_path, name)

    # --- deciding

    def _target(self, file: Any, directory: int | None = None) -> str | None:
        """Return the path of a file of ours, by a path or a descriptor; None for any other."""
        if isinstance(file, int):
            known, path = self.opened.get(file, ((0, 0), None))
            return path if path is not None and known == _identity(file) else None
        try:
            text = os.fsdecode(file)
        except TypeError:
            return None
        if directory is not None and not os.path.isabs(text):
            text = os.path.join(self._target(directory) or os.sep, text)
        folder, name = os.path.split(os.path.abspath(text))
        path = os.path.join(os.path.realpath(folder), name)
        return path if (path + os.sep).startswith(self.path + os.sep) else None

    def is_ours(self, descriptor: int) -> bool:
        return self._target(descriptor) is not None

    def _is_struck(self, name: str, target: str | None, *, reads: bool = False) -> bool:
        """Count a call on ``target``; say whether it is its turn."""
        if target is None or (reads and self.mode == "stop"):
            return False
        if self.mode in ("cut", "short") and name not in ("write", "rename"):
            return False
        self.count += 1
        if self.count < self.number or (self.count > self.number and self.mode != "fail-on"):
            return False
        self._acted(f"{name} {target}")
        return True

    def _call(self, name: str, target: str | None, make: Callable[[], Any], *, reads: bool = False) -> Any:
        if self._is_struck(name, target, reads=reads):
            self._strike(name, target)
        return make()

    def _strike(self, name: str, target: str | None) -> None:
        if self.mode in ("stop", "cut"):
            os._exit(ENDED)
        number = errno.ENOSPC if name == "write" else errno.EIO
        raise OSError(number, os.strerror(number), target)

    def put(self, descriptor: int, data: Any, write: Callable[[Any], Any]) -> Any:
        target = self._target(descriptor)
        if not self._is_struck("write", target):
            return write(data)
        data = bytes(memoryview(data).cast("B"))
        if self.mode == "cut" and self.bytes_through:
            write(data[: self.bytes_through])
        if self.mode != "short":
            self._strike("write", target)
        return min(self.bytes_through, len(data))

    # --- os

    def _open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        target = self._target(path, dir_fd)
        make = partial(self.original["open"], path, flags, mode, dir_fd=dir_fd)
        descriptor: int = self._call("open", target, make, reads=not flags & _WRITABLE)
        self._know(descriptor, target)
        return descriptor

    def _know(self, descriptor: int, target: str | None) -> None:
        if target is not None:
            self.opened[descriptor] = _identity(descriptor), target

    def _by_path(self, name: str, file: Any, *rest: Any, dir_fd: int | None = None) -> Any:
        """Do a call that takes a path or a descriptor first: truncate, fsync, unlink and their like."""
        keys = {} if dir_fd is None else {"dir_fd": dir_fd}
        file = file.fileno() if hasattr(file, "fileno") else file
        said = {"fdatasync": "fsync", "ftruncate": "truncate", "remove": "unlink"}.get(name, name)
        self._call(said, self._target(file, dir_fd), partial(self.original[name], file, *rest, **keys))

    def _move(self, how: str, source: Any, target: Any, **folders: int | None) -> None:
        struck = self._target(target, folders.get("dst_dir_fd")) or self._target(source, folders.get("src_dir_fd"))
        if self._is_struck("rename", struck):
            if self.mode != "short":
                self._strike("rename", struck)
            # It is claimed, and the new file is nowhere.
            self.original["unlink"](source, dir_fd=folders.get("src_dir_fd"))
            return
        self.original[how](source, target, **folders)

    # --- open()

    def _opening(self, file: Any, mode: str, opener: Any) -> str | None:
        target = self._target(file)
        writes = any(letter in mode for letter in "wax+")
        if opener is None and not isinstance(file, int):
            self._call("open", target, bool, reads=not writes)
        return mode.replace("t", "").replace("b", "") if target is not None and writes else None

    def _opened(self, descriptor: int, file: Any) -> None:
        self._know(descriptor, self._target(file))


def _identity(descriptor: int) -> tuple[int, int]:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return 0, 0
    return status.st_dev, status.st_ino


def install_from_environment() -> None:
    """Put in place the fault that the environment describes."""
    Shim(**json.loads(os.environ["KITTY_CALL_FAULT"])).install()
