"""Mistakes in how the changes of a lane are looked at (clauses RPM-003, DIF-001 to DIF-005, SEC-006)."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from kitty_reliability.formats.diagnostics import DiagnosticError
from kitty_reliability.formats.lane_manifest import LaneManifest, lane_branch, mission_branch
from kitty_reliability.formats.workspace import WorkspaceContext
from kitty_reliability.implementations.protocol import Dispatch, Prompt
from kitty_reliability.reference.diffs import Diffs, Refs
from kitty_reliability.reference.prompts import PromptIdentity, Prompts

from .base import Mutant, declare, reference

__all__ = ["MUTANTS"]


class _Ranges(Diffs):
    """Gives git a range, as tools do."""

    range = "refs/heads/{base}...refs/heads/{lane}"

    def base(self, refs: Refs) -> str:
        return refs.base_ref

    def commands(self, refs: Refs) -> list[list[str]]:
        return [["git", "diff", self.range.format(base=self.base(refs), lane=refs.lane_branch), "--"]]


class _AgainstDevelop(_Ranges):
    def base(self, refs: Refs) -> str:
        return next((name for name in ("develop", "master") if self.line_of(name)), refs.base_ref)


class _AgainstMain(_Ranges):
    def base(self, refs: Refs) -> str:
        return "main" if self.line_of("main") else refs.base_ref


class _AgainstTheCheckout(_Ranges):
    def commands(self, refs: Refs) -> list[list[str]]:
        return [["git", "diff", f"HEAD...refs/heads/{refs.lane_branch}", "--"]]


class _IgnoresTheContext(Diffs):
    def recorded(self, manifest: LaneManifest, lane_id: str, context: WorkspaceContext | None) -> Refs:
        found = super().recorded(manifest, lane_id, context)
        return found._replace(base_ref=manifest.mission_branch, base_commit=None, dependencies=())


class _IgnoresWhatIsNeeded(Diffs):
    def recorded(self, manifest: LaneManifest, lane_id: str, context: WorkspaceContext | None) -> Refs:
        return super().recorded(manifest, lane_id, context)._replace(dependencies=())


class _NeedsConventionalLanes(Diffs):
    def recorded(self, manifest: LaneManifest, lane_id: str, context: WorkspaceContext | None) -> Refs:
        names = [
            lane_branch(manifest.mission_branch, lane.lane_id) for lane in manifest.lanes if lane.lane_id != lane_id
        ]
        return super().recorded(manifest, lane_id, context)._replace(dependencies=names)


class _GuessesForDamage(Diffs):
    def context(self, lane_id: str) -> WorkspaceContext | None:
        try:
            return super().context(lane_id)
        except DiagnosticError:
            return None


class _TakesAnyCommit(Diffs):
    def start(self, refs: Refs) -> str:
        own = self.line_of(refs.lane_branch)
        return next((commit for commit in own if commit.startswith(refs.base_commit or "")), super().start(refs))


class _AsksWhoeverGitMeans(Diffs):
    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.paths.root, capture_output=True, check=False)
        return done.stdout.decode()


class _WithoutTheCoordination(Diffs):
    """Compares with the target when log and plan are kept apart."""

    def commands(self, refs: Refs) -> list[list[str]]:
        if not (self.paths.root / ".worktrees" / f"{self.paths.slug}-coord").is_dir():
            return super().commands(refs)
        return [["git", "diff", f"main...refs/heads/{refs.lane_branch}", "--"]]


class _ConventionalPrompts(Prompts):
    def identity(self, request: Prompt | Dispatch) -> PromptIdentity:
        found = super().identity(request)
        lane = found.lane_worktree.rpartition("-lane-")[2] if "-lane-" in found.lane_worktree else "a"
        return replace(found, lane_branch=f"{found.mission_branch}-lane-{lane}")


class _PromptsOfTheMission(Prompts):
    def identity(self, request: Prompt | Dispatch) -> PromptIdentity:
        found = super().identity(request)
        return replace(found, base_ref=found.mission_branch)


class _Unchecked(Diffs):
    def require_branch(self, role: str, name: str) -> None:
        pass


class _ComposesFromTheSlug(_Unchecked):
    def slug(self) -> str:
        return self.paths.slug

    def recorded(self, manifest: LaneManifest, lane_id: str, context: WorkspaceContext | None) -> Refs:
        name = mission_branch(self.slug(), manifest.mission_id)
        return Refs(name, name, lane_branch(name, lane_id), None if context is None else context.base_commit)

    def commands(self, refs: Refs) -> list[list[str]]:
        return [["git", "diff", f"refs/heads/{refs.base_ref}...refs/heads/{refs.lane_branch}", "--"]]


class _StripsMission(_ComposesFromTheSlug):
    def slug(self) -> str:
        return super().slug().removeprefix("mission-")


class _StripsTheLane(_ComposesFromTheSlug):
    def slug(self) -> str:
        head, _, tail = super().slug().rpartition("-lane-")
        return head if len(tail) == 1 else super().slug()


class _TakesConventionalLanes(Diffs):
    def branch_of(self, mission_branch: str, lane_id: str, context: WorkspaceContext | None) -> str:  # noqa: ARG002
        return super().branch_of(mission_branch, lane_id, None)


class _TakesTheConventionalMission(Diffs):
    def lane(self) -> tuple[LaneManifest, str]:
        manifest, lane_id = super().lane()
        conventional = mission_branch(self.paths.slug, manifest.mission_id)
        return replace(manifest, mission_branch=conventional), lane_id


class _TwoDots(_Ranges):
    range = "refs/heads/{base}..refs/heads/{lane}"


class _AnyParent(Diffs):
    def commands(self, refs: Refs) -> list[list[str]]:
        return [[word for word in argv if word != "--first-parent"] for argv in super().commands(refs)]


class _WithoutTheRecord(Diffs):
    def commands(self, refs: Refs) -> list[list[str]]:
        return super().commands(refs._replace(base_commit=None))


class _OnlyTheLastCommit(Diffs):
    def start(self, refs: Refs) -> str:
        return f"refs/heads/{refs.lane_branch}~1"


class _ByTheRecordAlone(Diffs):
    def start(self, refs: Refs) -> str:
        return refs.base_commit or super().start(refs)


class _FollowsTheNeedy(Diffs):
    """Walks over the lanes that one needs as if nobody had ever planned a circle."""

    def recorded(self, manifest: LaneManifest, lane_id: str, context: WorkspaceContext | None) -> Refs:
        by_id = {lane.lane_id: lane for lane in manifest.lanes}

        def needed(one: str) -> list[str]:
            return [name for other in by_id[one].depends_on_lanes for name in (other, *needed(other))]

        branches = [self.branch_of(manifest.mission_branch, one, self.context(one)) for one in needed(lane_id)]
        return super().recorded(manifest, lane_id, context)._replace(dependencies=branches)


class _AnyLane(Diffs):
    def lane_in(self, manifest: LaneManifest) -> str | None:
        return super().lane_in(manifest) or manifest.lanes[0].lane_id


class _WithoutEveryOtherLane(Diffs):
    def commands(self, refs: Refs) -> list[list[str]]:
        manifest, lane_id = self.lane()
        others = [lane.lane_id for lane in manifest.lanes if lane.lane_id != lane_id]
        branches = [self.branch_of(refs.mission_branch, other, self.context(other)) for other in others]
        return [[*argv[:-1], *(f"^refs/heads/{name}" for name in branches), "--"] for argv in super().commands(refs)]


class _FallsBack(_Unchecked):
    def start(self, refs: Refs) -> str:
        missing = not self.line_of(refs.base_ref) or not self.line_of(refs.mission_branch)
        return f"refs/heads/{refs.lane_branch}~1" if missing else super().start(refs)


class _FallsBackToTheTarget(Diffs):
    def recorded(self, manifest: LaneManifest, lane_id: str, context: WorkspaceContext | None) -> Refs:
        found = super().recorded(manifest, lane_id, context)
        for key in ("base_ref", "mission_branch"):
            try:
                super().require_branch(key, getattr(found, key))
            except DiagnosticError as error:
                if error.diagnostic.code == "DIFF_REF_MISSING":
                    found = found._replace(**{key: manifest.target_branch})
        return found


class _ResolvesInSilence(Diffs):
    def require_branch(self, role: str, name: str) -> None:
        with suppress(DiagnosticError):
            super().require_branch(role, name)


class _RefusesWithoutAName(Diffs):
    def require_branch(self, role: str, name: str) -> None:
        try:
            super().require_branch(role, name)
        except DiagnosticError as error:
            hidden = replace(error.diagnostic, fields={"role": role, "ref": "the base"})
            raise DiagnosticError(hidden) from None


class _Unquoted(Diffs):
    def line(self, argv: Sequence[str]) -> str:
        return " ".join(argv)


class _InDoubleQuotes(Diffs):
    def line(self, argv: Sequence[str]) -> str:
        return " ".join(f'"{word}"' for word in argv)


class _ShortNames(_Ranges):
    range = "{base}...{lane}"


class _ShortBase(Diffs):
    def start(self, refs: Refs) -> str:
        own = set(self.line_of(refs.lane_branch))
        found = self.git("merge-base", refs.base_ref, f"refs/heads/{refs.lane_branch}").strip()
        return found if found in own else f"refs/heads/{refs.lane_branch}~1"


class _ShortLane(Diffs):
    def commands(self, refs: Refs) -> list[list[str]]:
        return [["git", "log", "--first-parent", "--cc", refs.lane_branch, f"^{self.start(refs)}", "--"]]


_A_CHANGE_IS_MISSING, _TOO_MUCH = "change-hidden", "foreign-change-shown"


def _diffs(name: str, clause: str, scenario: str, finding: str, mistake: str, diffs: type[Diffs]) -> type[Mutant]:
    return declare(clause, name, scenario, finding, mistake, adapter=reference(diffs_class=diffs))


def _prompts(name: str, finding: str, mistake: str, prompts: type[Prompts]) -> type[Mutant]:
    scenario, adapter = "test_a_prompt_names_what_is_recorded", reference(prompts_class=prompts)
    return declare("RPM-003", name, scenario, finding, mistake, adapter=adapter)


# fmt: off
MUTANTS: list[type[Mutant]] = [
    _diffs("diff-against-develop", "RPM-003", "test_the_base_is_the_recorded_one", _A_CHANGE_IS_MISSING,
           "The base is the first well-known branch that there is (#950).", _AgainstDevelop),
    _diffs("diff-against-main", "RPM-003", "test_the_base_is_the_recorded_one", _TOO_MUCH,
           "The base is main, whatever is recorded.", _AgainstMain),
    _diffs("diff-against-the-checkout", "RPM-003", "test_the_checkout_it_is_asked_from_decides_nothing",
           _A_CHANGE_IS_MISSING, "The base is what the main checkout happens to be on (#3124).", _AgainstTheCheckout),
    _diffs("diff-ignores-the-context", "RPM-003", "test_the_base_of_the_workspace_context_counts", "record-ignored",
           "The base that the workspace context records is not looked at.", _IgnoresTheContext),
    _diffs("diff-guesses-for-damage", "RPM-003", "test_a_record_that_cannot_be_read_is_no_reason_to_guess",
           "record-ignored", "A context that cannot be read counts as none, and names are made up.", _GuessesForDamage),
    _diffs("diff-takes-any-commit", "RPM-003", "test_a_base_commit_that_is_not_known_hides_nothing",
           _A_CHANGE_IS_MISSING, "Where no commit is recorded, every commit begins like it.", _TakesAnyCommit),
    _diffs("diff-asks-whoever-git-means", "RPM-003", "test_another_repository_of_the_environment_decides_nothing",
           _A_CHANGE_IS_MISSING, "Git is asked in the environment of whoever asks, in a hook for example.",
           _AsksWhoeverGitMeans),
    _prompts("prompt-takes-conventional-lanes", "record-ignored",
             "The prompt's lane branch is made of the mission's.", _ConventionalPrompts),
    _prompts("prompt-takes-the-mission-for-the-base", "record-ignored",
             "The prompt's base is the mission branch, whatever the context says.", _PromptsOfTheMission),
    _diffs("diff-strips-mission", "DIF-001", "test_every_ref_resolves", "ref-unresolved",
           "A slug that begins with mission- loses that before the branch is made of it (#950).", _StripsMission),
    _diffs("diff-strips-a-lane", "DIF-001", "test_every_ref_resolves", "ref-unresolved",
           "A slug that ends like a lane loses that before the branch is made of it.", _StripsTheLane),
    _diffs("diff-composes-from-the-slug", "DIF-002", "test_a_recorded_name_is_used_as_recorded", "record-ignored",
           "Branches are made of the slug, not read (#950).", _ComposesFromTheSlug),
    _diffs("diff-takes-conventional-lanes", "DIF-002", "test_a_recorded_name_is_used_as_recorded", "record-ignored",
           "The lane's branch is made of the mission's, whatever the context says.", _TakesConventionalLanes),
    _diffs("diff-takes-the-conventional-mission", "DIF-002", "test_a_recorded_name_is_used_as_recorded",
           "record-ignored", "The mission's branch is made of the slug, whatever the manifest says.",
           _TakesTheConventionalMission),
    _diffs("diff-with-two-dots", "DIF-003", "test_the_lane_is_shown_and_nothing_else", _TOO_MUCH,
           "Two trees are compared, so what moved at the base shows as taken back by the lane (#3996).", _TwoDots),
    _diffs("diff-with-three-dots", "DIF-003", "test_the_lane_is_shown_and_nothing_else", _TOO_MUCH,
           "What a dependency brought by a merge counts as the lane's (#2961).", _Ranges),
    _diffs("diff-follows-every-parent", "DIF-003", "test_the_lane_is_shown_and_nothing_else", _TOO_MUCH,
           "The log walks into what was merged in.", _AnyParent),
    _diffs("diff-without-the-record", "DIF-003", "test_a_lane_on_its_own_outlives_a_rebased_mission_branch", _TOO_MUCH,
           "Only the base branch tells where the lane began, also after it was rebased.", _WithoutTheRecord),
    _diffs("diff-by-the-record-alone", "DIF-003", "test_the_lane_is_shown_and_nothing_else", _TOO_MUCH,
           "Only the recorded commit tells where the lane began, also after the lane was rebased.", _ByTheRecordAlone),
    _diffs("diff-of-the-last-commit", "DIF-003", "test_work_packages_that_share_a_lane_share_its_diff",
           _A_CHANGE_IS_MISSING, "Only the last commit of the lane is shown.", _OnlyTheLastCommit),
    _diffs("diff-without-every-other-lane", "DIF-003", "test_the_lane_is_shown_and_nothing_else",
           _A_CHANGE_IS_MISSING, "What any other lane has is left out, also what it has from this one.",
           _WithoutEveryOtherLane),
    _diffs("diff-ignores-what-is-needed", "DIF-003", "test_the_lane_is_shown_and_nothing_else", _TOO_MUCH,
           "What a lane took over from one that it needs counts as its own.", _IgnoresWhatIsNeeded),
    _diffs("diff-needs-conventional-lanes", "DIF-003", "test_the_lane_is_shown_and_nothing_else", _TOO_MUCH,
           "The lanes that one needs are looked for by their conventional names.", _NeedsConventionalLanes),
    _diffs("diff-follows-the-needy", "DIF-003", "test_a_lane_that_cannot_be_needed_hides_nothing", "crash",
           "The lanes that one needs are followed without looking who was there already.", _FollowsTheNeedy),
    _diffs("diff-of-any-lane", "DIF-003", "test_a_work_package_in_no_lane_shows_the_changes_of_none", _TOO_MUCH,
           "A work package that is in no lane is taken to be in the first one.", _AnyLane),
    _diffs("diff-without-the-coordination", "DIF-003", "test_a_coordinated_mission_has_the_same_diffs", _TOO_MUCH,
           "A coordinated mission's lanes are compared with the target.", _WithoutTheCoordination),
    _diffs("diff-falls-back-to-the-last-commit", "DIF-004", "test_a_missing_base_is_refused_by_name",
           "illegal-accepted", "A base that is gone is replaced by the commit before the last one.", _FallsBack),
    _diffs("diff-falls-back-to-the-target", "DIF-004", "test_a_missing_base_is_refused_by_name", "illegal-accepted",
           "A base that is gone is replaced by the target branch.", _FallsBackToTheTarget),
    _diffs("diff-takes-either-of-two", "DIF-004", "test_a_base_that_is_a_branch_and_a_tag_is_refused_by_name",
           "illegal-accepted", "A name that is a branch and a tag is used without a word.", _ResolvesInSilence),
    _diffs("diff-refuses-without-a-name", "DIF-004", "test_a_missing_base_is_refused_by_name", "wrong-diagnostic",
           "The refusal does not say which reference it is about.", _RefusesWithoutAName),
    _diffs("diff-line-unquoted", "DIF-005", "test_a_printed_line_can_be_pasted", "name-obeyed",
           "The printed line is the words with blanks between them.", _Unquoted),
    _diffs("diff-line-in-double-quotes", "DIF-005", "test_a_printed_line_can_be_pasted", "name-obeyed",
           "The words of the printed line are in double quotes, in which a shell still obeys.", _InDoubleQuotes),
    _diffs("diff-with-short-names", "SEC-006", "test_a_name_that_looks_like_an_option_is_a_name", "ref-unresolved",
           "Ranges begin with the name of the base, so a dash makes an option of it.", _ShortNames),
    _diffs("diff-asks-git-with-short-names", "SEC-006", "test_a_name_that_looks_like_an_option_is_a_name",
           _A_CHANGE_IS_MISSING, "Git is asked for the merge base by a name that it takes for an option.", _ShortBase),
    _diffs("diff-of-an-option", "SEC-006", "test_a_name_that_looks_like_an_option_is_a_name", "name-obeyed",
           "The lane's branch is a word of its own, and git writes the file that it seems to ask for.", _ShortLane),
]
# fmt: on
