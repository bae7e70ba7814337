"""What lies in a work tree, as ``git add --all`` sees it, and what of it git has to judge itself."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Iterable
from typing import Final

from .files import get
from .git_objects import Entry, Files

__all__ = ["NotPlainError", "as_known", "look", "mode_of", "require_files"]

_WINDOWS: Final = os.name == "nt"
#: Files that change what git makes of other files; git has to judge them.
_SPECIAL: Final = frozenset([".gitattributes", ".gitignore", ".gitmodules", ".git"])
#: What ``info/exclude`` of a built repository says, see ``repository.EXCLUDED``.
_IGNORED: Final = re.compile(
    r"(?:.*/)?\.worktrees$|\.kittify/(workspaces$|sync-state\.json$|legacy|runtime$|merge|projects$|locks$)"
)


_COMPARED: Final = (stat.ST_MODE, stat.ST_INO, stat.ST_SIZE)


class NotPlainError(Exception):
    """There is something that git has to look at itself."""


def look(root: str, blob: Callable[[bytes], str]) -> tuple[Files, dict[str, os.stat_result]]:
    """Return what ``git add --all`` would stage, and the stat of each file; ``blob`` makes an id of a content.

    Raises:
        NotPlainError: there is a link, an attribute file, a nested repository or the like.
    """
    files: Files = {}
    stats: dict[str, os.stat_result] = {}
    folders = [""]
    while folders:
        folder = folders.pop()
        with os.scandir(f"{root}/{folder}") as found:
            for item in found:
                path = folder + item.name
                if path == ".git" or _IGNORED.match(path):
                    continue
                if item.name in _SPECIAL or (sys.platform == "darwin" and not item.name.isascii()):
                    raise NotPlainError(path)
                if item.is_dir(follow_symlinks=False):
                    folders.append(f"{path}/")
                elif item.is_file(follow_symlinks=False):
                    data, stats[path] = get(item.path)
                    files[path] = Entry(mode_of(stats[path]), blob(data))
                else:
                    raise NotPlainError(path)
    return files, stats


def mode_of(seen: os.stat_result) -> int:
    """Return what git says of a file by its stat: whether it can be executed."""
    return 0o100755 if seen.st_mode & 0o100 and not _WINDOWS else 0o100644


def require_files(files: Files, paths: Iterable[str]) -> None:
    """Raise NotPlainError for a path that runs through a file, or that is a directory so far."""
    for path in set(paths) - files.keys():
        above = (path[:end] for end, letter in enumerate(path) if letter == "/")
        if any(folder in files for folder in above) or any(name.startswith(f"{path}/") for name in files):
            raise NotPlainError(path)


def as_known(root: str, path: str, known: os.stat_result | None) -> bool:
    """Say whether a file is as the index has it, and no link leads to it; None: whether nothing is there."""
    end = path.find("/")
    while end != -1:
        folder = f"{root}/{path[:end]}"
        if os.path.lexists(folder) and not stat.S_ISDIR(os.lstat(folder).st_mode):
            return False
        end = path.find("/", end + 1)
    try:
        found = os.lstat(f"{root}/{path}")
    except FileNotFoundError:
        return known is None
    return (
        known is not None
        and [found[field] for field in _COMPARED] == [known[field] for field in _COMPARED]
        and (found.st_mtime_ns == known.st_mtime_ns)
    )
