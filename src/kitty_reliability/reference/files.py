"""Writing files so that what is said to be on disk is on disk. PYTEST_DONT_REWRITE"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

__all__ = ["append_durably", "cut", "replace_file", "sync_directory", "write_exclusively"]


def append_durably(path: Path, data: bytes) -> None:
    """Add ``data`` at the end of ``path`` and wait until the disk has it.

    Raises:
        OSError: whatever the system says. Some of the bytes may stand then.
    """
    fresh = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _BINARY | _NO_FOLLOW, 0o666)
    _write_and_close(descriptor, data)
    if fresh:
        sync_directory(path.parent)


def cut(path: Path, size: int) -> None:
    """Cut ``path`` to ``size`` bytes and wait until the disk has it."""
    descriptor = os.open(path, os.O_WRONLY | _BINARY | _NO_FOLLOW)
    try:
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_exclusively(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write a new file and wait until the disk has it; FileExistsError when there is one."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY | _NO_FOLLOW, mode)
    try:
        _write_and_close(descriptor, data)
    except BaseException:
        # Half a file under this name would be taken for the whole one.
        with contextlib.suppress(OSError):
            path.unlink()
        raise
    sync_directory(path.parent)


def replace_file(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Replace ``path`` as a whole: nobody ever sees half of it. ``durable``, for what cannot be derived again."""
    # The name cannot be guessed, so nobody can put a link there first.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
        _write_and_close(descriptor, data, durable=durable)
        temporary.replace(path)
        if durable:
            sync_directory(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def sync_directory(directory: Path) -> None:
    """Make a new name in ``directory`` durable, where the platform can."""
    if os.name == "nt":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_and_close(descriptor: int, data: bytes, *, durable: bool = True) -> None:
    try:
        # One call is the rule; a disk that takes less is asked again for the rest.
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


_BINARY: int = getattr(os, "O_BINARY", 0)
_NO_FOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
