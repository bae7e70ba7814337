"""What is recorded of a work package's lane: in the lane manifest and the workspace context, and nowhere else (C-004).

Prompts and diffs read it here, so that both say the same of a lane, and refuse the same. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
from pathlib import Path

from kitty_reliability.formats.diagnostics import diagnostic
from kitty_reliability.formats.identifiers import is_safe_segment
from kitty_reliability.formats.lane_manifest import (
    PLANNING_LANE,
    LaneManifest,
    LaneManifestError,
    lane_branch,
    read_lane_manifest,
)
from kitty_reliability.formats.mission import MissionPaths
from kitty_reliability.formats.workspace import WorkspaceContext, context_path, read_context

__all__ = ["LaneRecords"]


class LaneRecords:
    """Reads lane manifest and workspace contexts of a mission; guesses nothing.

    Arguments:
        paths: the mission.
        work_package: the one that is asked about.
    """

    def __init__(self, paths: MissionPaths, work_package: str) -> None:
        self.paths = paths
        self.work_package = work_package

    def manifest(self) -> LaneManifest | None:
        """Return the lane manifest, None when there is none; LANE_RECORD_UNREADABLE."""
        try:
            return read_lane_manifest(self.paths.lanes)
        except LaneManifestError as error:
            raise diagnostic("LANE_RECORD_UNREADABLE", problem=str(error)) from None

    def lane_in(self, manifest: LaneManifest) -> str | None:
        """Return the lane that has the work package and a branch of its own; None when none has.

        Raises:
            DiagnosticError: LANE_RECORD_AMBIGUOUS when several lanes have it, or one whose name is no name of a lane.
        """
        found = [lane.lane_id for lane in manifest.lanes if self.work_package in lane.wp_ids]
        if len(found) > 1 or not all(map(is_safe_segment, found)):
            raise diagnostic(
                "LANE_RECORD_AMBIGUOUS",
                mission_slug=self.paths.slug,
                work_package_id=self.work_package,
                lanes=", ".join(map(repr, found)),
            )
        return found[0] if found and found[0] != PLANNING_LANE else None

    def context(self, lane_id: str) -> WorkspaceContext | None:
        """Return the workspace context of a lane, None when there is none; LANE_RECORD_UNREADABLE."""
        path = context_path(self.paths.root, self.paths.slug, lane_id)
        context = read_context(path)
        foreign = context is not None and (context.mission_slug, context.lane_id) != (self.paths.slug, lane_id)
        if foreign or (context is None and os.path.lexists(path)):
            # Its names may be any; the conventional ones would be a guess.
            raise diagnostic("LANE_RECORD_UNREADABLE", problem=f"{path} is no workspace context of {lane_id}")
        return context

    def base_of(self, mission_branch: str, context: WorkspaceContext | None) -> str:
        """Return the branch that a lane began at."""
        return mission_branch if context is None else context.base_branch

    def branch_of(self, mission_branch: str, lane_id: str, context: WorkspaceContext | None) -> str:
        """Return the branch of a lane; one without a context has its conventional name."""
        return lane_branch(mission_branch, lane_id) if context is None else context.branch_name

    def worktree_of(self, lane_id: str, context: WorkspaceContext | None) -> Path:
        """Return the worktree of a lane."""
        conventional = f".worktrees/{self.paths.slug}-{lane_id}"
        return self.paths.root / (conventional if context is None else context.worktree_path)
