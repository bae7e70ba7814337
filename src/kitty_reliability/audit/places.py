"""Which missions a path means. Names are listed, no file is opened. PYTEST_DONT_REWRITE"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kitty_reliability.formats.events import EVENT_LOG_NAME
from kitty_reliability.formats.mission import META_NAME, MISSIONS_DIRECTORY

from .findings import plain

__all__ = ["MissionPlace", "WrongPathError", "find_missions"]


class WrongPathError(ValueError):
    """A path has no missions; the text names it and the remedy."""


@dataclass(frozen=True, slots=True)
class MissionPlace:
    """A mission that is to be looked at: ``root`` is the repository, ``specs`` the directory of all its missions."""

    root: Path
    specs: Path
    name: str

    @property
    def directory(self) -> Path:
        """The directory of the mission."""
        return self.specs / self.name


def find_missions(paths: Iterable[Path]) -> list[MissionPlace]:
    """Return the missions that ``paths`` mean, each once: a ``kitty-specs`` folder, a repository or one mission.

    Raises:
        WrongPathError: a path is none of the three.
    """
    found: dict[Path, MissionPlace] = {}
    for path in paths:
        for place in _missions(path):
            found.setdefault(place.directory, place)
    return list(found.values())


def _missions(path: Path) -> list[MissionPlace]:
    named = Path(os.path.abspath(path))
    if not named.is_dir():
        mission, colons, rule = str(path).rpartition("::")
        if colons and Path(mission).is_dir():
            raise WrongPathError(
                f"{plain(path)}: no such directory; ask {plain(mission)} --kitty-audit-rules {plain(rule)}"
            )
        what = "no directory" if os.path.lexists(named) else "no such directory"
        raise WrongPathError(f"{plain(path)}: {what}; {_EXPECTED}")
    if named.name == MISSIONS_DIRECTORY:
        return _listed(named)
    if _looks_like_a_mission(named):
        specs = named.parent.resolve()
        return [MissionPlace(specs.parent, specs, named.name)]
    specs = named / MISSIONS_DIRECTORY
    if not specs.is_dir():
        raise WrongPathError(f"{plain(path)}: no mission and no {MISSIONS_DIRECTORY} in it; {_EXPECTED}")
    if not specs.resolve().is_relative_to(named.resolve()):
        raise WrongPathError(f"{plain(specs)} leads out of the repository; name the directory it leads to")
    return _listed(specs)


_EXPECTED = f"name a {MISSIONS_DIRECTORY} folder, a repository that has one, or the directory of a mission"


def _looks_like_a_mission(path: Path) -> bool:
    return path.parent.name == MISSIONS_DIRECTORY or any(
        os.path.lexists(path / name) for name in (META_NAME, EVENT_LOG_NAME)
    )


def _listed(specs: Path) -> list[MissionPlace]:
    root = specs.resolve()
    try:
        with os.scandir(root) as entries:
            names = [entry.name for entry in entries if _is_mission(entry)]
    except OSError as error:
        raise WrongPathError(f"{plain(specs)}: {error.strerror}; give the right to list it") from None
    return [MissionPlace(root.parent, root, name) for name in sorted(names)]


def _is_mission(entry: os.DirEntry[str]) -> bool:
    # A link is listed even when it leads nowhere: where it leads is for the rules to say.
    if entry.is_symlink():
        try:
            return not entry.is_file()
        except OSError:  # in a circle
            return True
    # What tools leave behind (`.pytest_cache`) is nobody's mission.
    return entry.is_dir() and (entry.name[:1] != "." or os.path.lexists(Path(entry.path, META_NAME)))
