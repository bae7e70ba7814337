"""``meta.json`` and the directory of a mission (interop: sections 1.1, 1.2; clauses SEC-001, SEC-003)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .diagnostics import diagnostic
from .events import EVENT_LOG_NAME
from .identifiers import is_safe_segment
from .indented_json import indented
from .snapshot import SNAPSHOT_NAME
from .strict_json import parse

__all__ = [
    "COORDINATED",
    "META_NAME",
    "MISSIONS_DIRECTORY",
    "REQUIRED_META",
    "TOPOLOGIES",
    "Meta",
    "MissionPaths",
    "encode_meta",
    "read_meta",
    "validate_meta",
]

MISSIONS_DIRECTORY: Final = "kitty-specs"
META_NAME: Final = "meta.json"
#: What an older file spells a mission number with.
_DIGITS: Final = re.compile(r"[0-9]{1,18}\Z")
#: Topologies with log and snapshot on a branch of their own.
COORDINATED: Final = ("coord", "lanes_with_coord")
TOPOLOGIES: Final = ("single_branch", "lanes", *COORDINATED)

#: Keys that a writer of ``meta.json`` fills with a text that is not empty.
REQUIRED_META: Final = (
    "created_at",
    "friendly_name",
    "mission_slug",
    "mission_type",
    "slug",
    "target_branch",
)


@dataclass(frozen=True, slots=True)
class MissionPaths:
    """Where the files of a mission are."""

    root: Path
    directory: Path
    #: The directory of log and snapshot, when another checkout has them: the coordination worktree's.
    state: Path | None = None

    @classmethod
    def under(cls, root: Path, slug: str) -> MissionPaths:
        """Return the paths of mission ``slug`` in the repository at ``root``.

        Raises:
            DiagnosticError: MISSION_IDENTIFIER_UNSAFE for a slug that is not one safe path segment.
        """
        if not is_safe_segment(slug):
            raise diagnostic("MISSION_IDENTIFIER_UNSAFE", mission_slug=slug)
        return cls(root, root / f"{MISSIONS_DIRECTORY}/{slug}")

    @property
    def slug(self) -> str:
        """The name of the directory."""
        return self.directory.name

    @property
    def meta(self) -> Path:
        """``meta.json``."""
        return self.directory / META_NAME

    @property
    def log(self) -> Path:
        """``status.events.jsonl``, the only authority for lanes."""
        return (self.state or self.directory) / EVENT_LOG_NAME

    @property
    def snapshot(self) -> Path:
        """``status.json``, derived from the log."""
        return (self.state or self.directory) / SNAPSHOT_NAME

    @property
    def tasks(self) -> Path:
        """The directory of the work package files."""
        return self.directory / "tasks"

    @property
    def lanes(self) -> Path:
        """``lanes.json``, the lane manifest."""
        return self.directory / "lanes.json"


@dataclass(frozen=True, slots=True)
class Meta:
    """What ``meta.json`` says. ``data`` has every key of the file; a missing file reads as empty."""

    data: Mapping[str, Any]

    @property
    def mission_id(self) -> str | None:
        """The ULID of the mission; missions from before 3.1.1 have none."""
        return self._text("mission_id")

    @property
    def mission_slug(self) -> str | None:
        """The slug that the file records; it equals the directory's name in a sound mission."""
        return self._text("mission_slug")

    @property
    def mission_type(self) -> str:
        """``software-dev``, ``research`` and so on; empty when the file does not say."""
        return self._text("mission_type") or ""

    @property
    def target_branch(self) -> str | None:
        """The branch that the mission is merged into."""
        return self._text("target_branch")

    @property
    def mission_number(self) -> int | None:
        """The number given at merge; older files spell it as digits."""
        value = self.data.get("mission_number")
        if isinstance(value, bool):
            return None
        if isinstance(value, int):
            return value
        if isinstance(value, str) and _DIGITS.match(value.strip()):
            return int(value)
        return None

    def _text(self, key: str) -> str | None:
        value = self.data.get(key)
        return value if isinstance(value, str) and value else None


def read_meta(path: Path) -> Meta:
    """Return what ``meta.json`` says; a missing file says nothing. Unknown keys are kept.

    Raises:
        DiagnosticError: MISSION_METADATA_INVALID when the file is not a JSON object.
    """
    try:
        value = parse(path.read_bytes())
    except FileNotFoundError:
        return Meta({})
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else f"not JSON: {error}"
        raise diagnostic("MISSION_METADATA_INVALID", path=str(path), problem=problem) from None
    if not isinstance(value, dict):
        raise diagnostic("MISSION_METADATA_INVALID", path=str(path), problem="not a JSON object")
    return Meta(value)


def encode_meta(data: Mapping[str, Any]) -> bytes:
    """Return the bytes of ``meta.json``: sorted keys, two blanks, non-ASCII as it is, final newline."""
    return indented(data, sort_keys=True)


def validate_meta(data: Mapping[str, Any]) -> list[str]:
    """Return what a writer would refuse in ``data``, one sentence each; empty when nothing.

    The model is built here, at the boundary where someone else's values come in, so that reading a mission
    never pays for it.
    """
    from pydantic import ValidationError

    from .mission_model import MetaModel

    try:
        MetaModel.model_validate(dict(data))
    except ValidationError as error:
        return [f"{'.'.join(map(str, item['loc'])) or 'meta.json'}: {item['msg']}" for item in error.errors()]
    return []
