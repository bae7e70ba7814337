"""Missions in a repository, in all four topologies (interop: sections 1.2, 1.4, 1.5, 1.10; clause STA-005).

Where one log has two places, the wrong place holds a decoy: a sound log in which every work package is somewhere
that it is not, by actor ``decoy``, at moments after the real ones, so that whoever reads it, or merges it, shows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from kitty_reliability.formats.events import EVENT_LOG_NAME
from kitty_reliability.formats.lane_manifest import PLANNING_LANE, lane_branch, mission_branch
from kitty_reliability.formats.lanes import Lane as LaneState
from kitty_reliability.formats.mission import COORDINATED, META_NAME, MISSIONS_DIRECTORY, encode_meta
from kitty_reliability.formats.workspace import WorkspaceContext

from .clock import Clock
from .errors import BuildError
from .event_log import ROUTES, EventLog
from .files import put
from .history import tell
from .identifiers import Identifiers
from .lane_plan import plan_lanes, require_context, require_free
from .mission import Mission, WorkPackage, make_place, mission, one_of, plan_mission, require_new
from .worktrees import Checkout, Lane

if TYPE_CHECKING:
    from .repository import Repository

__all__ = ["DECOY", "RepositoryMission", "repository_mission"]

#: Who acts in a decoy.
DECOY: Final = "decoy"

_CONTEXTS: Final = {
    "fresh": Lane.fresh_context,
    "stale": Lane.stale_context,
    "ambiguous": Lane.ambiguous_context,
    "missing": Lane.missing_context,
    "unreadable": Lane.unreadable_context,
}

#: What `build.mission` takes beyond what is said here.
_OPTIONS: Final = frozenset(mission.__kwdefaults__ or ())


@dataclass(frozen=True, slots=True)
class RepositoryMission(Mission):
    """A mission in a repository; ``log`` is the canonical one, wherever the topology has it."""

    repository: Repository
    primary: Checkout
    branch: str
    lane_checkouts: Mapping[str, Lane]
    coordination: Checkout | None

    @property
    def expected(self) -> dict[str, str]:
        """The lane of each work package that the canonical log says; a decoy says another one for each."""
        return self.lanes

    @property
    def coord(self) -> Checkout:
        """The coordination worktree.

        Raises:
            BuildError: the topology has none.
        """
        if self.coordination is None:
            raise BuildError(f"topology {self.meta.get('topology')!r} has no coordination worktree")
        return self.coordination

    def lane(self, lane_id: str) -> Lane:
        """Return the worktree of a lane.

        Raises:
            BuildError: no such lane, or one without a worktree.
        """
        try:
            return self.lane_checkouts[lane_id]
        except KeyError:
            known = ", ".join(self.lane_checkouts) or "none"
            raise BuildError(f"no worktree for lane {lane_id!r}; there are: {known}") from None

    def copy_in(self, checkout: Checkout) -> Path:
        """Return where a checkout has, or would have, its copy of the log."""
        return checkout.path / self.paths.log.relative_to(self.root)


def repository_mission(
    repo: Repository,
    work_packages: Mapping[str, str | Sequence[str] | WorkPackage] | None = None,
    *,
    wps: Mapping[str, str | Sequence[str] | WorkPackage] | None = None,
    lanes: Mapping[str, Sequence[str]] | None = None,
    topology: str | None = None,
    decoys: bool = True,
    context: Literal["fresh", "stale", "ambiguous", "missing", "unreadable"] = "fresh",
    lane_commits: int = 1,
    lane_manifest: Mapping[str, Sequence[str]] | None = None,
    meta: Mapping[str, Any] | None = None,
    **options: Any,
) -> RepositoryMission:
    """Build a mission in the repository, commit it, and return it.

    A branch that was in sync with its remote is pushed and stays so.

    Arguments:
        work_packages, wps, options: as in ``build.mission``.
        lanes: lane id -> work packages, in the order in which they use the lane. Each lane gets a branch
            ``kitty/mission-<slug>-<lane>`` and a worktree ``.worktrees/<slug>-<lane>``; ``lane-planning`` neither.
        topology: ``single_branch``; ``lanes``, the default when lanes are given; ``coord`` and
            ``lanes_with_coord``, which keep the log on the coordination branch, in ``.worktrees/<slug>-coord``.
            A topology with lanes and neither ``lanes`` nor ``lane_manifest`` gets ``lane-a`` with all packages.
        decoys: put a log that is wrong in every other place; False leaves copies of the real one in lanes, and
            nothing in the primary checkout of a ``coord`` topology, whose lanes then never check a log out.
        context: what becomes of the lanes' workspace contexts.
        lane_commits: commits of each lane branch over its base, to files of the lane's first work package.
        lane_manifest: writes ``lanes.json`` without branches and worktrees.

    Raises:
        BuildError: lanes that the topology does not have, a work package in no mission or in two lanes, a lane id
            that is none, a context that the lanes cannot have, an option that there is not, a branch or a worktree
            that is there already, and what ``build.mission`` raises.
    """
    work_packages = one_of(work_packages, wps)
    topology = topology or ("lanes" if lanes is not None else "single_branch")
    chosen = plan_lanes(topology, lanes, lane_manifest, work_packages)
    if context not in _CONTEXTS:
        raise BuildError(f"unknown context {context!r}; known: {', '.join(_CONTEXTS)}")
    require_context(chosen, context, lane_commits)
    unknown = sorted(options.keys() - _OPTIONS)
    if unknown:
        raise BuildError(f"a mission has no option {unknown[0]!r}; known: {', '.join(sorted(_OPTIONS))}")
    options.setdefault("clock", repo.clock)
    repo.begin()
    synchronized = _synchronized(repo)
    built, contents = plan_mission(
        repo.root,
        work_packages,
        topology=topology,
        meta={"target_branch": repo.branch, **(meta or {})},
        lane_manifest=lane_manifest if lanes is None and lane_manifest is not None else chosen or None,
        **options,
    )
    branch = mission_branch(built.slug, built.log.mission_id)
    coordinated = topology in COORDINATED
    if coordinated:
        branch = _coordinate(built, contents, branch, options.get("meta_drop", ()))
    names = [lane_id for lane_id in chosen if lane_id != PLANNING_LANE]
    require_new(built)
    require_free(
        repo,
        [*([branch] if coordinated or chosen else []), *(lane_branch(branch, lane_id) for lane_id in names)],
        [f"{built.slug}-{name}" for name in [*names, *(["coord"] if coordinated else [])]],
    )
    make_place(built)
    base, coordination = _commit_log(
        repo, built, contents, branch, coordinated=coordinated, apart=bool(chosen), decoys=decoys
    )
    if chosen and not coordinated:
        repo.steps.point(f"refs/heads/{branch}", base)
    made = {
        lane_id: _lane(repo, built, branch, base, lane_id, wp_ids, lane_commits)
        for lane_id, wp_ids in chosen.items()
        if lane_id in names
    }
    if made and coordinated and not decoys:
        _hide_log(built, made)
        repo.steps.configure("[extensions]\n\tworktreeConfig = true\n")
    if synchronized:
        place = repo.upstreams.get(repo.branch, repo.branch)
        tracking = f"refs/remotes/{repo.remote_name}/{place}"
        repo.steps.publish(f"refs/heads/{repo.branch}", f"refs/heads/{place}", tracking)
    repo.steps.flush()
    for lane in made.values():
        _CONTEXTS[context](lane)
    result = RepositoryMission(
        built.paths, built.mission_id, built.meta, built.log, built.work_packages,
        repo, Checkout(repo, repo.root, repo.branch), branch, made, coordination,
    )  # fmt: skip
    repo.missions.append(result)
    return result


def _synchronized(repo: Repository) -> bool:
    if repo.remote is None:
        return False
    place = repo.upstreams.get(repo.branch, repo.branch)
    tip = repo.steps.tip(f"refs/heads/{repo.branch}")
    tracked = repo.steps.tip(f"refs/remotes/{repo.remote_name}/{place}")
    return tip is not None and tip == tracked == repo.steps.remote_tip(f"refs/heads/{place}")


def _coordinate(built: Mission, contents: dict[str, bytes], branch: str, drop: Sequence[str]) -> str:
    """Record the coordination branch, which is the mission's own one unless ``meta=`` names another; return it."""
    values = built.meta
    if isinstance(values, dict) and "coordination_branch" not in drop:
        values.setdefault("coordination_branch", branch)
        contents[f"{MISSIONS_DIRECTORY}/{built.slug}/{META_NAME}"] = encode_meta(values)
        return str(values["coordination_branch"])
    return branch


def _commit_log(
    repo: Repository,
    built: Mission,
    contents: dict[str, bytes],
    branch: str,
    *,
    coordinated: bool,
    apart: bool,
    decoys: bool,
) -> tuple[str, Checkout | None]:
    """Commit the mission with its log where the topology has it; return the lanes' base and the coordination."""
    inside = f"{MISSIONS_DIRECTORY}/{built.slug}/{EVENT_LOG_NAME}"
    add, record = f"Add mission {built.slug}", f"Record the state of {built.slug}"
    log = contents.get(inside)
    if log is not None and decoys and (coordinated or apart):
        contents[inside] = _decoy(built)
    elif log is not None and coordinated:
        del contents[inside]
    base = repo.commit_all(add, contents)
    if not coordinated:
        if log is not None and decoys and apart:
            # The lanes begin at the older copy: merging one of them brings nothing of it back.
            repo.commit_all(record, {inside: log})
        return base, None
    repo.steps.point(f"refs/heads/{branch}", base)
    if log is not None:
        repo.grow(branch, [repo.change(record, {inside: log})])
    checkout = Checkout(repo, _worktree(repo, f"{built.slug}-coord", branch), branch)
    built.log.path = checkout.path / inside
    return base, checkout


def _decoy(built: Mission) -> bytes:
    clock = Clock(built.log.clock.now + timedelta(days=1))
    log = EventLog(
        built.paths.log,
        mission_slug=built.slug,
        mission_id=built.log.mission_id,
        clock=clock,
        ids=Identifiers(f"{DECOY}:{built.slug}"),
        actor=DECOY,
    ).defer()
    wrong = {
        wp_id: LaneState.CANCELED if built.log.lanes.get(wp_id) is LaneState.BLOCKED else LaneState.BLOCKED
        for wp_id in built.work_packages
    }
    tell(log, {wp_id: ROUTES[lane] for wp_id, lane in wrong.items()}, actor=DECOY)
    return log.data


def _lane(
    repo: Repository, built: Mission, branch: str, base: str, lane_id: str, wp_ids: list[str], commits: int
) -> Lane:
    own = lane_branch(branch, lane_id)
    repo.steps.point(f"refs/heads/{own}", base)
    if commits:
        folder = _owned_folder(wp_ids[0], built.work_packages[wp_ids[0]])
        work = [
            repo.change(f"Work {number} in {lane_id}", {f"{folder}work-{number}.py": b"done = True\n"})
            for number in range(1, commits + 1)
        ]
        repo.grow(own, work, base)
    name = f"{built.slug}-{lane_id}"
    path = _worktree(repo, name, own)
    active = _active(built, wp_ids)
    context = WorkspaceContext(
        wp_id=active,
        mission_slug=built.slug,
        worktree_path=f".worktrees/{name}",
        branch_name=own,
        base_branch=branch,
        created_at=str(built.meta.get("created_at", built.log.clock.text)),
        lane_id=lane_id,
        lane_wp_ids=wp_ids,
        base_commit=base,
        dependencies=list(built.work_packages[active].dependencies),
        current_wp=active,
    )
    return Lane(repo, path, own, lane_id, context)


def _hide_log(built: Mission, lanes: Mapping[str, Lane]) -> None:
    """Have lanes never check the log and its snapshot out, as released ones of a coordinated mission do not."""
    hidden = "".join(
        f"!{path.relative_to(built.root).as_posix()}\n" for path in (built.paths.log, built.paths.snapshot)
    )
    for lane in lanes.values():
        own = built.root / ".git" / "worktrees" / lane.path.name
        put(f"{own}/info/sparse-checkout", f"/*\n{hidden}".encode())
        put(f"{own}/config.worktree", b"[core]\n\tsparseCheckout = true\n\tsparseCheckoutCone = false\n")


def _worktree(repo: Repository, name: str, branch: str) -> Path:
    repo.steps.worktree(name, branch)
    return repo.root / f".worktrees/{name}"


def _active(built: Mission, wp_ids: Sequence[str]) -> str:
    """Return the work package that a lane is at: the one in progress, else the last that began, else the first."""
    lanes = built.log.lanes
    working = [wp for wp in wp_ids if lanes.get(wp) is LaneState.IN_PROGRESS]
    began = [wp for wp in wp_ids if lanes.get(wp) not in (None, LaneState.PLANNED, LaneState.GENESIS)]
    return (working or began[-1:] or list(wp_ids))[0]


def _owned_folder(wp_id: str, package: WorkPackage) -> str:
    """Return a folder, with its slash, that the package owns; of a pattern only what is before its first star."""
    pattern = package.owned_files[0] if package.owned_files else f"src/{wp_id.lower()}/**"
    return re.split(r"[*?\[]", pattern.removeprefix("./"))[0].rpartition("/")[0].rstrip("/").removesuffix("/") + "/"
