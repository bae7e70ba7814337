"""Work package files ``tasks/WP##-<slug>.md`` (interop: section 1.3; clause OWN-010)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .diagnostics import diagnostic
from .frontmatter import FrontmatterError, parse_yaml, split
from .identifiers import is_work_package_id

__all__ = ["FILE_NAME", "KNOWN_KEYS", "WorkPackageFile", "find_work_package", "read_work_package", "work_package_files"]

#: The keys that the frontmatter may have; released readers refuse a file with any other.
KNOWN_KEYS: Final = frozenset(
    [
        "work_package_id",
        "title",
        "dependencies",
        "base_branch",
        "base_commit",
        "created_at",
        "planning_base_branch",
        "merge_target_branch",
        "branch_strategy",
        "requirement_refs",
        "tracker_refs",
        "priority",
        "execution_mode",
        "owned_files",
        "create_intent",
        "authoritative_surface",
        "scope",
        "task_type",
        "subtasks",
        "phase",
        "phases",
        "assignee",
        "agent",
        "model",
        "agent_profile",
        "role",
        "shell_pid",
        "shell_pid_created_at",
        "history",
        "lane",
        "feature_slug",
        "activity_log",
        "review_status",
        "reviewed_by",
        "approved_by",
        "reviewer",
        "reviewer_agent",
        "reviewer_shell_pid",
        "review_feedback",
        "review_feedback_file",
        "subtitle",
        "description",
        "estimated_duration",
        "tags",
        "mission_id",
        "mission_number",
        "mission_slug",
        "status",
        "wp_code",
        "work_package_title",
    ]
)

#: How the name of a work package file begins.
FILE_NAME: Final = re.compile(r"(WP\d{2,})(?:[-_.]|$)", re.ASCII)


@dataclass(frozen=True, slots=True)
class WorkPackageFile:
    """A work package file: where it is, its frontmatter with every key, its body."""

    path: Path
    frontmatter: Mapping[str, Any]
    body: str

    @property
    def work_package_id(self) -> str:
        """The id that the frontmatter gives."""
        return str(self.frontmatter["work_package_id"])

    @property
    def subtasks(self) -> list[str] | None:
        """The roster of subtask ids; None when the file has no such key."""
        roster = self.frontmatter.get("subtasks")
        if roster is None:
            return None if "subtasks" not in self.frontmatter else []
        return [str(item) for item in roster] if isinstance(roster, list) else None

    @property
    def owned_files(self) -> list[str]:
        """The globs of the files that the work package may change."""
        owned = self.frontmatter.get("owned_files")
        return [str(item) for item in owned] if isinstance(owned, list) else []


def work_package_files(tasks: Path) -> dict[str, list[Path]]:
    """Return the files of each work package in ``tasks``, by id, sorted; ``README.md`` is none of them."""
    found: dict[str, list[Path]] = {}
    if not tasks.is_dir():
        return found
    for path in sorted(tasks.iterdir()):
        match = FILE_NAME.match(path.name)
        if match and path.suffix == ".md" and path.is_file():
            found.setdefault(match[1], []).append(path)
    return found


def find_work_package(tasks: Path, work_package_id: str) -> Path | None:
    """Return the file of a work package, None when there is none.

    Raises:
        DiagnosticError: an unsafe id, or several files for one id. ``WP01`` is never ``WP010`` or ``WP01b``.
    """
    if not is_work_package_id(work_package_id):
        raise diagnostic("WORK_PACKAGE_IDENTIFIER_UNSAFE", work_package_id=work_package_id)
    # Listing the names costs one call; a mission has few files.
    files = work_package_files(tasks).get(work_package_id, [])
    if len(files) > 1:
        names = ", ".join(path.name for path in files)
        raise diagnostic("WORK_PACKAGE_FILE_AMBIGUOUS", work_package_id=work_package_id, files=names)
    return files[0] if files else None


def read_work_package(path: Path) -> WorkPackageFile:
    """Return the work package file at ``path``.

    Raises:
        DiagnosticError: WORK_PACKAGE_FILE_INVALID: unreadable, no frontmatter, bad YAML, unknown keys, no id.
    """
    try:
        parts = split(path.read_text(encoding="utf-8"))
        if parts is None:
            raise FrontmatterError("no frontmatter")
        values = parse_yaml(parts[0])
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else str(error)
        raise diagnostic("WORK_PACKAGE_FILE_INVALID", path=str(path), problem=problem) from None
    unknown = sorted(str(key) for key in values if key not in KNOWN_KEYS)
    if unknown:
        raise diagnostic("WORK_PACKAGE_FILE_INVALID", path=str(path), problem=f"unknown keys: {', '.join(unknown)}")
    declared = values.get("work_package_id")
    if not isinstance(declared, str) or not is_work_package_id(declared):
        raise diagnostic("WORK_PACKAGE_FILE_INVALID", path=str(path), problem=f"work_package_id is {declared!r}")
    return WorkPackageFile(path, values, parts[1])
