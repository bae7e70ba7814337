"""Whether bytes that were torn off a log are still somewhere (STA-009)."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

from kitty_reliability.observe.tree import TreeMark

from .world import World

__all__ = ["kept_since", "somewhere"]


def kept_since(world: World, files: TreeMark, torn: bytes) -> bool:
    """Say whether a file that came or changed since ``files`` holds the torn bytes."""
    changed = [name.partition(" ")[2] for name in files.changes() if not name.startswith("removed")]
    return any(_holds(world, world.mission.root / name, torn) for name in changed)


def somewhere(world: World, torn: bytes) -> bool:
    """Say whether any file of the scenario holds the torn bytes."""
    return any(_holds(world, path, torn) for path in world.worlds.base.rglob("*"))


def _holds(world: World, path: Path, torn: bytes) -> bool:
    """Say whether a file holds the torn bytes, as they were or in a spelling that loses nothing."""
    if not path.is_file() or path.name == "status.json":
        return False
    latin = torn.decode("latin-1")
    spelled = [b64encode(torn), torn.hex().encode(), json.dumps(latin)[1:-1].encode()]
    spelled += [json.dumps(list(torn), separators=form).encode() for form in ((", ", ": "), (",", ":"))]
    # In the log itself the bytes as they were would be the tear.
    raw = [] if path == world.log else [torn]
    return any(spelling in path.read_bytes() for spelling in raw + spelled)
