"""Which lanes a mission in a repository gets; everything about them that can be wrong is found here, before writing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from kitty_reliability.formats.lane_manifest import PLANNING_LANE
from kitty_reliability.formats.mission import TOPOLOGIES

from .errors import BuildError

if TYPE_CHECKING:
    from .repository import Repository

__all__ = ["plan_lanes", "require_context", "require_free", "require_lanes"]

#: One letter: guards know no branch of a lane with more (interop: sections 1.2 and 7).
_LANE_ID: Final = re.compile(r"lane-(?:[a-z]|planning)\Z")


def plan_lanes(
    topology: str,
    lanes: Mapping[str, Sequence[str]] | None,
    lane_manifest: Mapping[str, Sequence[str]] | None,
    work_packages: Mapping[str, Any] | None,
) -> dict[str, list[str]]:
    """Return the lanes to be built, lane id -> work packages.

    Raises:
        BuildError: an unknown topology, or lanes that it or the mission does not have.
    """
    known = ["WP01"] if work_packages is None else list(work_packages)
    if topology not in TOPOLOGIES:
        raise BuildError(f"unknown topology {topology!r}; known: {', '.join(TOPOLOGIES)}")
    has_lanes = topology in ("lanes", "lanes_with_coord")
    if lanes is None:
        if has_lanes and lane_manifest is None and not known:
            raise BuildError(f"topology {topology!r} has lanes, and the mission no work package to be in one")
        return {"lane-a": known} if has_lanes and lane_manifest is None else {}
    if lane_manifest is not None:
        raise BuildError("lanes= builds lanes and writes their manifest; give lanes= or lane_manifest=, not both")
    if not has_lanes:
        raise BuildError(f"topology {topology!r} has no lanes; use 'lanes' or 'lanes_with_coord'")
    require_lanes(lanes, known)
    return {lane_id: list(wp_ids) for lane_id, wp_ids in lanes.items()}


def require_lanes(lanes: Mapping[str, Sequence[str]], work_packages: Iterable[str]) -> None:
    """Raise BuildError unless ``lanes`` are lane ids with work packages of the mission, each in one lane."""
    if not isinstance(lanes, Mapping) or not lanes:
        raise BuildError(f"lanes are a mapping such as {{'lane-a': ['WP01']}}, not {lanes!r}")
    known = list(work_packages)
    seen: dict[str, str] = {}
    for lane_id, wp_ids in lanes.items():
        if not isinstance(lane_id, str) or not _LANE_ID.match(lane_id):
            raise BuildError(f"{lane_id!r} is not a lane id such as lane-a: one lower-case letter, or lane-planning")
        if isinstance(wp_ids, str) or not isinstance(wp_ids, Sequence):
            raise BuildError(f"{lane_id}: the work packages are a list such as ['WP01'], not {wp_ids!r}")
        if not wp_ids:
            raise BuildError(f"{lane_id} has no work package")
        for wp_id in wp_ids:
            if wp_id not in known:
                raise BuildError(f"{lane_id}: the mission has no work package {wp_id!r}")
            if wp_id in seen:
                raise BuildError(f"{wp_id} is in {seen[wp_id]} and in {lane_id}")
            seen[wp_id] = lane_id


def require_context(lanes: Mapping[str, Sequence[str]], context: str, commits: int) -> None:
    """Raise BuildError unless the lanes can have this context and as many commits."""
    built = {lane_id: wp_ids for lane_id, wp_ids in lanes.items() if lane_id != PLANNING_LANE}
    if not built and (context != "fresh" or commits != 1):
        raise BuildError("context= and lane_commits= are about lanes with a worktree, and there is none; give lanes=")
    if commits < 0:
        raise BuildError(f"a lane cannot have {commits} commits")
    alone = [lane_id for lane_id, wp_ids in built.items() if len(wp_ids) == 1]
    if context == "stale" and alone:
        raise BuildError(
            f"{alone[0]} has one work package, so its context has no other one to be stale with; "
            "give it two, or name one by lane(...).stale_context(...)"
        )


def require_free(repo: Repository, branches: Iterable[str], worktrees: Iterable[str]) -> None:
    """Raise BuildError if git could not make the branches and worktrees."""
    problem = ""
    for branch in branches:
        # A reference is a file or a directory, not both.
        above = [branch[:end] for end, letter in enumerate(branch) if letter == "/"]
        for there in (branch, *above):
            if repo.steps.tip(f"refs/heads/{there}") is not None:
                problem = f"branch {there!r} is there already, and branch {branch!r} is needed"
    for worktree in worktrees:
        if os.path.exists(f"{repo.root}/.worktrees/{worktree}"):  # noqa: PTH110 - see `files`
            problem = f"the worktree {worktree!r} is there already"
    if problem:
        raise BuildError(f"{problem}; give the mission another slug, or remove what is there")
