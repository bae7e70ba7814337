"""Mistakes with prompts (clauses RPM-001 to RPM-009, and SEC-005): each is a line or two that somebody wrote once."""

from __future__ import annotations

import os
import re
import stat
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from kitty_reliability.formats.diagnostics import DiagnosticError, diagnostic
from kitty_reliability.formats.frontmatter import split
from kitty_reliability.formats.prompts import PROMPT_FIELDS, PROMPTS_DIRECTORY, PromptMetadata, prompt_path
from kitty_reliability.implementations.protocol import Dispatch, Outcome, OutcomeKind, Prompt
from kitty_reliability.reference.files import replace_file
from kitty_reliability.reference.prompts import PromptIdentity, Prompts

from .base import Mutant, Reference, declare, mutant, reference

__all__ = ["MUTANTS"]

_MISMATCH = "REVIEW_PROMPT_METADATA_MISMATCH"


# --- writing


class _Overwrites(Prompts):
    def create(self, path: Path, data: bytes) -> None:
        replace_file(path, data)
        path.chmod(0o600)

    def _read_back(self, path: Path, metadata: PromptMetadata) -> None:
        pass


class _OnePath(_Overwrites):
    def path(self, temporary: Path, identity: PromptIdentity, invocation: str) -> Path:  # noqa: ARG002
        return temporary / PROMPTS_DIRECTORY / f"review-{identity.work_package_id}.md"


class _BySecond(_Overwrites):
    def invocation(self) -> str:
        return str(int(time.time()))


class _ByNanosecond(_Overwrites):
    def invocation(self) -> str:
        return str(time.time_ns())


class _OnePathAWorkPackage(_Overwrites):
    def invocation(self) -> str:
        return "prompt"


class _PrunesItsNeighbours(Prompts):
    def _prune(self, path: Path) -> None:
        found = sorted(path.parents[2].rglob("*.md"), key=lambda other: other.stat().st_mtime_ns)
        for other in found[:-20]:
            other.unlink()


class _KeepsTheOldest(Prompts):
    def _prune(self, path: Path) -> None:
        found = sorted(path.parent.glob("*.md"), key=lambda other: other.stat().st_mtime_ns)
        for other in found[20:]:
            if other != path:
                other.unlink()


class _PrunesTheMission(Prompts):
    def _prune(self, path: Path) -> None:
        found = sorted(path.parents[1].glob("*/*.md"), key=lambda other: other.stat().st_mtime_ns)
        for other in found[:-20]:
            other.unlink()


class _PrunesByName(Prompts):
    """Has repositories of one name share a directory, which is pruned."""

    def path(self, temporary: Path, identity: PromptIdentity, invocation: str) -> Path:
        found = super().path(temporary, identity, invocation)
        return temporary / PROMPTS_DIRECTORY / Path(identity.repo_root).name / found.relative_to(found.parents[2])

    def _prune(self, path: Path) -> None:
        found = sorted(path.parent.glob("*.md"), key=lambda other: other.stat().st_mtime_ns)
        for other in found[:-20]:
            other.unlink()


class _MadeAtNoTime(Prompts):
    def encode(self, metadata: PromptMetadata, body: str) -> bytes:
        return super().encode(replace(metadata, created_at=""), body)

    def _read_back(self, path: Path, metadata: PromptMetadata) -> None:
        pass


class _TrustsItsGroup(Prompts):
    def require_private(self, temporary: Path, directory: Path) -> None:
        try:
            super().require_private(temporary, directory)
        except DiagnosticError:
            places = [place for place in (directory, *directory.parents) if place.is_relative_to(temporary)]
            modes = [place.lstat().st_mode for place in places if os.path.lexists(place)]
            if any(stat.S_ISLNK(mode) or mode & 0o002 for mode in modes):
                raise
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)


class _WorktreeAsSpelled(Prompts):
    def identity(self, request: Prompt | Dispatch) -> PromptIdentity:
        found = super().identity(request)
        return found if request.lane_worktree is None else replace(found, lane_worktree=request.lane_worktree)


class _SanitisesTwoNamesToOne(Prompts):
    def path(self, temporary: Path, identity: PromptIdentity, invocation: str) -> Path:
        names = identity.repo_root, identity.mission_slug, identity.work_package_id
        return prompt_path(temporary, *names, invocation)


class _Plain(Prompts):
    def encode(self, metadata: PromptMetadata, body: str) -> bytes:
        lines = [f"{name}: {value}" for name, value in metadata.as_dict().items()]
        return "\n".join(["---", *lines, "---", "", body]).encode()

    def _read_back(self, path: Path, metadata: PromptMetadata) -> None:
        pass


class _ShellQuoted(_Plain):
    def encode(self, metadata: PromptMetadata, body: str) -> bytes:
        lines = [f"{name}: '{value}'" for name, value in metadata.as_dict().items()]
        return "\n".join(["---", *lines, "---", "", body]).encode()


class _TenFields(_Plain):
    def encode(self, metadata: PromptMetadata, body: str) -> bytes:
        return re.sub(rb"\nbase_ref: .*", b"", Prompts.encode(self, metadata, body))


class _Readable(Prompts):
    def create(self, path: Path, data: bytes) -> None:
        super().create(path, data)
        path.chmod(0o644)


class _TrustsDirectories(Prompts):
    def require_private(self, temporary: Path, directory: Path) -> None:  # noqa: ARG002
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)


class _TrustsTheWorkPackage(Prompts):
    def write(self, request: Prompt) -> PromptMetadata:
        if "\0" in request.work_package or not request.work_package.strip("."):
            return super().write(request)
        metadata = super().write(request.model_copy(update={"work_package": "WP01"}))
        place = Path(metadata.prompt_path).parents[1] / request.work_package
        place.mkdir(parents=True, exist_ok=True)
        return metadata if request.work_package == "WP01" else replace(metadata, prompt_path=str(place / "x.md"))


class _AsSpelled(Prompts):
    def identity(self, request: Prompt | Dispatch) -> PromptIdentity:
        return replace(super().identity(request), repo_root=request.root)


class _WritesAsSpelled(Prompts):
    def identity(self, request: Prompt | Dispatch) -> PromptIdentity:
        found = super().identity(request)
        return replace(found, repo_root=request.root) if isinstance(request, Dispatch) else found


class _OnlyReviewsAreApart(_Overwrites):
    def write(self, request: Prompt) -> PromptMetadata:
        if request.kind == "review":
            return super().write(request)
        return _OnePath(self.workflow).write(request)


class _OnlyReviewsArePrivate(Prompts):
    def write(self, request: Prompt) -> PromptMetadata:
        metadata = super().write(request)
        if request.kind != "review":
            Path(metadata.prompt_path).chmod(0o644)
        return metadata


# --- dispatching


class _Ignores(Prompts):
    """Takes what differs in some fields for right."""

    fields: frozenset[str] = frozenset()

    def dispatch(self, request: Dispatch) -> None:
        try:
            super().dispatch(request)
        except DiagnosticError as error:
            told = error.diagnostic
            if told.code != _MISMATCH or not set(told.fields["differing"].split(", ")) <= self.fields:
                raise


class _BelievesThePrompt(Prompts):
    """Lets what the launcher passes on stand for what was asked for."""

    def known(self, request: Dispatch) -> dict[str, str]:
        return {**super().known(request), **request.requested}


def _comparing(likened: Callable[[str], str]) -> type[Prompts]:
    class Likens(_Explains):
        """Takes values for equal that are alike."""

        def told(self, fields: dict[str, Any]) -> dict[str, Any]:
            return fields

        def dispatch(self, request: Dispatch) -> None:
            try:
                super().dispatch(request)
            except DiagnosticError as error:
                told = error.diagnostic
                names = str(told.fields.get("differing", "")).split(", ")
                contexts = [told.fields.get(key, {}) for key in ("requested_context", "prompt_context")]
                if told.code != _MISMATCH or any(
                    likened(contexts[0][name]) != likened(contexts[1][name]) for name in names
                ):
                    raise

    return Likens


class _SucceedsForScripts(Reference):
    """Says ``REFUSED`` and ends with 0."""

    def answer(self, request: Any) -> Outcome:
        outcome = super().answer(request)
        if request.operation == "dispatch" and outcome.declined and "mutants" in str(sys.argv[0]):
            return Outcome(OutcomeKind.OK, {"prompt_path": request.prompt_path, **outcome.value})
        return outcome


def _ignoring(*names: str) -> type[Prompts]:
    return type("_IgnoresSome", (_Ignores,), {"fields": frozenset(names)})


class _Explains(Prompts):
    """Changes what is told of a refusal."""

    def told(self, fields: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def dispatch(self, request: Dispatch) -> None:
        try:
            super().dispatch(request)
        except DiagnosticError as error:
            raise diagnostic(error.diagnostic.code, **self.told(dict(error.diagnostic.fields))) from None


class _WithoutPromptContext(_Explains):
    def told(self, fields: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in fields.items() if key != "prompt_context"}


class _ShowsTheFirst(_Explains):
    def told(self, fields: dict[str, Any]) -> dict[str, Any]:
        first = str(fields["differing"]).split(", ")[0]
        shown = {name: {first: fields[name][first]} for name in ("requested_context", "prompt_context")}
        return {**fields, **shown}


class _TakesTheNewest(Prompts):
    def dispatch(self, request: Dispatch) -> None:
        try:
            super().dispatch(request)
        except DiagnosticError:
            found = [path for path in Path(request.prompt_path).parent.glob("*.md") if path.is_file()]
            others = sorted(found, key=lambda path: path.stat().st_mtime_ns)
            if not others or str(others[-1]) == request.prompt_path:
                raise
            super().dispatch(request.model_copy(update={"prompt_path": str(others[-1]), "requested": {}}))


class _OneCode(Prompts):
    def dispatch(self, request: Dispatch) -> None:
        try:
            super().dispatch(request)
        except DiagnosticError as error:
            raise diagnostic(_MISMATCH, **error.diagnostic.fields) from None


def _lets_pass(*codes: str) -> type[Prompts]:
    class LetsPass(Prompts):
        def dispatch(self, request: Dispatch) -> None:
            try:
                super().dispatch(request)
            except DiagnosticError as error:
                if error.diagnostic.code not in codes:
                    raise

    return LetsPass


class _OnlyReviewsAreCompared(Prompts):
    def dispatch(self, request: Dispatch) -> None:
        data = Path(request.prompt_path)
        if not data.is_file() or b"# Implement" not in data.read_bytes():
            super().dispatch(request)


def _loading(load: Callable[[str], Any]) -> type[Prompts]:
    """Return prompts that are read by ``load`` where that gives all fields."""

    class Loads(Prompts):
        def read(self, path: Path, requested: Mapping[str, str]) -> Mapping[str, str]:
            parts = split(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else None
            if parts is None:
                return super().read(path, requested)
            values = load(parts[0])
            return {name: str(values.get(name)) for name in PROMPT_FIELDS}

    return Loads


def _by_lines(text: str) -> dict[str, str]:
    pairs = (line.partition(": ")[::2] for line in text.splitlines() if ": " in line)
    return {key: value.strip("'\"") for key, value in pairs}


class _DiesOfATaskFile(Reference):
    """Answers of a transition what a careless reader of task files makes of it."""

    def transition(self, request: Any) -> Outcome:
        for path in Path(request.root, "kitty-specs", request.mission, "tasks").glob(f"{request.work_package}*"):
            parts = split(path.read_text(encoding="utf-8"))
            yaml.unsafe_load(parts[0] if parts else "")
        return super().transition(request)


def _rpm(clause: str, name: str, scenario: str, finding: str, mistake: str, broken: type[Prompts]) -> type[Mutant]:
    return declare(clause, name, scenario, finding, mistake, adapter=reference(prompts_class=broken))


# fmt: off
MUTANTS: list[type[Mutant]] = [
    _rpm("RPM-004", "prompt-at-one-path", "test_prompts_that_are_asked_for_at_once_are_apart", "path-shared",
         "The prompt's path is made of the work package only (#949).", _OnePath),
    _rpm("RPM-004", "prompt-by-second", "test_prompts_that_are_asked_for_at_once_are_apart", "path-shared",
         "An invocation is called by the second that it was asked in.", _BySecond),
    _rpm("RPM-004", "prompt-by-nanosecond", "test_prompts_that_are_asked_for_at_once_are_apart", "path-shared",
         "An invocation is called by the nanosecond, which a coarse clock gives to several.", _ByNanosecond),
    _rpm("RPM-004", "keeps-the-oldest-prompts", "test_old_prompts_go_and_no_others", "overwritten",
         "Retention sorts the wrong way round, and the newest ones go.", _KeepsTheOldest),
    _rpm("RPM-004", "prunes-the-mission", "test_old_prompts_go_and_no_others", "overwritten",
         "The newest twenty prompts of the mission are kept, of whichever work package.", _PrunesTheMission),
    _rpm("RPM-004", "prunes-by-the-name-of-a-repository", "test_old_prompts_go_and_no_others", "overwritten",
         "Two repositories of one name have one directory, and the one prunes what the other wrote.", _PrunesByName),
    _rpm("RPM-004", "prompt-overwritten", "test_an_existing_prompt_is_never_overwritten", "path-shared",
         "A work package has one prompt, and the next one replaces it.", _OnePathAWorkPackage),
    _rpm("RPM-004", "prunes-its-neighbours", "test_old_prompts_go_and_no_others", "overwritten",
         "The newest twenty prompts of the repository are kept, whosever they are.", _PrunesItsNeighbours),
    _rpm("RPM-005", "prompt-unquoted", "test_a_value_that_looks_like_yaml_reads_back", "identity-differs",
         "Values go into YAML as they are: 0123, 1e3, true and null come back as something else.", _Plain),
    _rpm("RPM-005", "prompt-quoted-by-hand", "test_a_path_of_any_letters_reads_back", "identity-differs",
         "Values are put between quotes, which does for all but those with a quote or a newline.", _ShellQuoted),
    _rpm("RPM-005", "prompt-of-ten-fields", "test_a_mission_id_of_digits_or_none_reads_back", "identity-differs",
         "One of the eleven fields is answered and not written.", _TenFields),
    _rpm("RPM-005", "prompt-made-at-no-time", "test_a_mission_id_of_digits_or_none_reads_back", "identity-differs",
         "A field is there and says nothing.", _MadeAtNoTime),
    _rpm("RPM-007", "prompt-in-a-directory-of-a-group", "test_a_directory_of_others_is_not_used", "not-private",
         "Only what everybody can write to counts as open.", _TrustsItsGroup),
    _rpm("RPM-007", "names-sanitised-to-one", "test_names_of_one_text_do_not_reach_each_other", "path-shared",
         "Two missions whose names become one text in a path have one directory.", _SanitisesTwoNamesToOne),
    _rpm("RPM-007", "prompt-world-readable", "test_a_prompt_is_its_owners_alone", "not-private",
         "The prompt has the mode of any file: everybody reads it.", _Readable),
    _rpm("RPM-007", "prompt-behind-a-link", "test_a_linked_directory_is_not_followed", "escaped-root",
         "A directory on the way is a link that somebody put there, and it is followed.", _TrustsDirectories),
    _rpm("RPM-007", "prompt-in-a-directory-of-others", "test_a_directory_of_others_is_not_used", "not-private",
         "A directory that everybody can write to is taken as it is.", _TrustsDirectories),
    _rpm("RPM-007", "prompt-named-by-a-way-out", "test_no_name_leads_out_of_the_directory_of_prompts", "escaped-root",
         "The work package's id is joined to a path before anybody looks at it.", _TrustsTheWorkPackage),
    _rpm("RPM-008", "repository-as-spelled", "test_one_repository_has_one_identity", "identity-differs",
         "The repository is who the request says it is, link, slash and all.", _AsSpelled),
    _rpm("RPM-008", "dispatch-as-spelled", "test_one_repository_has_one_identity", "legal-refused",
         "Prompts name the resolved repository, and dispatch compares that with what was typed.", _WritesAsSpelled),
    _rpm("RPM-008", "worktree-as-spelled", "test_one_repository_has_one_identity", "identity-differs",
         "The repository is resolved, and the worktree is where the request says it is.", _WorktreeAsSpelled),
    _rpm("RPM-009", "only-reviews-are-apart", "test_prompts_of_every_kind_are_apart", "overwritten",
         "The review prompt was mended, and the implement prompt has the old path still (#1831).",
         _OnlyReviewsAreApart),
    _rpm("RPM-009", "only-reviews-are-private", "test_prompts_of_every_kind_are_apart", "not-private",
         "The review prompt was made private, and its sibling was not.", _OnlyReviewsArePrivate),
    _rpm("RPM-009", "only-reviews-are-compared", "test_prompts_of_every_kind_are_compared", "wrongly-dispatched",
         "The check stands where reviewers are launched, and nowhere else (#2032).", _OnlyReviewsAreCompared),
    _rpm("RPM-001", "compares-the-slug-only", "test_the_prompt_of_another_is_not_dispatched", "wrongly-dispatched",
         "Mission and work package are compared, and the repository is not (#949).",
         _ignoring("repo_root", "lane_worktree", "mission_id", "mission_branch", "lane_branch")),
    _rpm("RPM-001", "ignores-the-worktree", "test_the_prompt_of_another_is_not_dispatched", "wrongly-dispatched",
         "The reviewer is sent to whichever worktree the prompt names.", _ignoring("lane_worktree")),
    _rpm("RPM-001", "ignores-the-mission", "test_a_prompt_that_names_another_is_not_dispatched", "wrongly-dispatched",
         "The work package's id decides; every mission has a WP01.", _ignoring("mission_slug", "mission_id")),
    _rpm("RPM-001", "believes-the-prompt", "test_the_prompt_of_another_is_not_dispatched", "wrongly-dispatched",
         "The launcher passes on what the prompt says, and that is compared with the prompt.", _BelievesThePrompt),
    _rpm("RPM-002", "compares-without-case", "test_a_likeness_is_a_difference", "wrongly-dispatched",
         "Upper and lower case are the same, for the sake of one file system.", _comparing(str.casefold)),
    _rpm("RPM-002", "compares-without-blanks", "test_a_likeness_is_a_difference", "wrongly-dispatched",
         "Both sides are stripped before they are compared.", _comparing(str.strip)),
    mutant("dispatch-succeeds-for-scripts", clause="RPM-002", scenario="test_a_script_is_told_as_well",
           finding="wrongly-dispatched", adapter=_SucceedsForScripts,
           mistake="The command prints the diagnostic, and ends with 0."),
    _rpm("RPM-002", "ignores-the-base", "test_any_difference_prevents_the_dispatch", "wrongly-dispatched",
         "The refs are not part of the identity, it was said.", _ignoring("base_ref", "mission_branch")),
    _rpm("RPM-002", "dispatches-the-newest", "test_there_is_no_fallback", "wrongly-dispatched",
         "The prompt does not do, so the newest one beside it is taken.", _TakesTheNewest),
    _rpm("RPM-002", "keeps-the-prompts-word-back", "test_any_difference_prevents_the_dispatch", "wrong-diagnostic",
         "The diagnostic says what was asked for, and not what the prompt says.", _WithoutPromptContext),
    _rpm("RPM-002", "shows-the-first-difference", "test_every_difference_is_shown", "wrong-diagnostic",
         "The comparison ends at the first field that differs.", _ShowsTheFirst),
    _rpm("RPM-006", "no-prompt-no-difference", "test_what_is_no_prompt_is_refused", "wrongly-dispatched",
         "A prompt that is missing or empty differs in nothing.",
         _lets_pass("REVIEW_PROMPT_MISSING", "REVIEW_PROMPT_EMPTY")),
    _rpm("RPM-006", "dispatches-the-old-kind", "test_what_is_no_prompt_is_refused", "wrongly-dispatched",
         "A prompt without frontmatter is one of an older version, and is let pass.",
         _lets_pass("REVIEW_PROMPT_NO_FRONTMATTER")),
    _rpm("RPM-006", "missing-is-a-mismatch", "test_what_is_no_prompt_is_refused", "wrong-diagnostic",
         "Whatever is wrong with a prompt has one code.", _OneCode),
    _rpm("SEC-005", "prompt-obeys-its-tags", "test_a_hostile_prompt_is_an_error", "escaped-root",
         "The loader that makes objects reads a file that anybody wrote.", _loading(yaml.unsafe_load)),
    _rpm("SEC-005", "prompt-read-line-by-line", "test_a_hostile_prompt_is_an_error", "wrongly-dispatched",
         "The frontmatter is cut at its colons, and whatever else it holds is not looked at.", _loading(_by_lines)),
    mutant("task-file-obeys-its-tags", clause="SEC-005", scenario="test_a_hostile_task_file_is_told",
           finding="escaped-root", adapter=_DiesOfATaskFile,
           mistake="The loader that makes objects reads the task file."),
]
# fmt: on
