"""A directory tree at two moments: what was added, removed, changed (clause STA-010)."""

from __future__ import annotations

import contextlib
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
        skipped = tuple(ignore)
        now = mark_tree(self.root, ignore=skipped).entries
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


def mark_tree(root: Path, *, ignore: Iterable[str] = ()) -> TreeMark:
    """Remember every file, directory and link under ``root``: content, permissions, link targets.

    Times are not part of it, and links are not followed. ``ignore``: relative paths of files and folders to leave out, to
    be given to ``changes`` as well.
    """
    entries: dict[str, str] = {}
    skipped = frozenset(ignore)
    folders = [""]
    while folders:
        folder = folders.pop()
        found: list[tuple[os.DirEntry[str], bool]] = []
        # What is not there, or must not be read, has nothing in it.
        with contextlib.suppress(OSError), os.scandir(root / folder) as opened:
            found = [(item, item.is_dir(follow_symlinks=False)) for item in opened]
        for item, is_folder in found:
            path = folder + item.name
            if path in skipped:
                continue
            entries[path] = _describe(item)
            if is_folder:
                folders.append(f"{path}/")
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


def _describe(item: os.DirEntry[str]) -> str:
    status = item.stat(follow_symlinks=False)
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return f"link to {Path(item.path).readlink()}"
    if stat.S_ISDIR(status.st_mode):
        return f"directory {mode:o}"
    if stat.S_ISREG(status.st_mode):
        return f"file {mode:o} {sha256(Path(item.path).read_bytes()).hexdigest()}"
    return f"special {stat.S_IFMT(status.st_mode):o}"
