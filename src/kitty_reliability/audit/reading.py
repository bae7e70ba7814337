"""Reading a file that somebody else put there: regular, of bounded size, inside its mission (SEC-003, SEC-005). PYTEST_DONT_REWRITE"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["MAX_BYTES", "MAX_LOG_BYTES", "UnreadableError", "entries", "read_bytes"]

#: Files other than the log are refused from this size on; the largest real one has less than 1 MB.
MAX_BYTES: Final = 16 * 1024 * 1024
#: A log of 100,000 rows has 47 MB.
MAX_LOG_BYTES: Final = 64 * 1024 * 1024
#: A directory with more names than this is not listed to its end.
MAX_ENTRIES: Final = 10_000

#: A pipe in the place of a file would be waited for, a link in its place be followed.
_FLAGS: Final = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class UnreadableError(Exception):
    """A file that is there cannot be read; the text says why, ``remedy`` what to do."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.remedy = remedy
        super().__init__(problem)


def read_bytes(path: Path, inside: Path, limit: int = MAX_BYTES) -> bytes | None:
    """Return the bytes of ``path``, None when there is no such file.

    Arguments:
        inside: the directory that no link may lead out of; resolved.
        limit: in bytes.

    Raises:
        UnreadableError: no regular file, a link that leads out, too large, or not to be opened.
    """
    try:
        descriptor = _open(path, inside)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UnreadableError(f"cannot be opened: {error.strerror}", "give the right to read it") from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise UnreadableError("is no regular file", "put the file itself there")
        if found.st_size > limit:
            raise UnreadableError(f"has {found.st_size} bytes; at most {limit} are read", "make it smaller")
        # Not one byte more than was looked at: it may grow meanwhile.
        with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as file:
            return file.read(found.st_size)
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}", "restore it from git") from None
    finally:
        os.close(descriptor)


def _open(path: Path, inside: Path) -> int:
    if path.parent != inside:
        require_inside(path.parent, inside)
    if not _FLAGS & getattr(os, "O_NOFOLLOW", 0) and path.is_symlink():
        return os.open(require_inside(path, inside), _FLAGS)
    try:
        return os.open(path, _FLAGS)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EMLINK):
            raise
    return os.open(require_inside(path, inside), _FLAGS)


def require_inside(path: Path, inside: Path) -> str:
    """Return where ``path`` really is.

    Raises:
        UnreadableError: outside ``inside``, which is resolved, or nowhere.
    """
    real = os.path.realpath(path)
    if real != str(inside) and not real.startswith(f"{inside}{os.sep}"):
        raise UnreadableError(
            "is a link that leads out of the mission; it was not followed", "put the file itself there"
        )
    if path.is_symlink() and not os.path.lexists(real):
        raise UnreadableError("is a link that leads nowhere", "restore it from git")
    return real


def entries(directory: Path, inside: Path) -> Iterator[tuple[str, bool]]:
    """Yield each name in ``directory``, sorted, and whether it is a directory; nothing when there is no directory.

    Raises:
        UnreadableError: the directory leads out, cannot be listed, or has too many names.
    """
    if not os.path.lexists(directory):
        return
    require_inside(directory, inside)
    try:
        with os.scandir(directory) as found:
            names = []
            for entry in found:
                names.append((entry.name, entry.is_dir()))
                if len(names) > MAX_ENTRIES:
                    raise UnreadableError(
                        f"has more than {MAX_ENTRIES} entries", "leave only the mission's files in it"
                    )
    except NotADirectoryError:
        raise UnreadableError("is no directory", "put the directory itself there") from None
    except OSError as error:
        raise UnreadableError(f"cannot be listed: {error.strerror}", "give the right to list it") from None
    yield from sorted(names)
