"""Which work package is active in a checkout, and what it owns (clauses OWN-001 to OWN-003, OWN-005, OWN-010, OWN-011).

Looked up at each invocation: the workspace context tells which mission and lane a checkout is of, the lane manifest which
work packages share the lane, the log which one of them is in progress, and its task file in the main checkout what it owns.
The work package that a context remembers decides nothing, nor does the lane's own copy of anything. What cannot be proven is
told, and no set of files stands in for it. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from kitty_reliability.formats.diagnostics import Diagnostic, DiagnosticError, diagnostic
from kitty_reliability.formats.lane_manifest import PLANNING_LANE, LaneManifestError, read_lane_manifest
from kitty_reliability.formats.lanes import Lane
from kitty_reliability.formats.mission import MISSIONS_DIRECTORY, MissionPaths
from kitty_reliability.formats.work_package import WorkPackageFile, find_work_package, read_work_package
from kitty_reliability.formats.workspace import WORKSPACES_DIRECTORY, WorkspaceContext, read_context

from .locations import Place
from .workflow import Workflow

__all__ = ["Ownership", "Scope"]

#: A branch of a lane, whatever the lane is called: lanes past the 26th have two letters, or ``{``.
_LANE: Final = re.compile(r"kitty/mission-.+-lane-(?!planning\Z)[^/-]+\Z")
#: The same as 3.2.x has it.
_RELEASED_LANE: Final = re.compile(r"kitty/mission-.+-lane-[a-z]\Z")


class Scope(NamedTuple):
    """Who may change what in a checkout, and how that is known."""

    #: ``canonical_status``; ``workspace_context`` when the status could not be used; ``absent`` without a context.
    context_source: str
    mission_slug: str | None = None
    lane_id: str | None = None
    work_package_id: str | None = None
    owned_files: Sequence[str] = ()
    #: What keeps the active work package from being proven; nothing is owned then.
    problem: Diagnostic | None = None
    warnings: Sequence[Diagnostic] = ()


class Ownership:
    """Looks up the scope of one checkout, once."""

    def __init__(self, workflow: Workflow, place: Place) -> None:
        self.workflow = workflow
        self.place = place

    def scope(self) -> Scope | None:
        """Return the scope; None when the checkout is no lane's."""
        branch = self.place.branch or "a detached HEAD"
        contexts = self.contexts()
        return self.of(contexts, branch) if contexts else self.without_context(branch)

    def of(self, contexts: Sequence[WorkspaceContext], branch: str) -> Scope:
        """Return the scope that the contexts of this checkout lead to."""
        context = contexts[0]
        known: dict[str, Any] = {"mission_slug": context.mission_slug, "lane_id": context.lane_id, "branch": branch}
        try:
            if len(contexts) > 1:
                lanes = ", ".join(sorted(one.lane_id for one in contexts))
                raise diagnostic("ACTIVE_WP_CONTEXT_AMBIGUOUS", problem=f"several workspace contexts name it: {lanes}")
            if context.branch_name != self.place.branch:
                raise diagnostic(
                    "ACTIVE_WP_CONTEXT_AMBIGUOUS", problem=f"this is the worktree of {context.branch_name}"
                )
            paths = self.find(context)
            active = self.active(context, paths)
            known["work_package_id"] = active
            owned = self.owned(paths, active)
        except DiagnosticError as error:
            problem = error.diagnostic.with_fields(**known, context_source="workspace_context")
            return Scope("workspace_context", context.mission_slug, context.lane_id, problem=problem)
        stale = []
        if context.current_wp not in (None, active):
            stale.append(Diagnostic("ACTIVE_WP_CONTEXT_STALE", {**known, "cached_work_package": context.current_wp}))
        return Scope("canonical_status", context.mission_slug, context.lane_id, active, owned, warnings=stale)

    # --- contexts

    def contexts(self) -> list[WorkspaceContext]:
        """Return the contexts that name the branch, or this worktree: a lane is one on a detached HEAD too."""
        found = [context for path in self.files() if (context := read_context(path)) is not None]
        return [one for one in found if one.lane_id != PLANNING_LANE and self.is_about(one)]

    def is_about(self, context: WorkspaceContext) -> bool:
        """Say whether a context is about this checkout."""
        checkout, main, branch = self.place
        if context.branch_name == branch:
            return True
        try:
            return checkout != main and (main / context.worktree_path).resolve() == checkout
        except (OSError, RuntimeError, ValueError):  # a circle of links, or a NUL: no path at all
            return False

    def files(self) -> list[Path]:
        """Return the files of all contexts."""
        return sorted((self.place.main / WORKSPACES_DIRECTORY).glob("*.json"))

    def without_context(self, branch: str) -> Scope | None:
        """Return what holds where no context can be read for this checkout."""
        for path in self.files():
            if read_context(path) is None and self.may_be_about(path):
                problem = Diagnostic("ACTIVE_WP_CONTEXT_UNREADABLE", {"path": str(path), "branch": branch})
                return Scope("workspace_context", problem=problem)
        if not self.is_lane(branch):
            return None
        return Scope("absent", warnings=[Diagnostic("ACTIVE_WP_CONTEXT_ABSENT", {"branch": branch})])

    def may_be_about(self, path: Path) -> bool:
        """Say whether a context that cannot be read may be that of this checkout."""
        if path.stem == self.place.checkout.name:
            return True
        try:
            return self.place.branch is not None and self.place.branch.encode() in path.read_bytes()
        except OSError:
            return False

    def is_lane(self, branch: str) -> bool:
        """Say whether a branch that no context names is called like a lane's."""
        return (_LANE if self.workflow.profile.guard_blocks else _RELEASED_LANE).match(branch) is not None

    # --- canonical state

    def find(self, context: WorkspaceContext) -> MissionPaths:
        """Return where the mission of the context is."""
        try:
            return self.workflow.find(str(self.place.main), context.mission_slug)
        except DiagnosticError as error:
            gone = not (self.place.main / MISSIONS_DIRECTORY / context.mission_slug).is_dir()
            code = "ACTIVE_WP_CONTEXT_MISSING" if gone else "ACTIVE_WP_STATUS_UNAVAILABLE"
            raise diagnostic(code, problem=error.diagnostic.message) from None

    def active(self, context: WorkspaceContext, paths: MissionPaths) -> str:
        """Return the one work package of the lane that is in progress now."""
        packages, lanes = self.packages(context, paths), self.lanes(context)
        candidates = [wp_id for wp_id in packages if lanes.get(wp_id) == Lane.IN_PROGRESS]
        if len(candidates) != 1:
            states = ", ".join(f"{wp_id} is {lanes.get(wp_id) or 'nowhere'}" for wp_id in packages)
            raise diagnostic("ACTIVE_WP_CONTEXT_AMBIGUOUS", problem=states)
        return candidates[0]

    def packages(self, context: WorkspaceContext, paths: MissionPaths) -> Sequence[str]:
        """Return the work packages that share the lane: those of the lane manifest, or else of the context."""
        try:
            manifest = read_lane_manifest(paths.lanes)
        except LaneManifestError as error:
            raise diagnostic("ACTIVE_WP_STATUS_UNAVAILABLE", problem=str(error)) from None
        listed = [lane.wp_ids for lane in manifest.lanes if lane.lane_id == context.lane_id] if manifest else []
        return listed[0] if listed else context.lane_wp_ids or [context.wp_id]

    def lanes(self, context: WorkspaceContext) -> Mapping[str, str | None]:
        """Return which lane of the board each work package is in."""
        try:
            report = self.workflow.state(str(self.place.main), context.mission_slug)
        except (DiagnosticError, OSError) as error:
            problem = error.diagnostic.message if isinstance(error, DiagnosticError) else str(error)
            raise diagnostic("ACTIVE_WP_STATUS_UNAVAILABLE", problem=problem) from None
        if report.log == "missing":
            raise diagnostic("ACTIVE_WP_STATUS_UNAVAILABLE", problem="there is no log")
        return report.lanes

    def owned(self, paths: MissionPaths, work_package: str) -> Sequence[str]:
        """Return the globs of what a work package owns."""
        try:
            path = self.task_file(paths.tasks, work_package)
            if path is None:
                raise diagnostic("ACTIVE_WP_METADATA_MISSING", path=str(paths.tasks))
            found = read_work_package(path)
        except DiagnosticError as error:
            if error.diagnostic.code == "ACTIVE_WP_METADATA_MISSING":
                raise
            raise diagnostic("ACTIVE_WP_METADATA_INVALID", problem=error.diagnostic.message) from None
        return _globs(found, work_package)

    def task_file(self, tasks: Path, work_package: str) -> Path | None:
        """Return the task file of a work package and of no other; None when there is none."""
        return find_work_package(tasks, work_package)


def _globs(found: WorkPackageFile, work_package: str) -> Sequence[str]:
    if found.work_package_id != work_package:
        problem = f"{found.path} says that it is of {found.work_package_id}"
        raise diagnostic("ACTIVE_WP_METADATA_INVALID", problem=problem)
    listed = found.frontmatter.get("owned_files") or []
    if not isinstance(listed, list) or not all(isinstance(glob, str) for glob in listed):
        raise diagnostic("ACTIVE_WP_METADATA_INVALID", problem=f"{found.path}: owned_files is not a list of texts")
    if not listed:
        raise diagnostic("ACTIVE_WP_OWNERSHIP_MISSING")
    return listed
