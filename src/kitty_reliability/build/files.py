"""Files read and written with as few calls as the system allows; pathlib costs more than a small file does."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["get", "holds", "make_directory", "put", "put_seen"]

_SAFE: Final = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_WRITE: Final = os.O_WRONLY | os.O_CREAT | _SAFE
_READ: Final = os.O_RDONLY | _SAFE


def make_directory(path: str) -> None:
    """Make a directory, and those above it that are missing; one that is there is left as it is."""
    try:
        os.mkdir(path)
    except FileExistsError:
        pass
    except FileNotFoundError:
        # Most often only the last one is missing, so those above are looked at last.
        os.makedirs(path, exist_ok=True)


def put(path: str, data: bytes, mode: int = 0o666) -> None:
    """Write a file, with the directories that it needs.

    A file that is there is cut after it was written, not before: ext4 brings one that was emptied first to the
    disk when it is closed, which costs more than all else here.
    """
    os.close(_written(path, data, mode))


def put_seen(path: str, data: bytes, mode: int = 0o666) -> os.stat_result:
    """Write a file as ``put`` does, and return its stat, which takes longer than the writing."""
    descriptor = _written(path, data, mode)
    try:
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


def get(path: str) -> tuple[bytes, os.stat_result]:
    """Return what is in a file, and its stat.

    Raises:
        OSError: it cannot be read, or is a link.
    """
    descriptor = os.open(path, _READ)
    try:
        stat = os.fstat(descriptor)
        data = os.read(descriptor, stat.st_size)
        while len(data) < stat.st_size and (more := os.read(descriptor, stat.st_size - len(data))):
            data += more
        return data, stat
    finally:
        os.close(descriptor)


def holds(path: str, data: bytes) -> bool:
    """Say whether ``path`` is a file, and no link, with just these bytes in it."""
    try:
        descriptor = os.open(path, _READ)
    except OSError:
        return False
    try:
        return os.read(descriptor, len(data) + 1) == data
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _written(path: str, data: bytes, mode: int) -> int:
    try:
        descriptor = os.open(path, _WRITE, mode)
    except FileNotFoundError:
        make_directory(os.path.dirname(path))
        descriptor = os.open(path, _WRITE, mode)
    try:
        done = os.write(descriptor, data)
        while done < len(data):
            done += os.write(descriptor, memoryview(data)[done:])
        if os.lseek(descriptor, 0, os.SEEK_END) > done:
            os.ftruncate(descriptor, done)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
