"""Prompts that say whom they are for, and dispatch that believes nothing else (RPM-001 to RPM-009). PYTEST_DONT_REWRITE"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from kitty_reliability.formats import prompts as formats
from kitty_reliability.formats.diagnostics import diagnostic
from kitty_reliability.formats.instants import spell
from kitty_reliability.formats.lane_manifest import mission_branch
from kitty_reliability.formats.mission import MissionPaths, read_meta
from kitty_reliability.formats.prompts import PROMPT_FIELDS, PromptFinding, PromptFormatError, PromptMetadata
from kitty_reliability.formats.work_package import find_work_package
from kitty_reliability.implementations.protocol import Dispatch, Prompt

from .commands import printable
from .files import write_exclusively
from .lane_records import LaneRecords

if TYPE_CHECKING:
    from .workflow import Workflow

__all__ = ["PROMPT_KINDS", "PromptIdentity", "Prompts"]

PROMPT_KINDS: Final = ("review", "implement")

#: How many prompts of a work package are kept.
_KEPT: Final = 20
#: A prompt that was written in the last hour is never removed.
_YOUNG_NS: Final = 3600 * 10**9
_BODIES: Final = {
    "review": "# Review {wp}\n\n{actor}: look at the changes of {wp} in {worktree} and say whether it is done.\n",
    "implement": "# Implement {wp}\n\n{actor}: do the work of {wp} in {worktree}.\n",
}
#: The code of each reason for which a prompt says nothing of itself; any other is REVIEW_PROMPT_INVALID.
_CODES: Final = {
    PromptFinding.MISSING: "REVIEW_PROMPT_MISSING",
    PromptFinding.UNREADABLE: "REVIEW_PROMPT_UNREADABLE",
    PromptFinding.EMPTY: "REVIEW_PROMPT_EMPTY",
    PromptFinding.TRUNCATED: "REVIEW_PROMPT_TRUNCATED",
    PromptFinding.NO_FRONTMATTER: "REVIEW_PROMPT_NO_FRONTMATTER",
}


@dataclass(frozen=True, slots=True)
class PromptIdentity:
    """What a request and the mission's state say of a prompt, before there is one."""

    repo_root: str
    mission_id: str
    mission_slug: str
    work_package_id: str
    lane_worktree: str
    mission_branch: str
    lane_branch: str
    base_ref: str


class Prompts:
    """Writes prompts, and compares them with what is asked for.

    Arguments:
        workflow: finds the mission, and knows its work packages.
    """

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow

    def write(self, request: Prompt) -> PromptMetadata:
        """Write the prompt of one invocation: a new file, for its owner alone, read back before it is told.

        Raises:
            DiagnosticError: nothing was written then.
        """
        if request.kind not in PROMPT_KINDS:
            raise diagnostic("PROMPT_KIND_UNKNOWN", kind=request.kind, known=", ".join(PROMPT_KINDS))
        identity = self.identity(request)
        temporary = Path(request.temporary or tempfile.gettempdir()).resolve()
        invocation = self.invocation()
        path = self.path(temporary, identity, invocation)
        metadata = PromptMetadata(
            invocation_id=invocation,
            prompt_path=str(path),
            created_at=spell(datetime.now(UTC)).replace("+00:00", "Z"),
            **asdict(identity),
        )
        body = _BODIES[request.kind].format(
            wp=identity.work_package_id, actor=printable(request.actor), worktree=printable(identity.lane_worktree)
        )
        try:
            data = self.encode(metadata, body)
        except UnicodeEncodeError:
            raise diagnostic("TEXT_NOT_ENCODABLE", field="lane_worktree") from None
        self.require_private(temporary, path.parent)
        self.create(path, data)
        self._read_back(path, metadata)
        self._prune(path)
        return metadata

    def dispatch(self, request: Dispatch) -> None:
        """Compare the prompt with what is asked for. There is no other prompt to fall back to (RPM-002).

        Raises:
            DiagnosticError: REVIEW_PROMPT_METADATA_MISMATCH, and one code for each way in which a prompt is not one.
        """
        unknown = sorted(request.requested.keys() - set(PROMPT_FIELDS))
        if unknown:
            raise diagnostic("VALUE_INVALID", problem=f"a prompt has no field {unknown[0]!r}")
        given = Path(request.prompt_path)
        known = {**self.known(request), "prompt_path": str(given.parent.resolve() / given.name)}
        requested = {**known, **request.requested}
        found = self.read(given, requested)
        # What is asked for twice has to be right twice.
        differing = [
            name
            for name in PROMPT_FIELDS
            if found[name] != known.get(name, found[name]) or found[name] != requested.get(name, found[name])
        ]
        if differing:
            shown = {name: known[name] if found[name] == requested[name] else requested[name] for name in differing}
            raise diagnostic(
                "REVIEW_PROMPT_METADATA_MISMATCH",
                differing=", ".join(differing),
                requested_context={**requested, **shown},
                prompt_context=dict(found),
                prompt_path=request.prompt_path,
            )

    # --- the parts

    def identity(self, request: Prompt | Dispatch) -> PromptIdentity:
        """Return what the request and canonical state say.

        Raises:
            DiagnosticError: no such mission or work package, or lanes that cannot be read.
        """
        paths = self.workflow.find(request.root, request.mission)
        package = request.work_package
        if (
            find_work_package(paths.tasks, package) is None
            and package not in self.workflow.state(request.root, request.mission).lanes
        ):
            raise diagnostic("WORK_PACKAGE_NOT_FOUND", mission_slug=paths.slug, work_package_id=package)
        mission_id = read_meta(paths.meta).mission_id
        worktree, *references = _references(paths, mission_id, package)
        named = worktree if request.lane_worktree is None else paths.root / request.lane_worktree.replace("\0", "")
        return PromptIdentity(str(paths.root), mission_id or "", paths.slug, package, str(named.resolve()), *references)

    def known(self, request: Dispatch) -> dict[str, str]:
        """Return the fields that a request to dispatch decides without being told."""
        return asdict(self.identity(request))

    def invocation(self) -> str:
        """Return a name that no other invocation has."""
        return uuid4().hex

    def path(self, temporary: Path, identity: PromptIdentity, invocation: str) -> Path:
        """Return where the prompt goes; a name that a path would show as another one is refused."""
        for name in (identity.mission_slug, identity.work_package_id):
            if formats.sanitised(name) != name:
                raise diagnostic("PROMPT_NAME_AMBIGUOUS", name=name)
        return formats.prompt_path(
            temporary, identity.repo_root, identity.mission_slug, identity.work_package_id, invocation
        )

    def encode(self, metadata: PromptMetadata, body: str) -> bytes:
        """Return the bytes of a prompt."""
        return formats.encode_prompt(metadata, body)

    def create(self, path: Path, data: bytes) -> None:
        """Write a new file that only its owner can read."""
        write_exclusively(path, data, mode=0o600)

    def require_private(self, temporary: Path, directory: Path) -> None:
        """Make the directories from ``temporary`` down to ``directory``; those that are there must be ours alone."""
        place = temporary
        for part in directory.relative_to(temporary).parts:
            place /= part
            with contextlib.suppress(FileExistsError):
                place.mkdir(mode=0o700)
            problem = _exposed(place.lstat())
            if problem:
                raise diagnostic("PROMPT_DIRECTORY_UNSAFE", path=str(place), problem=problem)

    def read(self, path: Path, requested: Mapping[str, str]) -> Mapping[str, str]:
        """Return what the prompt says of itself."""
        try:
            return formats.parse_prompt(_bytes(path)).metadata.as_dict()
        except PromptFormatError as error:
            raise diagnostic(
                _CODES.get(error.finding, "REVIEW_PROMPT_INVALID"),
                problem=error.problem,
                requested_context=dict(requested),
                prompt_context={"error": str(error)},
                prompt_path=str(path),
            ) from None

    def _read_back(self, path: Path, metadata: PromptMetadata) -> None:
        try:
            found = formats.parse_prompt(_bytes(path)).metadata
            problem = "" if found == metadata else "it reads back as another one"
        except PromptFormatError as error:
            problem = error.problem
        if problem:
            path.unlink(missing_ok=True)
            raise diagnostic("PROMPT_READBACK_FAILED", path=str(path), problem=problem)

    def _prune(self, path: Path) -> None:
        """Remove old prompts of this work package beyond the newest; what somebody may still be about to read stays."""
        found, young = [], time.time_ns() - _YOUNG_NS
        for other in path.parent.glob("*.md"):
            # Another process may remove the same ones.
            with contextlib.suppress(OSError):
                if other != path:
                    found.append((other.lstat().st_mtime_ns, other))
        for modified, other in sorted(found, reverse=True)[_KEPT - 1 :]:
            with contextlib.suppress(OSError):
                if modified < young:
                    other.unlink()


def _references(paths: MissionPaths, mission_id: str | None, package: str) -> tuple[Path, str, str, str]:
    """Return worktree, mission branch, lane branch and base of a work package, from lane manifest and context only."""
    records = LaneRecords(paths, package)
    manifest = records.manifest()
    lane = None if manifest is None else records.lane_in(manifest)
    branch = mission_branch(paths.slug, mission_id) if manifest is None else manifest.mission_branch
    if lane is None:
        return paths.root, branch, "HEAD", branch
    context = records.context(lane)
    lane_branch, base = records.branch_of(branch, lane, context), records.base_of(branch, context)
    return records.worktree_of(lane, context), branch, lane_branch, base


def _exposed(found: os.stat_result) -> str:
    """Say what is wrong with a directory that prompts would go to; nothing when others cannot get at it."""
    if not stat.S_ISDIR(found.st_mode):
        return "a symbolic link" if stat.S_ISLNK(found.st_mode) else "no directory"
    if os.name == "nt":
        return ""  # the directory for temporary files is the user's own there
    if found.st_uid != os.geteuid():
        return "another user's"
    # Released versions leave directories that others can list; what is in them is not theirs to read or to change.
    return "open to other users" if stat.S_IMODE(found.st_mode) & 0o022 else ""


def _bytes(path: Path) -> bytes:
    """Return the bytes of a prompt: of a file, not of what a link or a pipe leads to."""
    flags: int = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise PromptFormatError(PromptFinding.UNREADABLE, f"{path} is no file")
            return file.read()
    except FileNotFoundError:
        raise PromptFormatError(PromptFinding.MISSING, f"no file {path}") from None
    except (OSError, ValueError) as error:
        if isinstance(error, PromptFormatError):
            raise
        raise PromptFormatError(PromptFinding.UNREADABLE, f"{path}: {error}") from None
