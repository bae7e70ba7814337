"""A branch on the remote's tip that holds a mission's own changes and nothing else (clause MSP-004). PYTEST_DONT_REWRITE

The mission's own are the files of its directory, as the main checkout's branch and the target have them, and the files that its work
packages own, as the target, the mission's branch or a lane's has them; when no work package owns any, what the commits of
these branches changed that the target does not have. Files are taken whole: where the remote changed one of them as well,
nothing is made, for the text of a log that two sides wrote is not to be merged by lines.

Tree and commit are made beside the index. The same changes on the same tip are the same commit, whoever makes it, and when:
its author and its date are those of the mission's last commit.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from kitty_reliability.formats.diagnostics import DiagnosticError, diagnostic
from kitty_reliability.formats.frontmatter import parse_yaml, split
from kitty_reliability.formats.globs import EXACT, RELEASED
from kitty_reliability.formats.identifiers import is_safe_segment
from kitty_reliability.formats.lane_manifest import PLANNING_LANE, mission_branch
from kitty_reliability.formats.mission import MISSIONS_DIRECTORY, read_meta
from kitty_reliability.formats.work_package import work_package_files

from .git_process import Git, GitError
from .lane_records import LaneRecords
from .preflight import HEADS, Branch, Preflight

__all__ = ["Focus", "Focused", "Made"]


class Focus(BaseModel):
    """Make the branch for a pull request. It is what ``preflight`` prints, and no operation of the protocol."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    operation: Literal["focus"] = "focus"
    root: str
    mission: str


class Made(NamedTuple):
    """The branch: its commit, the tip that it sits on, the files that differ, and what was seen and left out."""

    branch: str
    commit: str
    base: str
    files: list[str]
    left_out: list[str]
    #: False when it was there already.
    changed: bool


class Entry(NamedTuple):
    """A file of a tree; the mode of one that is not there is zeros."""

    mode: str
    blob: str


Changes = Mapping[str, tuple[Entry, Entry]]


class Focused:
    """Makes the branch.

    Arguments:
        preflight: knows the mission, its target, and what the remote has.
    """

    def __init__(self, preflight: Preflight) -> None:
        self.preflight = preflight
        self.paths = preflight.paths
        self.git = preflight.git
        self.name = "the focused branch"
        self.upstream = "the remote"
        self._known: dict[tuple[str, str], Changes] = {}

    def make(self) -> Made:
        """Make the branch, or find it made; what is there already is never moved.

        Raises:
            DiagnosticError: FOCUSED_BRANCH_IMPOSSIBLE, FOCUSED_BRANCH_CONFLICT, FOCUSED_BRANCH_TAKEN, and what
                ``branches`` and ``Preflight.target`` raise.
        """
        target = self.preflight.target()
        self.name = self.preflight.focused(target) or self.name
        try:
            return self._make(target)
        except GitError as error:
            raise self.impossible(str(error)) from None

    def _make(self, target: str) -> Made:
        branch = self.preflight.branch(target)
        if branch is None:
            raise self.impossible(f"there is no branch {target!r}")
        if branch.remote is None or branch.remote_ref is None:
            raise self.impossible(f"{target} tracks no branch of a remote")
        problem = self.preflight.place()[1]
        if problem:
            raise self.impossible(problem)
        self.upstream = f"{branch.remote_ref.removeprefix(HEADS)} of {branch.remote}"
        tip = self.tip(branch)
        plan, left_out = self.plan(branch, tip)
        commit = self.commit(tip, plan)
        self.read_back(tip, commit, plan)
        changed = self.point(commit)
        return Made(self.name, commit, tip, sorted(plan), left_out, changed)

    def tip(self, branch: Branch) -> str:
        """Return the remote's tip, whose history is here afterwards."""
        tip = self.preflight.remote_tip(branch)
        if not self.preflight.knows(self.git, tip):
            self.preflight.fetch(self.git, branch, tip)
        return tip

    # --- what is the mission's own

    def plan(self, target: Branch, tip: str) -> tuple[dict[str, Entry], list[str]]:
        """Return the files to be changed on ``tip``, and those that are left out though the mission changed them."""
        own = f"{MISSIONS_DIRECTORY}/{self.paths.slug}/"
        state = {self.paths.log.name, self.paths.snapshot.name} if self.paths.state else set()
        state = {own + name for name in state}
        found = self.directory(target, tip, lambda path: path.startswith(own) and path not in state)
        if self.paths.state:
            checked_out = Git(self.paths.state.parent.parent)("rev-parse", "--verify", "HEAD").strip()
            found |= self.only(checked_out, tip, state.__contains__)
        code, left_out = self.code(target, tip)
        return self.against(found | code, tip), left_out

    def directory(self, target: Branch, tip: str, owns: Callable[[str], bool]) -> dict[str, tuple[str, Entry]]:
        """Return the files of the mission's directory, as the main checkout's branch and the target have them."""
        both = {"the checkout": self.git("rev-parse", "--verify", "HEAD").strip(), target.name: target.commit}
        tips = self.git("merge-base", "--independent", *both.values()).split()
        found: dict[str, dict[str, tuple[str, Entry]]] = {}
        for name, commit in both.items():
            for path, version in self.only(commit, tip, owns).items() if commit in tips else ():
                found.setdefault(path, {})[name] = version
        return {path: self.latest(path, several, both) for path, several in found.items()}

    def only(self, commit: str, tip: str, owns: Callable[[str], bool]) -> dict[str, tuple[str, Entry]]:
        """Return the files that ``commit`` changed since it left ``tip``, each with the base that it left at."""
        base = self.base(commit, tip)
        return {path: (base, after) for path, (_, after) in self.changes(base, commit).items() if owns(path)}

    def code(self, target: Branch, tip: str) -> tuple[dict[str, tuple[str, Entry]], list[str]]:
        """Return the files outside of ``kitty-specs/`` that are the mission's own, and those that may be nobody's."""
        branches = {target.name: target.commit, **self.branches()}
        outside = re.compile(f"{MISSIONS_DIRECTORY}/").match
        patterns = self.owned()
        owns = self.matcher(patterns)
        tips = set(self.git("merge-base", "--independent", *branches.values()).split())
        found: dict[str, dict[str, tuple[str, Entry]]] = {}
        left_out = set()
        for name, commit in branches.items():
            if commit not in tips and name != target.name:
                continue
            for path, (base, after) in self.only(commit, tip, lambda path: not outside(path)).items():
                by_commit = name != target.name and not self.is_older(path, commit, target.commit)
                if owns(path) if patterns else by_commit:
                    found.setdefault(path, {})[name] = (base, after)
                elif by_commit:
                    left_out.add(path)
        return {path: self.latest(path, several, branches) for path, several in found.items()}, sorted(left_out)

    def latest(self, path: str, several: Mapping[str, tuple[str, Entry]], branches: Mapping[str, str]) -> Any:
        """Return the one version of a file: what another branch began with is out of date."""
        left = dict(several)
        for name, (_, entry) in several.items():
            for other, (_, another) in several.items():
                if entry != another and other in left and self.is_older(path, branches[name], branches[other]):
                    left.pop(name, None)
        if len({entry for _, entry in left.values()}) > 1:
            raise self.conflict(f"{' and '.join(sorted(left))} differ", [path], "merge one of them into the other")
        return next(iter(left.values()))

    def is_older(self, path: str, commit: str, other: str) -> bool:
        """Say whether ``other`` began with the version of a file that ``commit`` has."""
        base = self.base(commit, other)
        return path not in self.changes(base, commit)

    def branches(self) -> dict[str, str]:
        """Return the branches of the mission that are there, with their commits: its own, and the lanes'.

        Raises:
            DiagnosticError: LANE_RECORD_UNREADABLE, FOCUSED_BRANCH_IMPOSSIBLE.
        """
        records = LaneRecords(self.paths, "")
        manifest = records.manifest()
        mission_id = read_meta(self.paths.meta).mission_id
        names = [manifest.mission_branch if manifest else mission_branch(self.paths.slug, mission_id)]
        for lane in manifest.lanes if manifest else ():
            if not is_safe_segment(lane.lane_id):
                raise self.impossible(f"{lane.lane_id!r} is no name of a lane")
            if lane.lane_id != PLANNING_LANE:
                names.append(records.branch_of(names[0], lane.lane_id, records.context(lane.lane_id)))
        return {name: commit for name in names if (commit := self.preflight.commit_of(HEADS + name))}

    def owned(self) -> list[str]:
        """Return the globs of all work packages."""
        found: list[str] = []
        for paths in work_package_files(self.paths.tasks).values():
            for path in paths:
                try:
                    parts = split(path.read_text(encoding="utf-8"))
                    listed = parse_yaml(parts[0]).get("owned_files") if parts else None
                except (OSError, ValueError) as error:
                    raise self.impossible(f"{path} does not say what it owns: {error}") from None
                found += [str(item) for item in listed] if isinstance(listed, list) else []
        return found

    def matcher(self, patterns: list[str]) -> Callable[[str], bool]:
        """Return what says whether a path is owned, as the guard has it (clause OWN-008)."""
        return (EXACT if self.preflight.profile.exact_globs else RELEASED).matcher(patterns)

    # --- where the remote stands to it

    def against(self, found: Mapping[str, tuple[str, Entry]], tip: str) -> dict[str, Entry]:
        """Return what of ``found`` the remote does not have.

        Raises:
            DiagnosticError: FOCUSED_BRANCH_CONFLICT: the remote changed it as well.
        """
        plan, both = {}, []
        for path, (base, entry) in found.items():
            theirs = self.changes(base, tip).get(path)
            if theirs is None:
                plan[path] = entry
            elif theirs[1] != entry:
                both.append(path)
        if both:
            raise self.conflict(
                "the remote changed the same files", both, f"merge what {self.upstream} has and settle them"
            )
        return plan

    def base(self, commit: str, other: str) -> str:
        """Return where two commits left each other."""
        found = self.git("merge-base", commit, other, none=[1]).strip()
        if not found:
            raise self.impossible("its history and the remote's have no commit in common")
        return found

    def changes(self, before: str, after: str) -> Changes:
        """Return the files that differ between two commits, with what they are in each."""
        if (before, after) not in self._known:
            options = ("-r", "-z", "--raw", "--no-renames", "--no-abbrev")
            words = iter(self.git("diff-tree", *options, before, after, "--").split("\0")[:-1])
            self._known[before, after] = dict(_pairs(words))
        return self._known[before, after]

    # --- making it

    def commit(self, tip: str, plan: Mapping[str, Entry]) -> str:
        """Return the commit of ``plan`` on ``tip``; ``tip`` itself when it has everything already."""
        if not plan:
            return tip
        with tempfile.TemporaryDirectory(prefix="kitty-focused-") as directory:
            git = Git(self.paths.root, GIT_INDEX_FILE=str(Path(directory, "index")))
            quiet = ("-c", "core.splitIndex=false", "-c", "core.fsmonitor=false")
            git(*quiet, "read-tree", tip)
            # What goes first makes room for a directory of its name.
            rows = sorted(plan.items(), key=lambda item: (item[1].mode.strip("0") != "", item[0]))
            text = "".join(f"{entry.mode.lstrip('0') or 0} {entry.blob}\t{path}\0" for path, entry in rows)
            git(*quiet, "update-index", "-z", "--index-info", stdin=text)
            tree = git(*quiet, "write-tree").strip()
        return Git(self.paths.root, **self.who(tip))(
            *("-c", "i18n.commitEncoding=UTF-8", "commit-tree", tree, "-p", tip), stdin=f"Mission {self.paths.slug}\n"
        ).strip()

    def who(self, tip: str) -> dict[str, str]:
        """Return author, committer and date: those of the mission's last commit."""
        asked = ("rev-list", "--max-count=1", "--format=%an%x00%ae%x00%at")
        said = self.git(*asked, "HEAD", "--", f"{MISSIONS_DIRECTORY}/{self.paths.slug}") or self.git(*asked, tip, "--")
        name, address, moment = said.split("\n")[1].split("\0")
        return {
            f"GIT_{role}_{key}": value
            for role in ("AUTHOR", "COMMITTER")
            for key, value in (("NAME", name), ("EMAIL", address), ("DATE", f"{moment} +0000"))
        }

    def read_back(self, tip: str, commit: str, plan: Mapping[str, Entry]) -> None:
        """Raise FOCUSED_BRANCH_CONFLICT unless ``commit`` is ``tip`` with ``plan``: a file may be in a directory's way."""
        made = {path: after for path, (_, after) in self.changes(tip, commit).items()}
        odd = [path for path in {*made, *plan} if made.get(path) != plan.get(path)]
        if odd:
            raise self.conflict(
                "a file is in the way of a directory", odd, f"merge what {self.upstream} has and settle them"
            )

    def point(self, commit: str) -> bool:
        """Make the branch; say whether it was not there before."""
        there = self.preflight.commit_of(HEADS + self.name)
        if not there:
            self.git("update-ref", "-m", "kitty: the mission alone", HEADS + self.name, commit, "")
        elif there != commit:
            raise diagnostic(
                "FOCUSED_BRANCH_TAKEN", focused_branch=self.name, commit=there, mission_slug=self.paths.slug
            )
        return not there

    def impossible(self, problem: str) -> DiagnosticError:
        """Return what says why there is no branch."""
        return diagnostic(
            "FOCUSED_BRANCH_IMPOSSIBLE", focused_branch=self.name, problem=problem, mission_slug=self.paths.slug
        )

    def conflict(self, problem: str, files: list[str], advice: str) -> DiagnosticError:
        """Return what says which files are in the way."""
        return diagnostic(
            "FOCUSED_BRANCH_CONFLICT",
            focused_branch=self.name,
            problem=problem,
            files=", ".join(sorted(files)),
            advice=advice,
            mission_slug=self.paths.slug,
        )


def _pairs(words: Iterator[str]) -> Iterator[tuple[str, tuple[Entry, Entry]]]:
    for word in words:
        old, new, before, after, _ = word.removeprefix(":").split(" ")
        yield next(words), (Entry(old, before), Entry(new, after))
