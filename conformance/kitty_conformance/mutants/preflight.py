"""Mistakes before a mission is merged or published (clauses MSP-001 to MSP-008, SEC-006)."""

# ruff: noqa: ARG002, ARG005 - what is not looked at is the mistake

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from kitty_reliability.formats.diagnostics import Diagnostic, DiagnosticError
from kitty_reliability.implementations import protocol
from kitty_reliability.implementations.protocol import Outcome, PreflightAnswer
from kitty_reliability.reference.focused import Entry, Focused
from kitty_reliability.reference.git_process import Git, GitError
from kitty_reliability.reference.preflight import HEADS, Branch, Preflight, Standing

from .base import Mutant, Reference, mutant

__all__ = ["MUTANTS"]


# --- what blocks


class _OnlyBehind(Preflight):
    def blocks(self, state: str, *, publish: bool) -> bool:
        return state != "diverged" and super().blocks(state, publish=publish)


class _OnlyPublished(Preflight):
    def blocks(self, state: str, *, publish: bool) -> bool:
        return publish and super().blocks(state, publish=publish)


class _AllButUnknown(Preflight):
    def blocks(self, state: str, *, publish: bool) -> bool:
        return state != "unknown" and super().blocks(state, publish=publish)


class _Everything(Preflight):
    def blocks(self, state: str, *, publish: bool) -> bool:
        return True


class _Ahead(Preflight):
    def blocks(self, state: str, *, publish: bool) -> bool:
        return state == "ahead" or super().blocks(state, publish=publish)


class _Untracked(Preflight):
    def blocks(self, state: str, *, publish: bool) -> bool:
        return state == "no_tracking_branch" or super().blocks(state, publish=publish)


# --- states and counts


class _Compares(Preflight):
    def compared(self, git: Git, branch: Branch, other: str, name: str) -> Standing:
        return self.other_wise(super().compared(git, branch, other, name))

    def other_wise(self, found: Standing) -> Standing:
        return found


class _AheadIsDiverged(_Compares):
    def other_wise(self, found: Standing) -> Standing:
        return found._replace(state="diverged") if found.state == "ahead" else found


class _Swapped(_Compares):
    def other_wise(self, found: Standing) -> Standing:
        return found._replace(ahead=found.behind, behind=found.ahead)


class _BehindIsDiverged(_Compares):
    def other_wise(self, found: Standing) -> Standing:
        return found._replace(state="diverged") if found.behind else found


class _AtMostTen(_Compares):
    def other_wise(self, found: Standing) -> Standing:
        return found._replace(ahead=min(found.ahead or 0, 10), behind=min(found.behind or 0, 10))


class _FirstParents(Preflight):
    def compared(self, git: Git, branch: Branch, other: str, name: str) -> Standing:
        found = super().compared(git, branch, other, name)
        asked = ("rev-list", "--first-parent", "--count")
        return found._replace(ahead=int(git(*asked, f"{other}..{branch.commit}")))


class _ShortNames(Preflight):
    def compared(self, git: Git, branch: Branch, other: str, name: str) -> Standing:
        return super().compared(git, branch._replace(commit=branch.name), other, name)


class _MissingIsUntracked(Preflight):
    def standing(self, target: str, *, publish: bool) -> Standing:
        found = super().standing(target, publish=publish)
        return Standing("no_tracking_branch") if found.state == "missing_branch" else found


# --- what is said


class _Says(Preflight):
    drop: Sequence[str] = ()

    def finding(self, target: str, found: Diagnostic) -> dict[str, Any]:
        return {key: value for key, value in super().finding(target, found).items() if key not in self.drop}


class _WithoutABranch(_Says):
    drop = ("branch_or_work_package",)


class _WithoutARemedy(_Says):
    drop = ("remediation",)


class _NamesTheMission(Preflight):
    def finding(self, target: str, found: Diagnostic) -> dict[str, Any]:
        return {**super().finding(target, found), "branch_or_work_package": self.paths.slug}


class _BlocksInSilence(Preflight):
    def answer(self, *, publish: bool) -> PreflightAnswer:
        return super().answer(publish=publish).model_copy(update={"findings": []})


class _AdvisesAReset(Preflight):
    def remedies(self, branch: Branch) -> list[list[str]]:
        return [["git", "reset", "--hard", str(branch.tracking)]]


class _AdvisesForce(Preflight):
    def remedies(self, branch: Branch) -> list[list[str]]:
        return [["git", "push", "--force-with-lease", str(branch.remote), branch.name]]


class _AdvisesAForcedRefspec(Preflight):
    def remedies(self, branch: Branch) -> list[list[str]]:
        return [["git", "push", str(branch.remote), f"+{HEADS}{branch.name}"]]


class _AlwaysFetch(Preflight):
    def standing(self, target: str, *, publish: bool) -> Standing:
        found = super().standing(target, publish=publish)
        if found.state != "no_tracking_branch":
            return found
        fields = {"problem": "nothing is tracked", "advice": "git fetch origin, then ask again"}
        return found._replace(findings=[Diagnostic("TARGET_BRANCH_STATE_UNKNOWN", fields)])


# --- what is touched


class _MovesTheTracking(Preflight):
    def remote_tip(self, branch: Branch) -> str:
        self.git("fetch", "--quiet", "--", str(branch.remote))
        return super().remote_tip(branch)


class _MakesAReference(Preflight):
    def remote_tip(self, branch: Branch) -> str:
        tip = super().remote_tip(branch)
        self.git("update-ref", "refs/kitty/preflight", self.commit_of(str(branch.tracking)))
        return tip


class _WritesTheSnapshot(Preflight):
    def answer(self, *, publish: bool) -> PreflightAnswer:
        (self.paths.directory / "status.json").write_bytes(b"{}\n")
        return super().answer(publish=publish)


class _TidiesTheIndex(Preflight):
    def answer(self, *, publish: bool) -> PreflightAnswer:
        with suppress(GitError):
            self.git("reset", "--quiet")
        return super().answer(publish=publish)


# --- where it looks


class _Main(Preflight):
    def target(self) -> str:
        return "main"


class _TheCheckout(Preflight):
    def target(self) -> str:
        with suppress(GitError):
            return self.git("symbolic-ref", "--short", "HEAD").strip()
        return super().target()


class _Tracks(Preflight):
    def branch(self, name: str) -> Branch | None:
        found = super().branch(name)
        return self.other_wise(found) if found else None

    def other_wise(self, branch: Branch) -> Branch:
        return branch


class _Origin(_Tracks):
    def other_wise(self, branch: Branch) -> Branch:
        name = (branch.tracking or "").rpartition("/")[2]
        return branch._replace(tracking=f"refs/remotes/origin/{name}", remote="origin")


class _SameName(_Tracks):
    def other_wise(self, branch: Branch) -> Branch:
        return branch._replace(
            tracking=f"refs/remotes/{branch.remote}/{branch.name}", remote_ref=f"{HEADS}{branch.name}"
        )


class _OriginWhenNothing(_Tracks):
    def other_wise(self, branch: Branch) -> Branch:
        if branch.tracking:
            return branch
        return branch._replace(
            tracking=f"refs/remotes/origin/{branch.name}", remote="origin", remote_ref=HEADS + branch.name
        )


# --- what cannot be told


class _FailureIs(Preflight):
    state = "no_tracking_branch"

    def unknown(self, target: str, problem: str, tracking: str | None = None) -> Standing:
        return Standing(self.state)


class _FailureIsInSync(_FailureIs):
    state = "in_sync"


class _AnyCheckout(Preflight):
    def place(self) -> tuple[str, str]:
        return self.git("rev-parse", "--git-path", "objects").strip(), ""


class _UnrelatedIsDiverged(Preflight):
    def unknown(self, target: str, problem: str, tracking: str | None = None) -> Standing:
        found = super().unknown(target, problem, tracking)
        return found._replace(state="diverged") if "in common" in problem else found


# --- what the remote has


class _TrustsTheCache(Preflight):
    def standing(self, target: str, *, publish: bool) -> Standing:
        return super().standing(target, publish=False)


class _TrustsTheCacheInNeed(Preflight):
    def published(self, branch: Branch, objects: str) -> Standing:
        found = super().published(branch, objects)
        if found.state == "unknown" and branch.tracking:
            return self.compared(self.git, branch, branch.tracking, branch.tracking)
        return found


class _RefreshesOrigin(Preflight):
    """Refreshes ``origin``, whatever the upstream is, and compares the cached upstream."""

    def published(self, branch: Branch, objects: str) -> Standing:
        assert branch.tracking is not None
        if branch.remote == "origin":
            return super().published(branch, objects)
        with suppress(GitError):
            self.git("fetch", "--quiet", "origin")
        return self.compared(self.git, branch, branch.tracking, branch.tracking)


# --- names that look like options


class _AsksByTheRemotesName(Preflight):
    def ask(self, git: Git, *arguments: str) -> str:
        return super().ask(git, *(word for word in arguments if word != "--"))


class _AsksByTheTargetsName(Preflight):
    def branch(self, name: str) -> Branch | None:
        found = super().branch(name)
        return found and found._replace(commit=self.git("rev-parse", name).split("\n")[0])


class _LogsByTheTargetsName(Preflight):
    def compared(self, git: Git, branch: Branch, other: str, name: str) -> Standing:
        with suppress(GitError):
            git("diff", branch.name, other)
        return super().compared(git, branch, other, name)


# --- the branch for a pull request


class _WithAMoment(Preflight):
    def focused(self, target: str) -> str | None:
        return f"{super().focused(target)}-{time.time_ns()}"


class _WithTheCheckout(Preflight):
    def focused(self, target: str) -> str | None:
        return f"{super().focused(target)}-{self.paths.root.name}"


class _NamesAnyMission(Preflight):
    def focused(self, target: str) -> str | None:
        return f"kitty/pr/to-{target}"


class _Whole(Preflight):
    def commands(self) -> list[list[str]]:
        branch = next(iter(Focused(self).branches()), self.target())
        return [["git", "branch", str(self.focused(self.target())), f"{HEADS}{branch}"]]


class _SwitchesToIt(Preflight):
    def commands(self) -> list[list[str]]:
        return [*super().commands(), ["git", "switch", "--quiet", str(self.focused(self.target()))]]


class _AdvisesWhatItDoesNotTake(Preflight):
    def commands(self) -> list[list[str]]:
        return [[*words, "--target=main"] for words in super().commands()]


class _OwnsEverything(Focused):
    def plan(self, target: Branch, tip: str) -> tuple[dict[str, Entry], list[str]]:
        return self.against(self.only(target.commit, tip, lambda path: True), tip), []


class _DirectoryByPrefix(Focused):
    def only(self, commit: str, tip: str, owns: Callable[[str], bool]) -> dict[str, tuple[str, Entry]]:
        return super().only(commit, tip, lambda path: owns(path) or path.startswith(f"kitty-specs/{self.paths.slug}"))


class _OwnsByPrefix(Focused):
    def matcher(self, patterns: list[str]) -> Callable[[str], bool]:
        starts = tuple(pattern.removesuffix("/**") for pattern in patterns)
        return lambda path: path.startswith(starts)


class _OnlyTheDirectory(Focused):
    def code(self, target: Branch, tip: str) -> tuple[dict[str, tuple[str, Entry]], list[str]]:
        return {}, []


class _OnlyTheTarget(Focused):
    def branches(self) -> dict[str, str]:
        return {}


class _OnlyTheCheckout(Focused):
    def directory(self, target: Branch, tip: str, owns: Callable[[str], bool]) -> dict[str, tuple[str, Entry]]:
        return self.only(self.git("rev-parse", "HEAD").strip(), tip, owns)


class _OnlyTheFirst(Focused):
    def owned(self) -> list[str]:
        return super().owned()[:1]


class _OwnsOtherMissions(Focused):
    def code(self, target: Branch, tip: str) -> tuple[dict[str, tuple[str, Entry]], list[str]]:
        found, left_out = super().code(target, tip)
        owns = self.matcher(self.owned())
        return found | self.only(
            target.commit, tip, lambda path: path.startswith("kitty-specs/") and owns(path)
        ), left_out


class _AgainstTheTip(Focused):
    def only(self, commit: str, tip: str, owns: Callable[[str], bool]) -> dict[str, tuple[str, Entry]]:
        changes = self.changes(tip, commit).items()
        return {path: (tip, after) for path, (_, after) in changes if owns(path)}


class _Forgets(Focused):
    """Sees no conflict where one of the sides removed the file."""

    def against(self, found: Mapping[str, tuple[str, Entry]], tip: str) -> dict[str, Entry]:
        plan = {path: entry for path, (base, entry) in found.items() if self.removed(base, tip, path, entry)}
        rest = {path: version for path, version in found.items() if path not in plan}
        return plan | super().against(rest, tip)

    def removed(self, base: str, tip: str, path: str, ours: Entry) -> bool:
        return not ours.mode.strip("0")


class _ForgetsTheirs(_Forgets):
    def removed(self, base: str, tip: str, path: str, ours: Entry) -> bool:
        theirs = self.changes(base, tip).get(path)
        return theirs is not None and not theirs[1].mode.strip("0")


class _OnTheCache(Focused):
    def tip(self, branch: Branch) -> str:
        return self.preflight.commit_of(str(branch.tracking))


class _WithoutModes(Focused):
    def commit(self, tip: str, plan: Mapping[str, Entry]) -> str:
        return super().commit(tip, {path: entry for path, entry in plan.items() if entry.mode != "100755"})

    def read_back(self, tip: str, commit: str, plan: Mapping[str, Entry]) -> None:
        pass


class _WithoutDeletions(Focused):
    def commit(self, tip: str, plan: Mapping[str, Entry]) -> str:
        return super().commit(tip, {path: entry for path, entry in plan.items() if entry.mode.strip("0")})

    def read_back(self, tip: str, commit: str, plan: Mapping[str, Entry]) -> None:
        pass


class _TakesOurs(Focused):
    def against(self, found: Mapping[str, tuple[str, Entry]], tip: str) -> dict[str, Entry]:
        return {path: entry for path, (_, entry) in found.items()}


class _TakesTheirs(Focused):
    def against(self, found: Mapping[str, tuple[str, Entry]], tip: str) -> dict[str, Entry]:
        return {path: entry for path, (base, entry) in found.items() if path not in self.changes(base, tip)}


class _PushesAside(Focused):
    def read_back(self, tip: str, commit: str, plan: Mapping[str, Entry]) -> None:
        pass


class _TwoAreAConflict(Focused):
    def is_older(self, path: str, commit: str, other: str) -> bool:
        return False


class _StopsInSilence(Focused):
    def conflict(self, problem: str, files: list[str], advice: str) -> DiagnosticError:
        return super().conflict("something is in the way", [], advice)


class _DatedNow(Focused):
    def who(self, tip: str) -> dict[str, str]:
        found = super().who(tip)
        return {
            **found,
            **{name: f"{10**9 + time.time_ns() // 1000 % 10**9} +0000" for name in found if "DATE" in name},
        }


class _ByWhoeverRunsIt(Focused):
    def who(self, tip: str) -> dict[str, str]:
        return {name: value for name, value in super().who(tip).items() if "DATE" in name}


class _Overwrites(Focused):
    def point(self, commit: str) -> bool:
        self.git("update-ref", HEADS + self.name, commit)
        return True


class _TakesWhatIsThere(Focused):
    def point(self, commit: str) -> bool:
        return not self.preflight.commit_of(HEADS + self.name) and super().point(commit)


class _UsesTheIndex(Focused):
    def commit(self, tip: str, plan: Mapping[str, Entry]) -> str:
        made = super().commit(tip, plan)
        self.git("read-tree", made)
        return made


class _Succeeds(Reference):
    def surface(self, request: protocol.Surface) -> Outcome:
        found = super().surface(request)
        forgetful = [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])"]
        return Outcome(found.kind, {**found.value, "argv": [*forgetful, *found.value["argv"]]})


_STATE, _PASSED, _COUNTS = "wrong-state", "unsafe-passed", "test_the_state_and_its_counts"
_HOLDS = "test_the_branch_holds_the_mission_and_nothing_else"
_NAME = "test_its_name_is_one_and_valid"
_UNKNOWN = "test_what_cannot_be_compared_is_unknown_and_blocks"
_PLACES = "test_the_branches_are_those_of_the_configuration"
_CONFLICT = "test_a_file_that_the_remote_changed_too_stops_it"
_NOTHING = "test_it_changes_nothing"
_OPTION = "test_a_name_of_a_branch_or_remote_that_looks_like_an_option_is_a_name"


def _preflight(
    name: str,
    clause: str,
    scenario: str,
    finding: str,
    mistake: str,
    preflight: type[Preflight] = Preflight,
    focused: type[Focused] = Focused,
) -> type[Mutant]:
    adapter = type("Compares", (Reference,), {"preflight_class": preflight, "focused_class": focused})
    return mutant(name, clause=clause, scenario=scenario, finding=finding, mistake=mistake, adapter=adapter)


# fmt: off
MUTANTS: list[type[Mutant]] = [
    _preflight("preflight-blocks-only-behind", "MSP-001", "test_a_diverged_target_blocks", _PASSED,
               "A target that has commits of its own passes, though the remote moved as well.", _OnlyBehind),
    _preflight("preflight-blocks-only-publishing", "MSP-001", "test_a_diverged_target_blocks", _PASSED,
               "A merge into a diverged target is not blocked, which leads to #953.", _OnlyPublished),
    _preflight("preflight-blocks-everything", "MSP-001", "test_a_diverged_target_blocks", "safe-blocked",
               "Nothing ever passes.", _Everything),
    _preflight("preflight-blocks-what-is-ahead", "MSP-001", "test_a_diverged_target_blocks", "safe-blocked",
               "What has commits to be published may not be published (first version of #953).", _Ahead),
    mutant("preflight-exits-with-0", clause="MSP-001", scenario="test_the_command_says_so_with_its_exit_status",
           finding=_PASSED, mistake="The command ends with 0 also when it blocks.", adapter=_Succeeds),
    _preflight("preflight-ahead-is-diverged", "MSP-002", _COUNTS, _STATE,
               "Whoever has commits of his own counts as diverged (#1152).", _AheadIsDiverged),
    _preflight("preflight-behind-is-diverged", "MSP-002", _COUNTS, _STATE,
               "Whoever lacks commits counts as diverged.", _BehindIsDiverged),
    _preflight("preflight-swaps-the-counts", "MSP-002", _COUNTS, _STATE,
               "Left and right of the comparison are taken for each other.", _Swapped),
    _preflight("preflight-counts-to-ten", "MSP-002", _COUNTS, _STATE, "The count stops at ten.", _AtMostTen),
    _preflight("preflight-counts-first-parents", "MSP-002", "test_commits_are_counted_on_every_line_of_a_history",
               _STATE, "What a merge brought does not count.", _FirstParents),
    _preflight("preflight-compares-a-tag", "MSP-002", "test_commits_are_counted_on_every_line_of_a_history",
               _STATE, "Git is asked by short names, and takes the tag.", _ShortNames),
    _preflight("preflight-missing-is-untracked", "MSP-002", "test_no_upstream_and_no_branch_are_states_of_their_own",
               _STATE, "A branch that is not there is told as one without an upstream.", _MissingIsUntracked),
    _preflight("preflight-blocks-what-tracks-nothing", "MSP-002",
               "test_no_upstream_and_no_branch_are_states_of_their_own", "safe-blocked",
               "A local branch is blocked for lack of a remote.", _Untracked),
    _preflight("preflight-fetches-a-local-branch", "MSP-002", "test_no_upstream_and_no_branch_are_states_of_their_own",
               "advice-fails", "A branch that tracks nothing is to be fetched (#1706).", _AlwaysFetch),
    _preflight("preflight-names-no-branch", "MSP-003", "test_a_block_says_what_it_is_about", "wrong-diagnostic",
               "The finding does not say which branch it is about.", _WithoutABranch),
    _preflight("preflight-names-the-mission", "MSP-003", "test_a_block_says_what_it_is_about", "wrong-diagnostic",
               "The finding has the mission where the branch belongs.", _NamesTheMission),
    _preflight("preflight-has-no-remedy", "MSP-003", "test_a_block_says_what_it_is_about", "wrong-diagnostic",
               "The finding has no remediation (first review of WP06).", _WithoutARemedy),
    _preflight("preflight-blocks-in-silence", "MSP-003", "test_the_command_names_them_to_people", "wrong-diagnostic",
               "It blocks and does not say why.", _BlocksInSilence),
    _preflight("focused-name-with-a-moment", "MSP-004", _NAME, "name-varies",
               "The name of the branch has the moment in it.", _WithAMoment),
    _preflight("focused-name-with-the-checkout", "MSP-004", _NAME, "name-varies",
               "The name of the branch has the directory of the repository in it.", _WithTheCheckout),
    _preflight("focused-name-of-any-mission", "MSP-004", _NAME, "name-varies",
               "Every mission has the same branch.", _NamesAnyMission),
    _preflight("focused-off-the-mission-branch", "MSP-004", _HOLDS, "advice-fails",
               "The branch is begun at the mission's branch, with all that it has of others.", _Whole),
    _preflight("focused-checks-out", "MSP-004", _HOLDS, "refusal-changed-state",
               "The printed commands check the new branch out.", _SwitchesToIt),
    _preflight("focused-command-is-not-taken", "MSP-004", _HOLDS, "advice-fails",
               "The printed command has an option that it does not take.", _AdvisesWhatItDoesNotTake),
    _preflight("focused-takes-the-target", "MSP-004", _HOLDS, "swept-in",
               "All that the target has alone is taken for the mission's.", focused=_OwnsEverything),
    _preflight("focused-owns-by-prefix", "MSP-004", _HOLDS, "swept-in",
               "A file whose path begins as an owned directory is taken for owned.", focused=_OwnsByPrefix),
    _preflight("focused-directory-by-prefix", "MSP-004", _HOLDS, "swept-in",
               "A mission whose name begins as this one's comes along.", focused=_DirectoryByPrefix),
    _preflight("focused-into-other-missions", "MSP-004", _HOLDS, "swept-in",
               "A glob that means files of another mission has them.", focused=_OwnsOtherMissions),
    _preflight("focused-against-the-tip", "MSP-004", _HOLDS, "swept-in",
               "What the remote alone changed is taken back: the trees are compared, not the histories.",
               focused=_AgainstTheTip),
    _preflight("focused-of-the-checkout", "MSP-004", _HOLDS, "change-hidden",
               "The mission is taken from what happens to be checked out, not from the target.", focused=_OnlyTheCheckout),
    _preflight("focused-of-the-first-work-package", "MSP-004", _HOLDS, "change-hidden",
               "Only what one work package owns is taken.", focused=_OnlyTheFirst),
    _preflight("focused-without-code", "MSP-004", _HOLDS, "change-hidden",
               "Only the mission's directory is taken.", focused=_OnlyTheDirectory),
    _preflight("focused-without-lanes", "MSP-004", _HOLDS, "change-hidden",
               "What stands in lanes and is not merged is not taken.", focused=_OnlyTheTarget),
    _preflight("focused-without-modes", "MSP-004", _HOLDS, "change-hidden",
               "A file that became executable is not taken.", focused=_WithoutModes),
    _preflight("focused-without-deletions", "MSP-004", _HOLDS, "change-hidden",
               "A file that went is kept.", focused=_WithoutDeletions),
    _preflight("focused-on-the-cache", "MSP-004", _HOLDS, "advice-fails",
               "The branch sits on what was fetched earlier.", focused=_OnTheCache),
    _preflight("focused-dated-now", "MSP-004", _HOLDS, "name-varies",
               "The commit is dated by the moment, so each run makes another one.", focused=_DatedNow),
    _preflight("focused-by-whoever-runs-it", "MSP-004", _HOLDS, "name-varies",
               "The commit is another one for each who makes it.", focused=_ByWhoeverRunsIt),
    _preflight("focused-through-the-index", "MSP-004", _HOLDS, "refusal-changed-state",
               "The tree is made in the index of the checkout.", focused=_UsesTheIndex),
    _preflight("focused-takes-ours", "MSP-004", _CONFLICT, "illegal-accepted",
               "What the remote changed is overwritten (#2709, #3942).", focused=_TakesOurs),
    _preflight("focused-takes-theirs", "MSP-004", _CONFLICT, "illegal-accepted",
               "What the remote changed too is left out without a word.", focused=_TakesTheirs),
    _preflight("focused-removes-what-the-remote-changed", "MSP-004", _CONFLICT, "illegal-accepted",
               "A file goes that the remote changed.", focused=_Forgets),
    _preflight("focused-brings-back-what-went", "MSP-004", _CONFLICT, "illegal-accepted",
               "A file that the remote removed comes back.", focused=_ForgetsTheirs),
    _preflight("focused-pushes-a-file-aside", "MSP-004", _CONFLICT, "illegal-accepted",
               "A directory of the mission takes the place of a file that the remote added.", focused=_PushesAside),
    _preflight("focused-two-lanes-conflict", "MSP-004", "test_the_latest_of_two_lanes_counts", "advice-fails",
               "A file that two lanes have differently is a conflict, though one began with the other's.",
               focused=_TwoAreAConflict),
    _preflight("focused-stops-in-silence", "MSP-004", _CONFLICT, "wrong-diagnostic",
               "It stops and does not say at which file.", focused=_StopsInSilence),
    _preflight("focused-overwrites", "MSP-004", "test_a_branch_of_its_name_is_not_overwritten", "overwritten",
               "A branch that has the name already is moved.", focused=_Overwrites),
    _preflight("focused-takes-what-is-there", "MSP-004", "test_a_branch_of_its_name_is_not_overwritten",
               "illegal-accepted", "A branch that has the name already is taken for the one.",
               focused=_TakesWhatIsThere),
    _preflight("preflight-moves-the-tracking", "MSP-005", _NOTHING, "read-changed-state",
               "The remote is asked by a fetch that moves the tracking reference.", _MovesTheTracking),
    _preflight("preflight-makes-a-reference", "MSP-005", _NOTHING, "read-changed-state",
               "What was seen is kept under a reference.", _MakesAReference),
    _preflight("preflight-writes-the-snapshot", "MSP-005", _NOTHING, "read-changed-state",
               "The snapshot is written while checking, as the merge of 3.2.0 does.", _WritesTheSnapshot),
    _preflight("preflight-tidies-the-index", "MSP-005", _NOTHING, "read-changed-state",
               "What is staged is unstaged before the comparison.", _TidiesTheIndex),
    _preflight("preflight-advises-a-reset", "MSP-005", "test_no_advice_throws_work_away", "advice-destroys",
               "The remedy is a hard reset (#1571).", _AdvisesAReset),
    _preflight("preflight-advises-force", "MSP-005", "test_no_advice_throws_work_away", "advice-destroys",
               "The remedy is a forced push.", _AdvisesForce),
    _preflight("preflight-advises-a-forced-refspec", "MSP-005", "test_no_advice_throws_work_away", "advice-destroys",
               "The remedy is a forced push that is spelled as a refspec.", _AdvisesAForcedRefspec),
    _preflight("preflight-assumes-main", "MSP-006", _PLACES, _STATE, "The target is main.", _Main),
    _preflight("preflight-takes-the-checkout", "MSP-006", _PLACES, _STATE,
               "The target is what happens to be checked out (#3124).", _TheCheckout),
    _preflight("preflight-assumes-origin", "MSP-006", _PLACES, _STATE, "The remote is origin.", _Origin),
    _preflight("preflight-assumes-the-name", "MSP-006", _PLACES, _STATE,
               "The branch of the remote is called as the target is.", _SameName),
    _preflight("preflight-refreshes-origin", "MSP-006", _PLACES, _STATE,
               "Origin is refreshed, and something else is compared.", _RefreshesOrigin),
    _preflight("preflight-falls-back-to-origin", "MSP-006",
               "test_a_branch_that_tracks_nothing_is_not_compared_with_one_of_its_name", _STATE,
               "A target that tracks nothing is compared with origin's branch of its name.", _OriginWhenNothing),
    _preflight("preflight-failure-is-untracked", "MSP-007", _UNKNOWN, _PASSED,
               "A comparison that fails is told as one that need not be made.", _FailureIs),
    _preflight("preflight-failure-is-in-sync", "MSP-007", _UNKNOWN, _PASSED,
               "What cannot be compared does not differ.", _FailureIsInSync),
    _preflight("preflight-in-any-checkout", "MSP-007", _UNKNOWN, _PASSED,
               "A detached HEAD and a shallow history are not looked at.", _AnyCheckout),
    _preflight("preflight-unknown-passes", "MSP-007", _UNKNOWN, _PASSED,
               "Only what is known to be unsafe blocks.", _AllButUnknown),
    _preflight("preflight-unrelated-is-diverged", "MSP-007", _UNKNOWN, _STATE,
               "Histories without a common commit are told as diverged, with counts.", _UnrelatedIsDiverged),
    _preflight("preflight-trusts-the-cache", "MSP-008", "test_a_remote_that_moved_is_not_in_sync", _STATE,
               "What was fetched earlier decides also when it is published (first version of PR #959).",
               _TrustsTheCache),
    _preflight("preflight-trusts-the-cache-in-need", "MSP-008", "test_a_remote_that_does_not_tell_is_not_in_sync",
               _STATE, "When the remote cannot be asked, what was fetched earlier decides.", _TrustsTheCacheInNeed),
    _preflight("preflight-asks-by-the-remotes-name", "SEC-006", _OPTION, _STATE,
               "The name of the remote is given to git where options are read.", _AsksByTheRemotesName),
    _preflight("preflight-asks-by-the-targets-name", "SEC-006", _OPTION, _STATE,
               "The name of the target is given to git where options are read.", _AsksByTheTargetsName),
    _preflight("preflight-obeys-the-targets-name", "SEC-006", _OPTION, "name-obeyed",
               "Git is shown the name of the target, and writes the file that it seems to ask for.",
               _LogsByTheTargetsName),
]
# fmt: on
