"""A directory tree at two moments: what was added, removed, changed (clause STA-010)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

__all__ = ["TreeMark", "find_bytes", "mark_tree"]


@dataclass(frozen=True, slots=True)
class TreeMark:
    """A tree as it was: relative path -> kind, permissions and content, as one text."""

    root: Path
    entries: Mapping[str, str]

    def changes(self, *, ignore: Iterable[str] = (), directories: bool = True) -> list[str]:
        """Return one sentence for each path that differs now.

        Arguments:
            ignore: relative paths of files and folders to skip.
            directories: whether a folder that came or went counts, apart from what is in it.
        """
        now = mark_tree(self.root).entries
        skipped = tuple(ignore)
        said = []
        for path in sorted({*self.entries, *now}):
            if any(path == name or path.startswith(f"{name}/") for name in skipped):
                continue
            before, after = self.entries.get(path), now.get(path)
            if not directories and all(entry is None or entry.startswith("directory") for entry in (before, after)):
                continue
            if before is None:
                said.append(f"added {path}")
            elif after is None:
                said.append(f"removed {path}")
            elif before != after:
                said.append(f"changed {path}")
        return said


def mark_tree(root: Path) -> TreeMark:
    """Remember every file, directory and link under ``root``: content, permissions, link targets.

    Times are not part of it, and links are not followed.
    """
    entries: dict[str, str] = {}
    for directory, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = Path(directory, name)
            entries[path.relative_to(root).as_posix()] = _describe(path)
    return TreeMark(root, entries)


def find_bytes(root: Path, needle: bytes, *, ignore: Iterable[Path] = ()) -> list[Path]:
    """Return the regular files under ``root`` that hold ``needle``, but for those in ``ignore``."""
    skipped = set(ignore)
    found = []
    for directory, _, files in os.walk(root):
        for name in files:
            path = Path(directory, name)
            if path not in skipped and path.is_file() and needle in path.read_bytes():
                found.append(path)
    return sorted(found)


def _describe(path: Path) -> str:
    status = path.lstat()
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return f"link to {path.readlink()}"
    if stat.S_ISDIR(status.st_mode):
        return f"directory {mode:o}"
    if stat.S_ISREG(status.st_mode):
        return f"file {mode:o} {sha256(path.read_bytes()).hexdigest()}"
    return f"special {stat.S_IFMT(status.st_mode):o}"
