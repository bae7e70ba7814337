"""A mission on disk in one call: ``mission(tmp_path, work_packages={"WP01": "approved"})``.

Files only: no git, no process. What is written is what released readers accept: complete ``meta.json``, real
ULIDs, a log of legal rows, task files with every key that readers ask for (interop: sections 1.1 to 1.4).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from kitty_reliability.formats.events import EVENT_LOG_NAME
from kitty_reliability.formats.frontmatter import join
from kitty_reliability.formats.identifiers import is_safe_segment, is_work_package_id, mid8
from kitty_reliability.formats.lane_manifest import LaneManifest, ManifestLane, mission_branch
from kitty_reliability.formats.lanes import Lane
from kitty_reliability.formats.mission import META_NAME, MISSIONS_DIRECTORY, TOPOLOGIES, MissionPaths, encode_meta

from .clock import Clock
from .errors import BuildError
from .event_log import ROUTES, EventLog
from .files import make_directory, put
from .history import tell
from .identifiers import Identifiers

if TYPE_CHECKING:
    from .work_package import WorkPackageVerbs

__all__ = ["Mission", "WorkPackage", "mission"]

PROJECT_FILE: Final = ".kittify/config.yaml"
PROJECT_CONFIG: Final = """\
protection: {protected_branches: []}
preflight: {enabled: false}
project: {uuid: 00000000-0000-4000-8000-000000000000, slug: demo, node_id: d036a097a835, \
build_id: 00000000-0000-4000-8000-000000000001}
"""


_LISTS: Final = ("dependencies", "owned_files", "subtasks", "drop")
_BOOTSTRAPS: Final = ("genesis", "planned")
#: Room for what other names have around a slug, in a file system that takes 255.
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class WorkPackage:
    """What a work package is, when a lane alone does not say enough.

    Arguments:
        lane: where it is, or the lanes that it went through, in order.
        title: the heading; also names the file.
        dependencies, owned_files, subtasks: as in the frontmatter.
        frontmatter: keys to set; ``drop``: keys to leave out.
        file: False writes no task file.
    """

    lane: str | Sequence[str] = "planned"
    title: str = ""
    dependencies: Sequence[str] = ()
    owned_files: Sequence[str] = ()
    subtasks: Sequence[str] = ()
    frontmatter: Mapping[str, Any] = field(default_factory=dict)
    drop: Iterable[str] = ()
    file: bool = True

    def __post_init__(self) -> None:
        for name in _LISTS:
            if isinstance(getattr(self, name), str):
                raise BuildError(f"{name} is a list of texts, not the text {getattr(self, name)!r}")


@dataclass(frozen=True, slots=True)
class Mission:
    """A mission that was built: where it is, who it is, and its log to go on with."""

    paths: MissionPaths
    mission_id: str
    meta: Mapping[str, Any]
    log: EventLog
    work_packages: Mapping[str, WorkPackage]

    @property
    def root(self) -> Path:
        """The repository's root."""
        return self.paths.root

    @property
    def directory(self) -> Path:
        """``kitty-specs/<slug>``."""
        return self.paths.directory

    @property
    def slug(self) -> str:
        """The name of the directory."""
        return self.paths.slug

    @property
    def lanes(self) -> dict[str, str]:
        """The lane that each work package was built to, or moved to by the log's verbs."""
        return {wp: str(lane) for wp, lane in self.log.lanes.items()}

    def task_file(self, work_package: str) -> Path:
        """Return the path of a work package's file; BuildError when there is no such work package."""
        return self.paths.tasks / _file_name(work_package, self.package(work_package))

    def package(self, work_package: str) -> WorkPackage:
        """Return what a work package was built as; BuildError when there is none."""
        if work_package not in self.work_packages:
            known = ", ".join(self.work_packages) or "none"
            raise BuildError(f"mission {self.slug} has no work package {work_package!r}; it has: {known}")
        return self.work_packages[work_package]

    def wp(self, work_package: str) -> WorkPackageVerbs:
        """Return the verbs of a work package: ``m.wp("WP01").claim().start()``; BuildError when there is none."""
        from .work_package import WorkPackageVerbs

        return WorkPackageVerbs(self, work_package)


def mission(
    root: Path | str,
    work_packages: Mapping[str, str | Sequence[str] | WorkPackage] | None = None,
    *,
    wps: Mapping[str, str | Sequence[str] | WorkPackage] | None = None,
    slug: str | None = None,
    name: str = "demo",
    seed: str = "kitty",
    topology: str = "single_branch",
    meta: Mapping[str, Any] | None = None,
    meta_drop: Iterable[str] = (),
    actor: str = "implementer-agent",
    reviewer: str = "reviewer-agent",
    clock: Clock | None = None,
    lane_manifest: Mapping[str, Sequence[str]] | None = None,
    bootstrap: Literal["genesis", "planned"] = "genesis",
    tasks: str | None = None,
    illegal: bool = False,
    log: bool = True,
) -> Mission:
    """Write a mission under ``root`` and return it.

    Arguments:
        root: the repository's root; it is created when it is missing.
        work_packages: id -> lane, or the lanes it went through, or a ``WorkPackage``. One planned WP01 when
            left out. ``"genesis"`` writes no row.
        wps: the same, for who likes it short.
        slug: the directory's name; ``<name>-<first eight of the id>`` when left out.
        seed: what the ids are drawn from; two missions in one repository need two names, or two moments.
        topology: one of ``formats.mission.TOPOLOGIES``.
        meta, meta_drop: keys of ``meta.json`` to set and to leave out.
        actor, reviewer: who works and who reviews.
        clock: where time comes from; a fresh one when left out.
        lane_manifest: lane id -> work packages; writes ``lanes.json`` when given.
        bootstrap: how a work package enters the log: ``genesis -> planned``, or the forced
            ``planned -> planned`` of older writers, which every released version reads.
        tasks: the text of ``tasks.md``.
        illegal: allow routes that the lane table does not have.
        log: False writes no log file.

    Raises:
        BuildError: an unknown lane, an illegal route, an unsafe slug, a wrong work package id or topology, lanes
            with other work packages, a value that no file can hold, a mission that is there already.
    """
    built, contents = plan_mission(
        root, work_packages, wps=wps, slug=slug, name=name, seed=seed, topology=topology, meta=meta,
        meta_drop=meta_drop, actor=actor, reviewer=reviewer, clock=clock, lane_manifest=lane_manifest,
        bootstrap=bootstrap, tasks=tasks, illegal=illegal, log=log,
    )  # fmt: skip
    make_place(built)
    if PROJECT_FILE in contents:
        make_directory(f"{built.root}/.kittify")
    for path, data in contents.items():
        put(f"{built.root}/{path}", data)
    return built


def plan_mission(
    root: Path | str,
    work_packages: Mapping[str, str | Sequence[str] | WorkPackage] | None = None,
    *,
    wps: Mapping[str, str | Sequence[str] | WorkPackage] | None = None,
    slug: str | None = None,
    name: str = "demo",
    seed: str = "kitty",
    topology: str = "single_branch",
    meta: Mapping[str, Any] | None = None,
    meta_drop: Iterable[str] = (),
    actor: str = "implementer-agent",
    reviewer: str = "reviewer-agent",
    clock: Clock | None = None,
    lane_manifest: Mapping[str, Sequence[str]] | None = None,
    bootstrap: Literal["genesis", "planned"] = "genesis",
    tasks: str | None = None,
    illegal: bool = False,
    log: bool = True,
) -> tuple[Mission, dict[str, bytes]]:
    """Return what ``mission`` with the same arguments builds, and the files it has, by their paths under the root.

    Nothing is written: everything that can be wrong with the arguments is found first. Raises as ``mission`` does.
    """
    work_packages = one_of(work_packages, wps)
    if topology not in TOPOLOGIES:
        raise BuildError(f"unknown topology {topology!r}; known: {', '.join(TOPOLOGIES)}")
    if bootstrap not in _BOOTSTRAPS:
        raise BuildError(f"unknown bootstrap {bootstrap!r}; known: {', '.join(_BOOTSTRAPS)}")
    clock = clock or Clock()
    ids = Identifiers(f"{seed}:{name}")
    mission_id = ids.ulid(clock.now)
    chosen = slug if slug is not None else f"{name}-{mid8(mission_id)}"
    if not is_safe_segment(chosen) or len(chosen) > _LONGEST:
        problem = f"is not one safe path segment of at most {_LONGEST} characters"
        raise BuildError(f"slug {chosen!r:.99} {problem}; write hostile names by hand")
    # Absolute: whoever goes on with the log may have gone to another directory.
    paths = MissionPaths.under(Path(root).absolute(), chosen)
    packages = _packages({"WP01": "planned"} if work_packages is None else work_packages)
    values = _meta(chosen, mission_id, topology, clock, meta or {}, meta_drop)
    events = EventLog(
        paths.log,
        mission_slug=chosen,
        mission_id=values.get("mission_id"),
        clock=clock,
        ids=ids,
        actor=actor,
        reviewer=reviewer,
        bootstrap=bootstrap,
    ).defer()
    tell(events, {wp_id: _route(wp_id, package.lane) for wp_id, package in packages.items()}, illegal=illegal)
    built = Mission(paths, values.get("mission_id") or mission_id, values, events, packages)
    contents = _contents(built, tasks, lane_manifest, clock)
    if log:
        contents[f"{MISSIONS_DIRECTORY}/{chosen}/{EVENT_LOG_NAME}"] = events._release()
    return built, contents


def require_new(built: Mission) -> None:
    """Raise BuildError when there is a mission of this name already."""
    if os.path.lexists(f"{built.directory}/tasks"):
        raise _there_already(built)


def make_place(built: Mission) -> None:
    """Make the directories of a mission; BuildError when it is there already, or they cannot be made."""
    tasks = f"{built.directory}/tasks"
    try:
        make_directory(str(built.directory))
        os.mkdir(tasks)  # noqa: PTH102 - see `files`
    except FileExistsError:
        raise _there_already(built) from None
    except OSError as error:
        raise BuildError(f"{tasks} cannot be made: {error.strerror}; give another root") from None


def _there_already(built: Mission) -> BuildError:
    return BuildError(f"mission {built.slug!r} exists already; give it another name or slug")


def one_of(
    work_packages: Mapping[str, str | Sequence[str] | WorkPackage] | None,
    wps: Mapping[str, str | Sequence[str] | WorkPackage] | None,
) -> Mapping[str, str | Sequence[str] | WorkPackage] | None:
    """Return the one that is given, None for neither; BuildError for both."""
    if work_packages is not None and wps is not None:
        raise BuildError("wps is another name of work_packages; give one of them")
    return wps if work_packages is None else work_packages


def _packages(given: Mapping[str, str | Sequence[str] | WorkPackage]) -> dict[str, WorkPackage]:
    if not isinstance(given, Mapping):
        raise BuildError(f"work packages are a mapping such as {{'WP01': 'planned'}}, not {given!r}")
    packages = {}
    for wp_id, what in given.items():
        if not isinstance(wp_id, str) or not is_work_package_id(wp_id):
            raise BuildError(f"{wp_id!r} is not a work package id such as WP01")
        package = what if isinstance(what, WorkPackage) else WorkPackage(what)
        if not isinstance(package.lane, str | Sequence):
            raise BuildError(f"{wp_id} is in a lane such as 'planned', or went through a list of them, not {what!r}")
        packages[wp_id] = package
    return packages


def _contents(
    built: Mission, tasks: str | None, lanes: Mapping[str, Sequence[str]] | None, clock: Clock
) -> dict[str, bytes]:
    """Return the files of a mission but its log; what cannot be written is found here."""
    directory = f"{MISSIONS_DIRECTORY}/{built.slug}"
    try:
        contents = {
            f"{directory}/{META_NAME}": encode_meta(built.meta),
            f"{directory}/tasks.md": (tasks or f"# Tasks of {built.slug}\n").encode(),
        }
        for wp_id, package in built.work_packages.items():
            if package.file:
                contents[f"{directory}/tasks/{_file_name(wp_id, package)}"] = _task_file(wp_id, package)
    except (TypeError, UnicodeEncodeError) as error:
        raise BuildError(f"mission {built.slug} has a value that no file can hold: {error}") from None
    if lanes is not None:
        from .lane_plan import require_lanes

        require_lanes(lanes, built.work_packages)
        contents[f"{directory}/lanes.json"] = _manifest(built, lanes, clock)
    if not os.path.exists(f"{built.root}/{PROJECT_FILE}"):  # noqa: PTH110 - see `files`
        contents[PROJECT_FILE] = PROJECT_CONFIG.encode()
    return contents


def _route(wp_id: str, lane: str | Sequence[str]) -> Sequence[str]:
    if not isinstance(lane, str):
        return lane
    try:
        return ROUTES[Lane(lane)]
    except (ValueError, KeyError):
        known = ", ".join(ROUTES)
        raise BuildError(f"{wp_id}: no route to lane {lane!r}; known: {known}") from None


def _meta(
    slug: str,
    mission_id: str,
    topology: str,
    clock: Clock,
    overrides: Mapping[str, Any],
    drop: Iterable[str],
) -> dict[str, Any]:
    values: dict[str, Any] = {
        "created_at": clock.text,
        "friendly_name": slug.replace("-", " "),
        "mission_id": mission_id,
        "mission_number": None,
        "mission_slug": slug,
        "mission_type": "software-dev",
        "slug": slug,
        "target_branch": "main",
        "topology": topology,
        "vcs": "git",
        **overrides,
    }
    if isinstance(drop, str):
        raise BuildError(f"meta_drop is a list of keys, not the text {drop!r}")
    for key in drop:
        values.pop(key, None)
    return values


def _file_name(wp_id: str, package: WorkPackage) -> str:
    words = "".join(c if c.isascii() and c.isalnum() else "-" for c in package.title.lower()).strip("-")
    return f"{wp_id}-{words[:_LONGEST].rstrip('-') or 'work'}.md"


def _task_file(wp_id: str, package: WorkPackage) -> bytes:
    owned = list(_owned({wp_id: package}, wp_id))
    values: dict[str, Any] = {
        "work_package_id": wp_id,
        "title": package.title or f"Work package {wp_id}",
        "dependencies": list(package.dependencies),
        "subtasks": list(package.subtasks),
        "authoritative_surface": owned[0].split("*")[0],
        "execution_mode": "code_change",
        "owned_files": owned,
        **package.frontmatter,
    }
    for key in package.drop:
        values.pop(key, None)
    return join(values, f"\n# {values.get('title', wp_id)}\n").encode()


def _manifest(built: Mission, lanes: Mapping[str, Sequence[str]], clock: Clock) -> bytes:
    return LaneManifest(
        mission_slug=built.slug,
        mission_id=built.log.mission_id,
        mission_branch=mission_branch(built.slug, built.log.mission_id),
        target_branch=built.meta.get("target_branch", "main"),
        lanes=[
            ManifestLane(
                lane_id,
                wp_ids,
                [glob for wp_id in wp_ids for glob in _owned(built.work_packages, wp_id)],
                depends_on_lanes=[
                    other
                    for other, theirs in lanes.items()
                    if other != lane_id
                    and any(need in theirs for wp_id in wp_ids for need in built.work_packages[wp_id].dependencies)
                ],
            )
            for lane_id, wp_ids in lanes.items()
        ],
        computed_at=clock.text,
    ).encode()


def _owned(packages: Mapping[str, WorkPackage], wp_id: str) -> Sequence[str]:
    package = packages.get(wp_id)
    return package.owned_files if package and package.owned_files else [f"src/{wp_id.lower()}/**"]
