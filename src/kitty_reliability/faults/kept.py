"""A directory as it was, to be put back before each run of a command that is killed in the middle."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Kept", "keep"]


@dataclass(frozen=True, slots=True)
class Kept:
    """A directory and a copy of it."""

    directory: Path
    copy: Path

    def restore(self) -> None:
        """Put the directory back to what it was, with permissions and links; OSError when that fails."""
        if self.directory.exists():
            shutil.rmtree(self.directory)
        shutil.copytree(self.copy, self.directory, symlinks=True)


def keep(directory: Path, copy: Path) -> Kept:
    """Copy ``directory`` to ``copy``, which must not be there yet, and return what puts it back."""
    shutil.copytree(directory, copy, symlinks=True)
    return Kept(directory, copy)
