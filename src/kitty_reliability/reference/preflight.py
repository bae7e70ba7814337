"""How the target branch stands to its upstream, before anything is merged or published (clauses MSP-001 to MSP-008).

The target is the recorded one, the upstream the one that git's configuration names, and git is asked by full names:
``refs/heads/x`` is a branch, whatever tags there are. Nothing is written. Who publishes has the remote itself compared; the
commits that are missing here come into a directory that is gone afterwards. What cannot be told is unknown, and blocks.
PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import shlex
import sys
import tempfile
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kitty_reliability.formats.diagnostics import Diagnostic, diagnostic
from kitty_reliability.formats.lane_manifest import LaneManifestError, read_lane_manifest
from kitty_reliability.formats.mission import MissionPaths, read_meta
from kitty_reliability.formats.profiles import Profile
from kitty_reliability.implementations.protocol import PreflightAnswer

from .focused_name import focused_name
from .git_process import Git, GitError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HEADS", "Branch", "Preflight", "RemoteError", "Standing", "told"]

HEADS: Final = "refs/heads/"
#: Brings commits and nothing else: no reference, no FETCH_HEAD, no tag, no housekeeping.
_FETCH: Final = (
    *("-c", "maintenance.auto=false", "-c", "gc.auto=0", "-c", "fetch.writeCommitGraph=false"),
    *("fetch", "--quiet", "--no-tags", "--no-prune", "--no-recurse-submodules", "--no-write-fetch-head", "--refmap="),
)
_BRANCH: Final = "%(refname)%00%(objectname)%00%(upstream)%00%(upstream:remotename)%00%(upstream:remoteref)"
_APART: Final = ("behind", "diverged")


class Branch(NamedTuple):
    """A local branch, and what it tracks by git's configuration."""

    name: str
    commit: str
    #: The reference that remembers the upstream; None when the configuration has none for it.
    tracking: str | None
    #: The remote and its branch; None when the branch tracks nothing.
    remote: str | None
    remote_ref: str | None


class Standing(NamedTuple):
    """How a branch stands to its upstream."""

    state: str
    ahead: int | None = None
    behind: int | None = None
    tracking: str | None = None
    findings: Sequence[Diagnostic] = ()


class RemoteError(GitError):
    """The remote could not be asked, or has not what is asked for."""


class Preflight:
    """Compares; changes nothing.

    Arguments:
        paths: the mission.
        profile: decides whether a merge is blocked as well.
        command: how this implementation is started, as words behind the interpreter.
    """

    def __init__(self, paths: MissionPaths, profile: Profile, command: Sequence[str]) -> None:
        self.paths = paths
        self.profile = profile
        self.command = command
        self.git = Git(paths.root)

    def answer(self, *, publish: bool) -> PreflightAnswer:
        """Return how the target stands, whether that blocks, and what to do about it.

        Raises:
            DiagnosticError: TARGET_BRANCH_UNKNOWN, MISSION_METADATA_INVALID.
        """
        target = self.target()
        try:
            found = self.standing(target, publish=publish)
        except GitError as error:
            found = self.unknown(target, str(error))
        possible = found.state in ("in_sync", "ahead", *_APART)
        commands = self.commands() if possible else []
        return PreflightAnswer.model_validate(
            {
                "blocked": self.blocks(found.state, publish=publish),
                "state": found.state,
                "target_branch": target,
                "tracking_branch": found.tracking,
                "ahead": found.ahead,
                "behind": found.behind,
                "findings": [self.finding(target, item) for item in found.findings],
                "focused_branch": self.focused(target),
                "commands": commands,
                "lines": [self.line(argv) for argv in commands],
                "cwd": str(self.paths.root),
            }
        )

    def blocks(self, state: str, *, publish: bool) -> bool:
        """Say whether merge, or with ``publish`` ship, must not go on."""
        if state in _APART:
            return publish or self.profile.apart_blocks_merge
        return state in ("unknown", "missing_branch")

    # --- what is compared

    def target(self) -> str:
        """Return the target branch of canonical state.

        Raises:
            DiagnosticError: TARGET_BRANCH_UNKNOWN, MISSION_METADATA_INVALID.
        """
        recorded = read_meta(self.paths.meta).target_branch
        if recorded is None:
            try:
                manifest = read_lane_manifest(self.paths.lanes)
            except LaneManifestError:
                manifest = None
            recorded = manifest.target_branch if manifest else None
        if not recorded or recorded.encode("utf-8", "replace").decode("utf-8") != recorded:
            raise diagnostic("TARGET_BRANCH_UNKNOWN", mission_slug=self.paths.slug, branch_or_work_package="")
        return recorded

    def branch(self, name: str) -> Branch | None:
        """Return the local branch ``name`` with what it tracks; None when there is none.

        Raises:
            GitError: git could not say.
        """
        listed = self.git("for-each-ref", f"--format={_BRANCH}", HEADS + name)
        # The pattern means whatever lies under it, too.
        rows = [row.split("\0") for row in listed.split("\n")]
        row = next((row for row in rows if row[0] == HEADS + name), None)
        if row is None:
            return None
        _, commit, tracking, remote, remote_ref = row
        if not tracking:
            # Nothing is configured, or nothing here remembers what is.
            remote_ref = self.configured(name, "merge")
            remote = self.configured(name, "remote") if remote_ref else ""
        return Branch(name, commit, tracking or None, remote or None, remote_ref or None)

    def configured(self, branch: str, key: str) -> str:
        """Return what git's configuration has for a branch; empty when it has nothing."""
        return self.git("config", "--get", f"branch.{branch}.{key}", none=[1]).rstrip("\n")

    def standing(self, target: str, *, publish: bool) -> Standing:
        """Return how ``target`` stands to its upstream.

        Raises:
            GitError: git could not say.
        """
        branch = self.branch(target)
        if branch is None:
            unborn = self.git("symbolic-ref", "--quiet", "HEAD", none=[1]).strip() == HEADS + target
            if unborn:
                return self.unknown(target, "it has no commit yet")
            return Standing("missing_branch", findings=[Diagnostic("TARGET_BRANCH_MISSING", {})])
        objects, problem = self.place()
        if problem:
            return self.unknown(target, problem)
        if branch.remote is None or branch.remote_ref is None:
            return Standing("no_tracking_branch")
        if not publish:
            if branch.tracking is None:
                return self.unknown(target, f"nothing here remembers {branch.remote_ref} of {branch.remote}")
            return self.compared(self.git, branch, branch.tracking, branch.tracking)
        return self.published(branch, objects)

    def place(self) -> tuple[str, str]:
        """Return where git has its objects, and what of this checkout forbids a comparison: empty when nothing does."""
        asked = ("--is-shallow-repository", "--git-path", "objects", "--symbolic-full-name", "HEAD")
        shallow, objects, head = self.git("rev-parse", *asked).splitlines()
        if shallow == "true":
            return objects, "the history is shallow; complete it: git fetch --unshallow"
        if not head.startswith(HEADS):
            return objects, "HEAD is detached; check out a branch"
        return objects, ""

    def published(self, branch: Branch, objects: str) -> Standing:
        """Return how ``branch`` stands to what its remote has now."""
        try:
            tip = self.remote_tip(branch)
            with self.with_commits(branch, tip, objects) as git:
                found = self.compared(git, branch, tip, branch.tracking or branch.remote_ref or tip)
        except RemoteError as error:
            failed = Diagnostic("TARGET_BRANCH_REFRESH_FAILED", {"remote_name": branch.remote, "detail": str(error)})
            return Standing("unknown", tracking=_short(branch.tracking), findings=[failed])
        if branch.tracking and self.commit_of(branch.tracking) != tip:
            command = shlex.join(["git", "fetch", "--", str(branch.remote)])
            fields = {"remote_name": branch.remote, "tracking_branch": found.tracking, "command": command}
            found = found._replace(findings=[*found.findings, Diagnostic("TRACKING_BRANCH_STALE", fields)])
        return found

    def commit_of(self, ref: str) -> str:
        """Return the id of a reference; empty when there is none."""
        listed = self.git("for-each-ref", "--format=%(objectname) %(refname)", ref)
        return next((line.split(" ")[0] for line in listed.split("\n") if line.endswith(f" {ref}")), "")

    def remote_tip(self, branch: Branch) -> str:
        """Return the commit that the remote's branch is now.

        Raises:
            RemoteError: the remote does not answer, or has no such branch.
        """
        listed = self.ask(self.git, "ls-remote", "--refs", "--", str(branch.remote), str(branch.remote_ref))
        rows = [line.split("\t") for line in listed.splitlines()]
        tip = next((row[0] for row in rows if row[1:] == [branch.remote_ref]), None)
        if tip is None:
            raise RemoteError(f"it has no {branch.remote_ref}")
        return tip

    def fetch(self, git: Git, branch: Branch, tip: str) -> None:
        """Bring the history of ``tip`` to where ``git`` has its objects; no reference is written.

        Raises:
            RemoteError: the remote does not answer, or has another history by now.
        """
        self.ask(git, *_FETCH, "--", str(branch.remote), str(branch.remote_ref))
        if not self.knows(git, tip):
            raise RemoteError(f"{branch.remote_ref} was replaced meanwhile; ask again")

    def ask(self, git: Git, *arguments: str) -> str:
        """Return what git printed of a remote."""
        try:
            return git(*arguments)
        except GitError as error:
            raise RemoteError(str(error), error.status) from None

    @contextmanager
    def with_commits(self, branch: Branch, tip: str, objects: str) -> Iterator[Git]:
        """Give a git that knows the history of ``tip``, without a trace in the repository."""
        if self.knows(self.git, tip):
            yield self.git
            return
        with tempfile.TemporaryDirectory(prefix="kitty-preflight-") as directory:
            own = (self.paths.root / objects).as_posix().replace("\\", "\\\\").replace('"', '\\"')
            git = Git(self.paths.root, GIT_OBJECT_DIRECTORY=directory, GIT_ALTERNATE_OBJECT_DIRECTORIES=f'"{own}"')
            self.fetch(git, branch, tip)
            yield git

    def knows(self, git: Git, commit: str) -> bool:
        """Say whether a commit is there."""
        try:
            return git("cat-file", "-t", commit).strip() == "commit"
        except GitError:
            return False

    def compared(self, git: Git, branch: Branch, other: str, name: str) -> Standing:
        """Return how ``branch`` stands to the commit or reference ``other``, which is called ``name``."""
        counted = git("rev-list", "--left-right", "--count", f"{branch.commit}...{other}", "--")
        ahead, behind = map(int, counted.split())
        if ahead and behind and not git("merge-base", branch.commit, other, none=[1]):
            return self.unknown(branch.name, "the two histories have no commit in common", _short(name))
        state = {(False, False): "in_sync", (True, False): "ahead", (False, True): "behind"}.get(
            (ahead > 0, behind > 0), "diverged"
        )
        found = Standing(state, ahead, behind, _short(name))
        return found._replace(findings=[self.apart(branch, found)]) if state in _APART else found

    # --- what is said of it

    def unknown(self, target: str, problem: str, tracking: str | None = None) -> Standing:
        """Return that it cannot be told, and why."""
        advice = f"mend that, then ask again; until then {target} is neither merged into nor published"
        return Standing(
            "unknown",
            tracking=tracking,
            findings=[Diagnostic("TARGET_BRANCH_STATE_UNKNOWN", {"problem": problem, "advice": advice})],
        )

    def apart(self, branch: Branch, found: Standing) -> Diagnostic:
        """Return the finding for a branch that is behind or diverged."""
        commands = self.remedies(branch)
        advice = (
            f"publish the mission alone, as {self.focused(branch.name)}, and open a pull request from it: "
            f"{self.line(self.commands()[0])}; see what differs: {'; '.join(map(self.line, commands))}"
        )
        counts = {"ahead_count": found.ahead, "behind_count": found.behind, "tracking_branch": found.tracking}
        return Diagnostic(
            "TARGET_BRANCH_NOT_SYNCHRONIZED",
            {"state": found.state, **counts, "advice": advice, "remediation_commands": [*self.commands(), *commands]},
        )

    def remedies(self, branch: Branch) -> list[list[str]]:
        """Return commands that bring the tracking reference up to date and show what differs."""
        found = []
        if branch.remote not in (None, "."):
            found.append(["git", "fetch", "--", str(branch.remote)])
        if branch.tracking:
            found.append(["git", "log", "--oneline", "--left-right", f"{HEADS}{branch.name}...{branch.tracking}", "--"])
        return found

    def finding(self, target: str, found: Diagnostic) -> dict[str, Any]:
        """Return a finding as it is answered, with all that MSP-003 asks for."""
        fields = {"mission_slug": self.paths.slug, "branch_or_work_package": target, "target_branch": target}
        told = found.with_fields(**fields).as_dict()
        told.pop("advice", None)
        return told

    def focused(self, target: str) -> str | None:
        """Return the name of the branch for a pull request; None for a target that no branch can be called."""
        return focused_name(self.paths.slug, target)

    def commands(self) -> list[list[str]]:
        """Return the commands that make that branch, to be run in the main checkout."""
        # -P: what the repository has beside its missions is not imported.
        return [[sys.executable, "-P", *self.command, "focus", f"--mission={self.paths.slug}"]]

    def line(self, argv: Sequence[str]) -> str:
        """Return a command as a line for a POSIX shell."""
        return shlex.join(argv)


def told(answer: Any) -> list[str]:
    """Return the lines that tell an answer to people."""
    count = {
        "ahead": "{ahead} ahead of {tracking_branch}",
        "behind": "{behind} behind {tracking_branch}",
        "diverged": "diverged from {tracking_branch}: {ahead} ahead, {behind} behind",
    }.get(answer["state"], "{state}")
    lines = [f"{answer['target_branch']}: {count.format_map(answer)}{'; blocked' if answer['blocked'] else ''}"]
    for finding in answer["findings"]:
        lines.append(finding["message"])
        keys = ("diagnostic_code", "branch_or_work_package", "violated_invariant", "remediation")
        lines += [f"  {key}: {finding[key]}" for key in keys]
    if answer["lines"]:
        lines += [
            f"{answer['focused_branch']} is made in {answer['cwd']} by",
            *(f"  {line}" for line in answer["lines"]),
        ]
    return lines


def _short(ref: str | None) -> str | None:
    """Return a reference as people call it."""
    return ref and ref.removeprefix("refs/remotes/").removeprefix(HEADS)
