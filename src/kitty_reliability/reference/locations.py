"""Where things are: the mission in its root, and the lock that every checkout shares (interop: section 5.3).

No git process is started for it: a transition asks this every time. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from pathlib import Path

from kitty_reliability.formats.diagnostics import diagnostic
from kitty_reliability.formats.mission import MissionPaths

__all__ = ["find_mission", "lock_path"]


def find_mission(root: str, slug: str) -> MissionPaths:
    """Return the paths of a mission that exists.

    Raises:
        DiagnosticError: MISSION_IDENTIFIER_UNSAFE, MISSION_NOT_FOUND, MISSION_OUTSIDE_ROOT.
    """
    if "\0" in root:
        raise diagnostic("MISSION_NOT_FOUND", mission_slug=slug, root=root)
    paths = MissionPaths.under(Path(root).resolve(), slug)
    if not paths.directory.is_dir():
        raise diagnostic("MISSION_NOT_FOUND", mission_slug=slug, root=root)
    if paths.directory.resolve() != paths.directory:
        raise diagnostic("MISSION_OUTSIDE_ROOT", path=str(paths.directory), root=root, mission_slug=slug)
    return paths


def lock_path(paths: MissionPaths) -> Path:
    """Return the file that writers of this mission lock, in whichever checkout they run."""
    common = _common_git_directory(paths.root)
    if common is None:
        return paths.root / ".kittify" / "locks" / f"{paths.slug}.status.lock"
    return common / "spec-kitty-locks" / f"{paths.slug}.status.lock"


def _common_git_directory(root: Path) -> Path | None:
    entry = root / ".git"
    if entry.is_dir():
        return entry
    try:
        text = entry.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    if not text.startswith("gitdir:"):
        return None
    directory = (root / text.removeprefix("gitdir:").strip()).resolve()
    try:
        return (directory / (directory / "commondir").read_text(encoding="utf-8").strip()).resolve()
    except (OSError, UnicodeDecodeError):
        return directory
