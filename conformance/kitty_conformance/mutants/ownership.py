"""Mistakes in who may commit what in a lane (clauses OWN-001 to OWN-011)."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from kitty_reliability.formats.diagnostics import Diagnostic, DiagnosticError, diagnostic
from kitty_reliability.formats.globs import exact
from kitty_reliability.formats.mission import MissionPaths
from kitty_reliability.formats.policy import GuardPolicy
from kitty_reliability.formats.workspace import WorkspaceContext
from kitty_reliability.implementations import protocol
from kitty_reliability.implementations.protocol import Outcome
from kitty_reliability.reference.guarding import Guard, Judgement, Owns
from kitty_reliability.reference.locations import Place
from kitty_reliability.reference.ownership import Ownership, Scope

from .base import Mutant, Reference, mutant

__all__ = ["MUTANTS"]

_MISSIONS = "kitty-specs/"


# --- which work package


class _TheCachedOne(Ownership):
    def active(self, context: WorkspaceContext, paths: MissionPaths) -> str:  # noqa: ARG002
        return context.current_wp or context.wp_id


class _TheWholeLane(Ownership):
    def owned(self, paths: MissionPaths, work_package: str) -> Sequence[str]:  # noqa: ARG002
        packages = self.packages(self.contexts()[0], paths)
        return [glob for wp_id in packages for glob in super(_TheWholeLane, self).owned(paths, wp_id)]


class _TheWholeMission(Ownership):
    def packages(self, context: WorkspaceContext, paths: MissionPaths) -> Sequence[str]:  # noqa: ARG002
        return sorted(self.lanes(context))


class _TheRememberedLane(Ownership):
    def packages(self, context: WorkspaceContext, paths: MissionPaths) -> Sequence[str]:  # noqa: ARG002
        return context.lane_wp_ids


class _AnyContext(Ownership):
    def contexts(self) -> list[WorkspaceContext]:
        return super().contexts()[:1]

    def is_about(self, context: WorkspaceContext) -> bool:  # noqa: ARG002
        return True


class _Remembers(Ownership):
    known: ClassVar[dict[Path, Scope | None]] = {}

    def scope(self) -> Scope | None:
        return self.known.setdefault(self.place.checkout, super().scope())


class _RemembersOwners(Ownership):
    globs: ClassVar[dict[tuple[Path, str], Sequence[str]]] = {}

    def owned(self, paths: MissionPaths, work_package: str) -> Sequence[str]:
        return self.globs.setdefault((paths.tasks, work_package), super().owned(paths, work_package))


class _ReadsTheLanesTaskFile(Ownership):
    def owned(self, paths: MissionPaths, work_package: str) -> Sequence[str]:
        here = MissionPaths.under(self.place.checkout, paths.slug)
        return super().owned(here, work_package)


class _ReadsTheLanesLog(Ownership):
    def lanes(self, context: WorkspaceContext) -> Mapping[str, str | None]:
        from kitty_reliability.formats.events import read_rows
        from kitty_reliability.formats.mission import read_meta

        paths = MissionPaths.under(self.place.checkout, context.mission_slug)
        reducer = self.workflow.reducer_class(self.workflow.profile, paths.slug, read_meta(paths.meta).mission_id)
        reducer.add(read_rows(paths.log.read_bytes(), self.workflow.profile))
        return {wp_id: reducer.lane(wp_id) for wp_id in reducer.work_packages}


class _SaysNothingOfStale(Ownership):
    def scope(self) -> Scope | None:
        found = super().scope()
        return None if found is None else found._replace(warnings=())


class _CachedSettles(Ownership):
    def active(self, context: WorkspaceContext, paths: MissionPaths) -> str:
        try:
            return super().active(context, paths)
        except DiagnosticError:
            return context.current_wp or context.wp_id


class _FirstOfTwo(Ownership):
    def active(self, context: WorkspaceContext, paths: MissionPaths) -> str:
        lanes = self.lanes(context)
        working = [wp_id for wp_id in self.packages(context, paths) if lanes.get(wp_id) == "in_progress"]
        return working[0] if working else super().active(context, paths)


class _LastApproved(Ownership):
    def active(self, context: WorkspaceContext, paths: MissionPaths) -> str:
        lanes = self.lanes(context)
        began = [wp_id for wp_id in self.packages(context, paths) if lanes.get(wp_id) not in (None, "planned")]
        working = [wp_id for wp_id in began if lanes.get(wp_id) == "in_progress"]
        return began[-1] if not working else super().active(context, paths)


class _FirstContext(Ownership):
    def contexts(self) -> list[WorkspaceContext]:
        return super().contexts()[:1]


class _AmbiguityPasses(Ownership):
    def scope(self) -> Scope | None:
        found = super().scope()
        return None if found and found.problem and found.problem.code == "ACTIVE_WP_CONTEXT_AMBIGUOUS" else found


class _UnionWhenUnproven(Guard):
    def weigh(self, names: Sequence[str], scope: Scope, policy: GuardPolicy, owns: Owns) -> list[Diagnostic]:
        if scope.problem is not None:
            scope = scope._replace(problem=None, owned_files=("src/**",))
            owns = self.judged_by(scope, policy)
        return super().weigh(names, scope, policy, owns)


class _OffByDefault(Guard):
    def judge(self, root: str) -> Judgement:
        found = super().judge(root)
        config = (self.place(root).main / ".kittify" / "config.yaml").read_text(encoding="utf-8")
        return found if "commit_guard" in config else Judgement(warnings=[*found.warnings, *found.findings])


# --- what is told


def _without(*names: str) -> type[Reference]:
    class Forgetful(Reference):
        def guard(self, request: protocol.Guard) -> Outcome:
            outcome = super().guard(request)
            value = dict(outcome.value)
            for name in names:
                value[name] = None
                value["findings"] = [
                    {key: text for key, text in item.items() if key not in (*names, "message", "remediation")}
                    | {"message": "a file is outside"}
                    for item in value["findings"]
                ]
            return replace(outcome, value=value)

    return Forgetful


class _OnlyTheFirst(Guard):
    def weigh(self, names: Sequence[str], scope: Scope, policy: GuardPolicy, owns: Owns) -> list[Diagnostic]:
        return super().weigh(names, scope, policy, owns)[:1]


class _SilentWarnings(Guard):
    def judge(self, root: str) -> Judgement:
        found = super().judge(root)
        return found if found.findings else replace(found, warnings=())


class _NamesTheLaneOnly(Reference):
    def guard(self, request: protocol.Guard) -> Outcome:
        outcome = super().guard(request)
        findings = [{**item, "message": "a file is outside", "remediation": ""} for item in outcome.value["findings"]]
        return replace(outcome, value={**outcome.value, "findings": findings})


# --- what cannot be read


def _as_one(code: str, *others: str) -> type[Ownership]:
    class OneCode(Ownership):
        def scope(self) -> Scope | None:
            found = super().scope()
            if found and found.problem and found.problem.code in others:
                return found._replace(problem=Diagnostic(code, found.problem.fields))
            return found

    return OneCode


def _passes(*codes: str) -> type[Ownership]:
    class Passes(Ownership):
        def scope(self) -> Scope | None:
            found = super().scope()
            return None if found and found.problem and found.problem.code in codes else found

    return Passes


class _ReadsWhatCanBeRead(Ownership):
    def lanes(self, context: WorkspaceContext) -> Mapping[str, str | None]:
        return self.workflow.state(str(self.place.main), context.mission_slug, recover=True).lanes


class _TakesAnyOwnedFiles(Ownership):
    def owned(self, paths: MissionPaths, work_package: str) -> Sequence[str]:
        try:
            return super().owned(paths, work_package)
        except DiagnosticError as error:
            path = self.task_file(paths.tasks, work_package)
            text = "" if path is None else path.read_text(encoding="utf-8")
            found = re.findall(r"owned_files: \['(.*)'\]", text)
            if not found:
                raise error from None
            return [found[-1]]


# --- what is staged


def _asks(*arguments: str) -> type[Guard]:
    command = ("diff", "--cached", "--name-only", *arguments, "-z")
    return type("Asks", (Guard,), {"staged_command": command})


_STRICT = ("--no-renames", "--ignore-submodules=none")


class _Statuses(Guard):
    """Takes one path from each record of statuses."""

    staged_command = (
        "diff",
        "--cached",
        "--name-status",
        "--find-renames",
        "--ignore-submodules=none",
        "-z",
    )
    end = 0

    def names(self, printed: bytes) -> list[str]:
        words, found = iter(os.fsdecode(printed).split("\0")[:-1]), []
        for status in words:
            ends = [next(words) for _ in range(2 if status[0] in "RC" else 1)]
            found.append(ends[self.end])
        return found


class _OnlyTheSource(_Statuses):
    pass


class _OnlyTheDestination(_Statuses):
    end = -1


class _IgnoresModes(Guard):
    staged_command = ("diff", "--cached", "--raw", *_STRICT, "--abbrev=40", "-z")

    def names(self, printed: bytes) -> list[str]:
        words = os.fsdecode(printed).split("\0")[:-1]
        pairs = zip(words[::2], words[1::2], strict=True)
        return [name for record, name in pairs if record.split()[2] != record.split()[3]]


class _ForgetsTheIndexOfTheHook(Guard):
    def __init__(self, workflow: Any, index: str | None = None) -> None:  # noqa: ARG002
        super().__init__(workflow)


class _AsksInTheGivenDirectory(Guard):
    staged_command = ("diff", "--cached", "--name-only", "--no-renames", "--ignore-submodules=none", "-z")
    asked = ""

    def judge(self, root: str) -> Judgement:
        self.asked = root
        return super().judge(root)

    def git(self, place: Place, *arguments: str) -> Any:
        return super().git(place._replace(checkout=Path(self.asked)), *arguments)


class _Lines(Guard):
    staged_command = ("diff", "--cached", "--name-only", *_STRICT)

    def names(self, printed: bytes) -> list[str]:
        return os.fsdecode(printed).splitlines()


class _Strips(Guard):
    def names(self, printed: bytes) -> list[str]:
        return [name.strip() for name in super().names(printed)]


class _SplitsLines(Guard):
    def names(self, printed: bytes) -> list[str]:
        return [name.split("\n")[-1] for name in super().names(printed)]


# --- globs


def _globs(matches: Callable[[str, str], bool]) -> type[Guard]:
    class Globs(Guard):
        def owns(self, globs: Sequence[str]) -> Callable[[str], bool]:
            return lambda name: any(matches(name, glob) for glob in globs)

    return Globs


def _as_regex(name: str, glob: str) -> bool:
    pattern = re.escape(glob.removeprefix("./")).replace(r"\*\*", ".*").replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    return re.fullmatch(pattern, name, re.DOTALL) is not None


def _unescaped(name: str, glob: str) -> bool:
    if "[" in glob:
        return exact([glob])(name)
    pattern = glob.removeprefix("./").replace("**/", "(.*/)?").replace("**", ".+").replace("?", "[^/]")
    return re.fullmatch(re.sub(r"(?<![.)])\*", "[^/]*", pattern), name, re.DOTALL) is not None


def _classes(name: str, glob: str) -> bool:
    return exact([glob])(name) if "[" not in glob else fnmatch.fnmatchcase(name, glob)


def _crosses(name: str, glob: str) -> bool:
    return exact([glob])(name) if "[" in glob else exact([glob])(name) or fnmatch.fnmatchcase(name, glob)


def _literal_owns(name: str, glob: str) -> bool:
    return exact([glob])(name) or ("*" not in glob and name.startswith(f"{glob}/"))


def _keeps_dot(name: str, glob: str) -> bool:
    return not glob.startswith("./") and exact([glob])(name)


def _any_case(name: str, glob: str) -> bool:
    return exact([glob.lower()])(name.lower())


# --- mission state


class _GlobsOwnMissions(Guard):
    def is_mission_state(self, name: str) -> bool:  # noqa: ARG002
        return False


class _OwnMissionOnly(Guard):
    slug = ""

    def weigh(self, names: Sequence[str], scope: Scope, policy: GuardPolicy, owns: Owns) -> list[Diagnostic]:
        self.slug = scope.mission_slug or ""
        return super().weigh(names, scope, policy, owns)

    def is_mission_state(self, name: str) -> bool:
        return name.startswith(f"{_MISSIONS}{self.slug}/")


class _StateFilesOnly(Guard):
    def is_mission_state(self, name: str) -> bool:
        return name.startswith(_MISSIONS) and name.rpartition("/")[2].startswith("status.")


class _NamedGlobsOwnMissions(Guard):
    named = False

    def weigh(self, names: Sequence[str], scope: Scope, policy: GuardPolicy, owns: Owns) -> list[Diagnostic]:
        self.named = any(glob.startswith(_MISSIONS) for glob in scope.owned_files)
        return super().weigh(names, scope, policy, owns)

    def is_mission_state(self, name: str) -> bool:
        return not self.named and super().is_mission_state(name)


class _GuardsTheMainCheckoutToo(Ownership):
    def scope(self) -> Scope | None:
        return super().scope() or Scope("absent")


# --- ids and lanes


class _ByPrefix(Ownership):
    def task_file(self, tasks: Path, work_package: str) -> Path | None:
        return next(iter(sorted(tasks.glob(f"{work_package}*.md"))), None)

    def owned(self, paths: MissionPaths, work_package: str) -> Sequence[str]:
        from kitty_reliability.formats.frontmatter import parse_yaml, split

        path = self.task_file(paths.tasks, work_package)
        parts = None if path is None else split(path.read_text(encoding="utf-8"))
        if parts is None:
            raise diagnostic("ACTIVE_WP_METADATA_MISSING", path=str(paths.tasks))
        return list(parse_yaml(parts[0])["owned_files"])


class _ByTheLastPrefix(_ByPrefix):
    def task_file(self, tasks: Path, work_package: str) -> Path | None:
        return next(iter(sorted(tasks.glob(f"{work_package}*.md"), reverse=True)), None)


class _StatusByPrefix(Ownership):
    def lanes(self, context: WorkspaceContext) -> Mapping[str, str | None]:
        found = super().lanes(context)
        return {
            wp_id: next(lane for other, lane in reversed(list(found.items())) if other.startswith(wp_id))
            for wp_id in found
        }


class _OneLetter(Ownership):
    def scope(self) -> Scope | None:
        named = re.search(r"-lane-[a-z]\Z", self.place.branch or "")
        return super().scope() if named else None


# --- without a context


class _SilentFallback(Ownership):
    def without_context(self, branch: str) -> Scope | None:
        found = super().without_context(branch)
        return None if found is None else found._replace(warnings=())


class _UnprotectedFallback(Guard):
    def weigh(self, names: Sequence[str], scope: Scope, policy: GuardPolicy, owns: Owns) -> list[Diagnostic]:
        return [] if scope.context_source == "absent" else super().weigh(names, scope, policy, owns)


class _TornFallsBack(Ownership):
    def may_be_about(self, path: Path) -> bool:  # noqa: ARG002
        return False


class _ClaimsCanonical(Ownership):
    def without_context(self, branch: str) -> Scope | None:
        found = super().without_context(branch)
        return None if found is None else found._replace(context_source="canonical_status")


class _TornIsAbsent(Ownership):
    def without_context(self, branch: str) -> Scope | None:  # noqa: ARG002
        return None


_PASSED, _BLOCKED, _WRONG = "unsafe-passed", "safe-blocked", "wrong-diagnostic"


def _mutant(
    name: str, clause: str, scenario: str, finding: str, mistake: str, part: type[Guard | Ownership | Reference]
) -> type[Mutant]:
    adapter: type[Reference]
    if issubclass(part, Ownership):
        part = type("Judges", (Guard,), {"ownership_class": part})
    adapter = part if issubclass(part, Reference) else type("Guards", (Reference,), {"guard_class": part})
    return mutant(f"guard-{name}", clause=clause, scenario=scenario, finding=finding, mistake=mistake, adapter=adapter)


_MOVED = "test_the_lane_is_judged_by_the_work_package_that_it_moved_to"
_MOMENT, _COPY = "test_every_judgement_is_of_that_moment", "test_the_lanes_own_copy_decides_nothing"
_BESIDE = "test_the_lane_beside_it_is_another_one"
_STALE, _SETTLES = "test_a_stale_context_is_told_and_does_not_decide", "test_a_cached_work_package_settles_nothing"
_UNPROVEN, _CLOSED = (
    "test_what_cannot_be_proven_blocks_and_applies_no_files",
    "test_without_a_policy_a_hook_fails_closed",
)
_NAMES, _WARNS, _SAYS = (
    "test_a_violation_names_everything", "test_a_warning_names_everything", "test_a_hook_says_what_it_stopped",
)  # fmt: skip
_CODES, _TASKS = (
    "test_three_things_that_cannot_be_read_have_three_codes",
    "test_a_task_file_that_says_nothing_sound_owns_nothing",
)
_KINDS, _INDEX = "test_every_kind_of_change_is_judged", "test_a_hook_judges_what_the_commit_is_made_of"
_NAMED, _GLOBS = "test_names_are_judged_as_they_are", "test_globs_mean_what_the_dialect_says"
_STATE = "test_no_glob_owns_mission_state"
_LONGER, _SHARED, _LANES = (
    "test_a_longer_id_is_another_work_package", "test_the_lane_of_a_longer_id_is_its_own",
    "test_a_lane_past_the_26th_is_guarded",
)  # fmt: skip
_FALLBACK, _TORN = (
    "test_without_a_context_the_fallback_is_told",
    "test_a_context_that_cannot_be_read_is_not_none_at_all",
)

# fmt: off
MUTANTS: list[type[Mutant]] = [
    _mutant("cached-work-package", "OWN-002", _STALE, _BLOCKED,
            "The work package that the context remembers decides (#951).", _TheCachedOne),
    _mutant("whole-lane", "OWN-001", _MOVED, _PASSED,
            "What any work package of the lane owns may be changed.", _TheWholeLane),
    _mutant("whole-mission", "OWN-001", _BESIDE, _BLOCKED,
            "A work package that is in progress in another lane makes this one ambiguous.", _TheWholeMission),
    _mutant("any-context", "OWN-001", _BESIDE, _BLOCKED,
            "The first context that is found stands for every lane.", _AnyContext),
    _mutant("remembers-the-scope", "OWN-001", _MOMENT, _PASSED,
            "The active work package is looked up once and then remembered (#951).", _Remembers),
    _mutant("remembers-the-globs", "OWN-001", _MOMENT, _PASSED,
            "What a work package owns is read once and then remembered.", _RemembersOwners),
    _mutant("reads-the-lanes-task-file", "OWN-001", _COPY, _PASSED,
            "The task file is the one of the lane's worktree, which the lane can widen.", _ReadsTheLanesTaskFile),
    _mutant("reads-the-lanes-log", "OWN-001", _MOVED, _BLOCKED,
            "The log is the copy of the lane's worktree.", _ReadsTheLanesLog),
    _mutant("says-nothing-of-stale", "OWN-002", _STALE, _WRONG,
            "A context that remembers another work package is passed over in silence.", _SaysNothingOfStale),
    _mutant("cached-settles", "OWN-002", _SETTLES, _PASSED,
            "When none is active, or two are, the work package that the context remembers is taken.", _CachedSettles),
    _mutant("remembered-lane", "OWN-002", "test_a_cached_list_of_work_packages_decides_nothing", _PASSED,
            "Which work packages share the lane is what the context remembers.", _TheRememberedLane),
    _mutant("first-of-two", "OWN-003", _UNPROVEN, _PASSED,
            "Of two active work packages the first one wins.", _FirstOfTwo),
    _mutant("last-that-began", "OWN-003", _UNPROVEN, _PASSED,
            "When none is active, the last one that began is taken for it.", _LastApproved),
    _mutant("first-context", "OWN-003", _UNPROVEN, _WRONG,
            "Of two contexts for one branch the first file wins.", _FirstContext),
    _mutant("ambiguity-passes", "OWN-003", _UNPROVEN, _PASSED,
            "What cannot be proven is let pass.", _AmbiguityPasses),
    _mutant("applies-a-set-anyway", "OWN-003", _UNPROVEN, _PASSED,
            "When no work package is proven, what the lane may write stands in for its files.", _UnionWhenUnproven),
    _mutant("warns-by-default", "OWN-003", _CLOSED, _PASSED,
            "Without a policy it only warns.", _OffByDefault),
    _mutant("names-no-mission", "OWN-004", _NAMES, _WRONG,
            "The mission is not named.", _without("mission_slug")),
    _mutant("names-no-source", "OWN-004", _NAMES, _WRONG,
            "It is not said how the work package is known.", _without("context_source")),
    _mutant("names-the-first-file-only", "OWN-004", _NAMES, _WRONG,
            "It stops at the first file that is outside.", _OnlyTheFirst),
    _mutant("warns-in-silence", "OWN-004", _WARNS, _PASSED,
            "By a policy that warns, nothing is said at all.", _SilentWarnings),
    _mutant("hook-names-nothing", "OWN-004", _SAYS, _WRONG,
            "The hook says that a file is outside, and not which, of whom, or where.", _NamesTheLaneOnly),
    _mutant("one-code-for-task-files", "OWN-005", _CODES, "answers-alike",
            "A task file that is missing and one that is broken have one code.",
            _as_one("ACTIVE_WP_METADATA_INVALID", "ACTIVE_WP_METADATA_MISSING")),
    _mutant("one-code-for-all", "OWN-005", _CODES, "answers-alike",
            "Whatever cannot be read, the context is called ambiguous.",
            _as_one("ACTIVE_WP_CONTEXT_AMBIGUOUS", "ACTIVE_WP_STATUS_UNAVAILABLE", "ACTIVE_WP_METADATA_MISSING")),
    _mutant("status-error-passes", "OWN-005", _CODES, _PASSED,
            "A status that cannot be read lets everything pass.", _passes("ACTIVE_WP_STATUS_UNAVAILABLE")),
    _mutant("missing-file-passes", "OWN-005", _CODES, _PASSED,
            "Without a task file everything passes.", _passes("ACTIVE_WP_METADATA_MISSING")),
    _mutant("no-files-pass", "OWN-005", _TASKS, _PASSED,
            "A work package that owns nothing may change everything.", _passes("ACTIVE_WP_OWNERSHIP_MISSING")),
    _mutant("reads-what-can-be-read", "OWN-005", _CODES, _PASSED,
            "Of a broken log what can be read is taken for all of it.", _ReadsWhatCanBeRead),
    _mutant("searches-broken-frontmatter", "OWN-005", _TASKS, _PASSED,
            "Broken frontmatter is searched for something like owned_files.", _TakesAnyOwnedFiles),
    _mutant("destination-only", "OWN-006", _KINDS, _PASSED,
            "Of a rename only the new name is judged (#951).", _OnlyTheDestination),
    _mutant("source-only", "OWN-006", _KINDS, _PASSED,
            "Of a rename only the old name is judged.", _OnlyTheSource),
    _mutant("ignores-deletions", "OWN-006", _KINDS, _PASSED,
            "Files that are gone are left out.", _asks(*_STRICT, "--diff-filter=ACMRT")),
    _mutant("ignores-modes", "OWN-006", _KINDS, _PASSED,
            "A file whose content is the same is left out.", _IgnoresModes),
    _mutant("ignores-submodules", "OWN-006", _KINDS, _PASSED,
            "Git's settings may hide submodules.", _asks("--no-renames")),
    _mutant("asks-in-the-directory", "OWN-006", _KINDS, _PASSED,
            "Git's settings may hide what is outside the directory that it is asked from.", _AsksInTheGivenDirectory),
    _mutant("forgets-the-index-of-the-hook", "OWN-006", _INDEX, _PASSED,
            "The index of the checkout is judged, not the one that the commit is made from.", _ForgetsTheIndexOfTheHook),
    _mutant("quoted-names", "OWN-007", _NAMED, _BLOCKED,
            "Names are judged as git quotes them (#951, #644).", _Lines),
    _mutant("strips-names", "OWN-007", _NAMED, _BLOCKED,
            "Blanks around a name are cut off.", _Strips),
    _mutant("splits-names", "OWN-007", _NAMED, _BLOCKED,
            "A name with a line break is cut there.", _SplitsLines),
    _mutant("star-crosses", "OWN-008", _GLOBS, _WRONG,
            "A star crosses directories, as in 3.2.x.", _globs(_crosses)),
    _mutant("brackets-are-classes", "OWN-008", _GLOBS, _BLOCKED,
            "Brackets are a class of letters, as in 3.2.x.", _globs(_classes)),
    _mutant("two-stars-need-a-directory", "OWN-008", _GLOBS, _BLOCKED,
            "`**/` needs at least one directory.", _globs(_as_regex)),
    _mutant("dot-is-any-letter", "OWN-008", _GLOBS, _WRONG,
            "A glob becomes a regular expression whose dots match everything.", _globs(_unescaped)),
    _mutant("literal-owns-below", "OWN-008", _GLOBS, _WRONG,
            "A literal path owns what lies under it, as in 3.2.x.", _globs(_literal_owns)),
    _mutant("keeps-the-dot", "OWN-008", _GLOBS, _BLOCKED,
            "A leading `./` matches nothing, as in 3.2.x.", _globs(_keeps_dot)),
    _mutant("any-case", "OWN-008", _GLOBS, _WRONG,
            "Globs do not mind the case.", _globs(_any_case)),
    _mutant("globs-own-missions", "OWN-009", _STATE, _PASSED,
            "Mission state is judged by globs like every other file.", _GlobsOwnMissions),
    _mutant("own-mission-only", "OWN-009", _STATE, _PASSED,
            "Only the lane's own mission is protected.", _OwnMissionOnly),
    _mutant("state-files-only", "OWN-009", _STATE, _PASSED,
            "Only log and snapshot are protected.", _StateFilesOnly),
    _mutant("named-globs-own-missions", "OWN-009", _STATE, _PASSED,
            "A glob that names kitty-specs owns what is in it.", _NamedGlobsOwnMissions),
    _mutant("guards-the-main-checkout-too", "OWN-009", _STATE, _BLOCKED,
            "Mission state cannot be committed anywhere.", _GuardsTheMainCheckoutToo),
    _mutant("id-by-prefix", "OWN-010", _LONGER, _PASSED,
            "The first task file whose name begins with the id is taken (#354).", _ByPrefix),
    _mutant("id-by-the-last-prefix", "OWN-010", _LONGER, _PASSED,
            "The last task file whose name begins with the id is taken.", _ByTheLastPrefix),
    _mutant("status-by-prefix", "OWN-010", _SHARED, _BLOCKED,
            "The lane of a work package is that of any whose id begins alike.", _StatusByPrefix),
    _mutant("one-letter", "OWN-010", _LANES, _PASSED,
            "Only lanes of one letter are guarded (#354).", _OneLetter),
    _mutant("silent-fallback", "OWN-011", _FALLBACK, _WRONG,
            "Without a context nothing is said of it.", _SilentFallback),
    _mutant("unprotected-fallback", "OWN-011", _FALLBACK, _PASSED,
            "Without a context mission state is not protected.", _UnprotectedFallback),
    _mutant("fallback-claims-canonical", "OWN-011", _FALLBACK, _WRONG,
            "Without a context the answer says that canonical status was looked at.", _ClaimsCanonical),
    _mutant("torn-is-absent", "OWN-011", _TORN, _WRONG,
            "A context that cannot be read is passed over in silence.", _TornIsAbsent),
    _mutant("torn-falls-back", "OWN-011", _TORN, _PASSED,
            "A context that cannot be read passes for none at all, and the fallback applies.", _TornFallsBack),
]
# fmt: on
