"""Workspace contexts ``.kittify/workspaces/<slug>-<lane>.json`` in the main checkout (interop: section 1.5; OWN-002)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .indented_json import indented

__all__ = ["WORKSPACES_DIRECTORY", "WorkspaceContext", "context_path", "read_context", "read_contexts"]

WORKSPACES_DIRECTORY: Final = ".kittify/workspaces"

_TEXTS: Final = (
    "wp_id",
    "mission_slug",
    "worktree_path",
    "branch_name",
    "base_branch",
    "created_at",
    "created_by",
    "vcs_backend",
    "lane_id",
)


@dataclass(frozen=True, slots=True)
class WorkspaceContext:
    """What was remembered of a lane's worktree. ``current_wp`` is a memory too: canonical state decides."""

    wp_id: str
    mission_slug: str
    worktree_path: str
    branch_name: str
    base_branch: str
    created_at: str
    lane_id: str
    lane_wp_ids: Sequence[str]
    base_commit: str | None = None
    dependencies: Sequence[str] = ()
    current_wp: str | None = None
    created_by: str = "spec-kitty"
    vcs_backend: str = "git"

    def encode(self) -> bytes:
        """Return the bytes of the file: two blanks, final newline."""
        value = {
            "wp_id": self.wp_id,
            "mission_slug": self.mission_slug,
            "worktree_path": self.worktree_path,
            "branch_name": self.branch_name,
            "base_branch": self.base_branch,
            "base_commit": self.base_commit,
            "dependencies": list(self.dependencies),
            "created_at": self.created_at,
            "created_by": self.created_by,
            "vcs_backend": self.vcs_backend,
            "lane_id": self.lane_id,
            "lane_wp_ids": list(self.lane_wp_ids),
            "current_wp": self.current_wp,
        }
        return indented(value)


def context_path(root: Path, slug: str, lane_id: str) -> Path:
    """Return the file of a lane's context in the main checkout at ``root``."""
    return root / f"{WORKSPACES_DIRECTORY}/{slug}-{lane_id}.json"


def read_context(path: Path) -> WorkspaceContext | None:
    """Return what a file says; None when it is missing or malformed, which readers skip in silence."""
    try:
        # As text: of bytes this would also take a byte-order mark and UTF-16, which no other reader does.
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(value, Mapping) or not all(isinstance(value.get(key), str) for key in _TEXTS):
        return None
    listed = value.get("lane_wp_ids")
    if (
        "base_commit" not in value
        or not value["lane_id"]
        or not _is_texts(listed)
        or not _is_texts(value.get("dependencies"))
    ):
        return None
    base, current = value.get("base_commit"), value.get("current_wp")
    return WorkspaceContext(
        base_commit=base if isinstance(base, str) and base != "unknown" else None,
        dependencies=list(value["dependencies"]),
        current_wp=current if isinstance(current, str) else None,
        lane_wp_ids=list(value["lane_wp_ids"]),
        **{key: value[key] for key in _TEXTS},
    )


def read_contexts(root: Path, branch: str) -> list[WorkspaceContext]:
    """Return the contexts that name ``branch``, in the order of their file names."""
    found = (read_context(path) for path in sorted((root / WORKSPACES_DIRECTORY).glob("*.json")))
    return [context for context in found if context is not None and context.branch_name == branch]


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
