"""Where things are: the one mission that every checkout means, and the lock that all share (interop: 5.3, 5.5).

A command may be run anywhere in a repository: in a subdirectory, in a lane's worktree that holds an older copy of the
mission, through a link. The mission is that of the main checkout; where the topology has a coordination branch, log and
snapshot are those of its worktree (interop: 1.10). What cannot be told is refused, never guessed. No git process is
started for it, and no variable of git's is looked at: a transition asks this every time. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from kitty_reliability.formats.diagnostics import DiagnosticError, diagnostic
from kitty_reliability.formats.identifiers import is_safe_segment
from kitty_reliability.formats.lane_manifest import mission_branch
from kitty_reliability.formats.mission import COORDINATED, MISSIONS_DIRECTORY, TOPOLOGIES, Meta, MissionPaths, read_meta

__all__ = ["Place", "find_checkout", "find_mission", "lock_path"]

#: The first eight characters of a mission's id, or all of it.
_SELECTOR: Final = re.compile(r"[0-9A-HJKMNP-TV-Z]{8}(?:[0-9A-HJKMNP-TV-Z]{18})?\Z")
_HEAD: Final = "ref: refs/heads/"


class Place(NamedTuple):
    """A checkout: its work tree, the main checkout of its repository, and its branch; None while HEAD is detached."""

    checkout: Path
    main: Path
    branch: str | None


def find_checkout(root: str) -> Place:
    """Return the checkout that ``root`` is in.

    Raises:
        DiagnosticError: REPOSITORY_NOT_FOUND, MAIN_CHECKOUT_UNKNOWN, WORKSPACE_MISSING.
    """
    asked = _real(root.partition("\0")[0])
    for checkout in _upwards(asked):
        own = _git_directory(checkout)
        if own is not None:
            head = _line(own / "HEAD") or ""
            branch = head.removeprefix(_HEAD) if head.startswith(_HEAD) else None
            return Place(checkout, _main_checkout(checkout), branch)
    raise diagnostic("REPOSITORY_NOT_FOUND", root=root)


def find_mission(root: str, slug: str) -> MissionPaths:
    """Return the paths of a mission, asked for from ``root``: any directory in any checkout of its repository.

    ``slug`` is the name of its directory, or the mission id, or the first eight characters of that when no other
    mission has them. A directory without ``meta.json`` is no mission.

    Raises:
        DiagnosticError: MISSION_IDENTIFIER_UNSAFE, MISSION_NOT_FOUND, MISSION_AMBIGUOUS, MISSION_OUTSIDE_ROOT,
            MISSION_METADATA_INVALID, REPOSITORY_NOT_FOUND, MAIN_CHECKOUT_UNKNOWN, CHECKOUT_FOREIGN,
            WORKSPACE_MISSING, COORDINATION_NOT_CHECKED_OUT.
    """
    if not is_safe_segment(slug):
        raise diagnostic("MISSION_IDENTIFIER_UNSAFE", mission_slug=slug)
    asked = _real(root.partition("\0")[0])
    if "\0" in root or not asked.is_dir():
        raise diagnostic("REPOSITORY_NOT_FOUND", mission_slug=slug, root=root)
    main = _main_checkout(asked)
    paths = MissionPaths.under(main, _selected(main, slug))
    if not _is_mission(paths.directory):
        outer = [parent for parent in main.parents if _is_mission(parent / MISSIONS_DIRECTORY / slug)]
        if outer or not asked.is_relative_to(main):
            # Somebody could think that the mission around this checkout is meant. It is not this repository's.
            raise diagnostic("CHECKOUT_FOREIGN", mission_slug=slug, root=root, repository=str(main))
        raise diagnostic("MISSION_NOT_FOUND", mission_slug=slug, root=root)
    if _is_linked(paths.directory):
        raise diagnostic("MISSION_OUTSIDE_ROOT", path=str(paths.directory), root=root, mission_slug=slug)
    branch = _coordination_branch(read_meta(paths.meta), paths.slug)
    return paths if branch is None else replace(paths, state=_coordinated(paths, branch))


def lock_path(paths: MissionPaths) -> Path:
    """Return the file that writers of this mission lock, in whichever checkout they run."""
    own = _git_directory(paths.root)
    if own is None:
        return paths.root / ".kittify" / "locks" / f"{paths.slug}.status.lock"
    return (_common(own) or own) / "spec-kitty-locks" / f"{paths.slug}.status.lock"


def _main_checkout(asked: Path) -> Path:
    """Return the main checkout of the repository around ``asked``; without git, the directory with the missions."""
    for checkout in _upwards(asked):
        own = _git_directory(checkout)
        if own is None:
            continue
        common = _common(own)
        if common is not None:
            return _main_of_linked(checkout, own, common)
        # A submodule, or a repository whose .git is elsewhere: a project of its own only with missions of its own.
        if (checkout / ".git").is_dir() or (checkout / MISSIONS_DIRECTORY).is_dir():
            return _with_missions(asked, checkout)
    return _with_missions(asked, None)


def _with_missions(asked: Path, checkout: Path | None) -> Path:
    """Return ``checkout``, or, when it has no missions, the directory on the way to ``asked`` that has them."""
    if checkout is not None and (checkout / MISSIONS_DIRECTORY).is_dir():
        return checkout
    for directory in _upwards(asked):
        if directory == checkout:
            return checkout
        # What is left of a worktree without its .git is nobody's project.
        if (directory / MISSIONS_DIRECTORY).is_dir() and (checkout is None or ".worktrees" not in directory.parts):
            return directory
    raise diagnostic("REPOSITORY_NOT_FOUND", root=str(asked))


def _main_of_linked(checkout: Path, own: Path, common: Path) -> Path:
    """Return the main checkout that a linked worktree belongs to."""
    # Git remembers where the worktree is. A copied repository has worktrees that point at the one they were copied from.
    remembered = Path(_line(own / "gitdir") or "")
    copied = remembered.exists() and not remembered.samefile(checkout / ".git")
    if copied or common.name != ".git":
        raise diagnostic("MAIN_CHECKOUT_UNKNOWN", root=str(checkout), repository=str(common))
    return common.parent


def _git_directory(checkout: Path) -> Path | None:
    """Return where git keeps what it knows of ``checkout``; None when that is no checkout.

    Raises:
        DiagnosticError: WORKSPACE_MISSING for a ``.git`` file that names a directory which is gone.
    """
    entry = os.path.join(checkout, ".git")  # noqa: PTH118 - asked for each directory on the way up
    if not os.access(entry, os.F_OK):  # no exception is made of what most often is not there
        return None
    if os.path.isdir(entry):  # noqa: PTH112
        # As git has it: an empty .git is none.
        return Path(entry) if os.path.lexists(f"{entry}/HEAD") else None
    text = _line(entry)
    if text is None or not text.startswith("gitdir:"):
        return None
    named = _real(checkout / text.removeprefix("gitdir:").strip())
    if not named.is_dir():
        raise diagnostic("WORKSPACE_MISSING", record=entry, path=str(named))
    return named


def _common(own: Path) -> Path | None:
    """Return the git directory that a linked worktree shares with the main checkout; None for any other checkout."""
    text = _line(own / "commondir")
    return None if text is None else _real(own / text)


def _selected(main: Path, slug: str) -> str:
    """Return the name of the mission's directory when ``slug`` is the mission's id, or how it begins."""
    if not _SELECTOR.match(slug) or _is_mission(main / MISSIONS_DIRECTORY / slug):
        return slug
    found = []
    for meta in sorted((main / MISSIONS_DIRECTORY).glob("*/meta.json")):
        try:
            mission_id = read_meta(meta).mission_id
        except DiagnosticError:
            continue  # another mission's trouble
        if mission_id is not None and mission_id.startswith(slug):
            found.append(meta.parent.name)
    if len(found) > 1:
        raise diagnostic("MISSION_AMBIGUOUS", mission_slug=slug, candidates=", ".join(found))
    return found[0] if found else slug


def _is_mission(directory: Path) -> bool:
    return (directory / "meta.json").is_file()


def _coordination_branch(meta: Meta, slug: str) -> str | None:
    # A topology that is written down decides; otherwise a recorded branch does (interop: section 1.2).
    recorded, topology = meta.data.get("coordination_branch"), meta.data.get("topology")
    if topology in TOPOLOGIES and topology not in COORDINATED:
        return None
    if isinstance(recorded, str) and recorded:
        return recorded
    return mission_branch(slug) if topology in COORDINATED else None


def _coordinated(paths: MissionPaths, branch: str) -> Path:
    """Return the mission's directory in the coordination worktree, which must be one, and on ``branch``.

    Never a log that is begun anew: what the branch has stays out of sight until it is checked out (#4970).
    """
    worktree = paths.root / ".worktrees" / f"{paths.slug}-coord"
    state = worktree / MISSIONS_DIRECTORY / paths.slug
    own, main = _git_directory(worktree), _git_directory(paths.root)
    if own is None or main is None or _common(own) != _real(main) or _line(own / "HEAD") != f"ref: refs/heads/{branch}":
        command = shlex.join(["git", "worktree", "add", "--", str(worktree), branch])
        raise diagnostic(
            "COORDINATION_NOT_CHECKED_OUT", mission_slug=paths.slug, branch=branch, path=str(worktree), command=command
        )
    if _real(state) != state:
        raise diagnostic("MISSION_OUTSIDE_ROOT", path=str(state), root=str(paths.root), mission_slug=paths.slug)
    return state


def _is_linked(mission: Path) -> bool:
    """Say whether a link leads from the main checkout, which is free of them, to the mission."""
    if os.name == "nt":  # a junction is no link for Python 3.11, and leads as far
        return _real(mission) != mission
    return os.path.islink(mission) or os.path.islink(mission.parent)  # noqa: PTH114


def _upwards(path: Path) -> Iterator[Path]:
    yield path
    yield from path.parents


def _real(path: Path | str) -> Path:
    """Return the path without links; `Path.resolve` looks at it a second time."""
    return Path(os.path.realpath(path))


def _line(path: Path | str) -> str | None:
    """Return the one line of a file that git writes; None when there is no such file."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123
            return os.fsdecode(file.read()).strip()
    except (OSError, ValueError):
        return None
