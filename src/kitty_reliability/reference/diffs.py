"""The commands that show the changes of a work package's lane (clauses RPM-003, DIF-001 to DIF-005, SEC-006).

Names of branches come from the lane manifest and the workspace context, as they are recorded there, and are given to git
in full: ``refs/heads/--output=x`` is a branch, ``--output=x`` a file that is written over. What a lane did is its own line
of commits since it left the others': what was merged into it is on another line. A tree compared with the tip of another
branch would show what moved there. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from typing import Final, NamedTuple

from kitty_reliability.formats.diagnostics import diagnostic
from kitty_reliability.formats.identifiers import is_safe_segment
from kitty_reliability.formats.lane_manifest import PLANNING_LANE, LaneManifest
from kitty_reliability.formats.workspace import WorkspaceContext

from .lane_records import LaneRecords

__all__ = ["Diffs", "Refs"]

_HEADS: Final = "refs/heads/"
_TAGS: Final = "refs/tags/"
#: A commit id that is shorter names nothing.
_SHORTEST: Final = 7
#: Of git's variables only these are kept: the others would point it to another repository.
_KEPT: Final = "GIT_CONFIG_"


class Refs(NamedTuple):
    """The branches that a diff is about, as they are recorded."""

    base_ref: str
    mission_branch: str
    lane_branch: str
    #: Where the lane began, when that is recorded.
    base_commit: str | None = None
    #: The branches of the lanes that this one depends on, also by way of others.
    dependencies: Sequence[str] = ()


class Diffs(LaneRecords):
    """Says how the changes of a lane are looked at; changes nothing.

    Arguments:
        paths: the mission.
        work_package: any work package of the lane.
    """

    def refs(self) -> Refs:
        """Return the recorded branches, each of which is a branch and nothing else.

        Raises:
            DiagnosticError: DIFF_LANE_UNKNOWN, DIFF_REF_MISSING, DIFF_REF_AMBIGUOUS, and what ``LaneRecords`` raises.
        """
        manifest, lane_id = self.lane()
        context = self.context(lane_id)
        refs = self.recorded(manifest, lane_id, context)
        for role in ("base_ref", "mission_branch", "lane_branch"):
            self.require_branch(role, getattr(refs, role))
        return refs

    def commands(self, refs: Refs) -> list[list[str]]:
        """Return the commands, as words, to be run in the main checkout.

        Raises:
            DiagnosticError: DIFF_START_UNKNOWN.
        """
        # What a merge brought is nobody's change here; `--cc` leaves of a merge what was resolved by hand.
        return [["git", "log", "--first-parent", "--cc", f"{self.start(refs)}..{_HEADS}{refs.lane_branch}", "--"]]

    def line(self, argv: Sequence[str]) -> str:
        """Return a command as a line for a POSIX shell."""
        return shlex.join(argv)

    # --- what is recorded

    def lane(self) -> tuple[LaneManifest, str]:
        """Return the lane manifest, and the lane that has the work package and a branch of its own."""
        manifest = self.manifest()
        lane_id = None if manifest is None else self.lane_in(manifest)
        if manifest is None or lane_id is None:
            raise diagnostic("DIFF_LANE_UNKNOWN", mission_slug=self.paths.slug, work_package_id=self.work_package)
        return manifest, lane_id

    def recorded(self, manifest: LaneManifest, lane_id: str, context: WorkspaceContext | None) -> Refs:
        """Return the branches as the records have them; a lane without a context has its conventional name."""
        mission = manifest.mission_branch
        return Refs(
            base_ref=self.base_of(mission, context),
            mission_branch=mission,
            lane_branch=self.branch_of(mission, lane_id, context),
            base_commit=None if context is None else context.base_commit,
            dependencies=[
                self.branch_of(mission, needed, self.context(needed)) for needed in _needed(manifest, lane_id)
            ],
        )

    def require_branch(self, role: str, name: str) -> None:
        """Raise DIFF_REF_MISSING or DIFF_REF_AMBIGUOUS unless ``name`` is a branch and no tag."""
        refs = (_HEADS + name, _TAGS + name)
        known = self.git("for-each-ref", "--format=%(refname)", *refs).splitlines()
        branch, tag = (ref in known for ref in refs)
        fields = {"role": role, "ref": name, "mission_slug": self.paths.slug, "work_package_id": self.work_package}
        if not branch:
            raise diagnostic("DIFF_REF_MISSING", **fields)
        if tag:
            raise diagnostic("DIFF_REF_AMBIGUOUS", **fields)

    # --- where the lane began

    def start(self, refs: Refs) -> str:
        """Return the last commit on the lane's own line that is not the lane's.

        That is where the line meets the one of the base, of the mission or of a dependency, or the recorded commit,
        whichever is latest: the record stands when the base was rebased, the base when the lane was.
        """
        own = self.line_of(refs.lane_branch)
        tip = own[0] if own else ""
        others = [self.line_of(name) for name in refs.dependencies]
        # A base that was moved up to the lane's own tip does not tell what of it was the lane's.
        others += [line for name in {refs.base_ref, refs.mission_branch} if tip not in (line := self.line_of(name))]
        known = {commit for line in others for commit in line}
        base = refs.base_commit or ""
        for commit in own:
            if commit in known or (len(base) >= _SHORTEST and commit.startswith(base)):
                return commit
        raise diagnostic(
            "DIFF_START_UNKNOWN",
            ref=refs.lane_branch,
            base_ref=refs.base_ref,
            mission_slug=self.paths.slug,
            work_package_id=self.work_package,
        )

    def line_of(self, branch: str) -> list[str]:
        """Return the commits of a branch by first parents, newest first; none when it is no branch."""
        return self.git("rev-list", "--first-parent", _HEADS + branch, "--").split()

    def git(self, *arguments: str) -> str:
        """Return what git printed; nothing when it failed, as it does for a reference that is not there."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name.startswith(_KEPT)
        }
        try:
            return subprocess.run(
                ["git", *arguments],
                cwd=self.paths.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="surrogateescape",
                check=False,
            ).stdout
        except ValueError:
            return ""  # a NUL, or half a character: git has no such name
        except OSError as error:
            raise diagnostic("GIT_NOT_STARTED", problem=str(error)) from error


def _needed(manifest: LaneManifest, lane_id: str) -> list[str]:
    """Return the lanes that a lane depends on, also by way of others, but for itself."""
    by_id = {lane.lane_id: lane for lane in manifest.lanes}
    found: list[str] = []
    waiting = list(by_id[lane_id].depends_on_lanes)
    while waiting:
        needed = waiting.pop()
        if needed in by_id and needed not in (*found, lane_id, PLANNING_LANE) and is_safe_segment(needed):
            found.append(needed)
            waiting += by_id[needed].depends_on_lanes
    return found
