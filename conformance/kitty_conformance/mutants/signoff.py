"""Mistakes in whether the latest reviews allow a mission to ship (clauses RAC-001 to RAC-007, STA-010)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kitty_reliability.formats.diagnostics import Diagnostic
from kitty_reliability.formats.frontmatter import split
from kitty_reliability.formats.lanes import Lane
from kitty_reliability.formats.profiles import SPEC_KITTY_32
from kitty_reliability.formats.reviews import (
    ReviewArtifact,
    ReviewFinding,
    ReviewFormatError,
    Verdict,
    cycles,
    parse_artifact,
    read_artifact,
)
from kitty_reliability.formats.snapshot import encode_snapshot
from kitty_reliability.implementations import protocol
from kitty_reliability.implementations.protocol import Outcome
from kitty_reliability.reference.signing import Signing, Standing

from .base import Mutant, Reference, declare, reference

__all__ = ["MUTANTS"]

_Look = tuple[Path, ReviewArtifact | None, str | None]


# --- which work packages, and which artifacts


class _OnlyDone(Signing):
    terminal = frozenset({Lane.DONE})


class _OnlyApproved(Signing):
    terminal = frozenset({Lane.APPROVED})


class _EveryLane(Signing):
    terminal = frozenset(Lane)


class _TheFirstOnly(Signing):
    def standings(self) -> list[Standing]:
        return super().standings()[:1]


class _MergedIsApproved(Signing):
    def finding(self, standing: Standing) -> Diagnostic | None:
        row = self.reducer.row_in_force(standing.work_package)
        evidence = (row.data.get("evidence") or {}).get("review", {}) if row else {}
        return None if evidence.get("verdict") == "approved" else super().finding(standing)


class _ByPrefix(Signing):
    def is_of(self, name: str, work_package: str) -> bool:
        return name.startswith(work_package)


class _WithASlugOnly(Signing):
    def is_of(self, name: str, work_package: str) -> bool:
        return name.startswith(f"{work_package}-")


class _InTheMainCheckout(Signing):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        tasks = self.paths.tasks
        self._beside = sorted(tasks.iterdir()) if tasks.is_dir() else []


class _NewestFile(Signing):
    def latest_in(self, directory: Path) -> Path | None:
        return max(cycles(directory).values(), key=lambda path: path.lstat().st_mtime, default=None)


class _ByName(Signing):
    def latest_in(self, directory: Path) -> Path | None:
        return max(cycles(directory).values(), key=lambda path: path.name, default=None)


class _ByCount(Signing):
    def latest_in(self, directory: Path) -> Path | None:
        found = cycles(directory)
        return found.get(len(found))


class _FirstDirectory(Signing):
    def latest(self, work_package: str) -> list[Path]:
        own = [path for path in self._beside if self.is_of(path.name, work_package)]
        return [latest for path in own if (latest := self.latest_in(path)) is not None][:1]


class _AnyName(Signing):
    def latest_in(self, directory: Path) -> Path | None:
        return max(directory.glob("review-cycle-*"), default=None, key=lambda path: (len(path.name), path.name))


# --- which of two sources


class _ByTheEvent(Signing):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.profile = replace(self.profile, artifact_decides=False)


class _HidesTheEvent(Signing):
    def standing(self, work_package: str) -> Standing:
        return replace(super().standing(work_package), event=None)


class _HidesTheArtifact(_ByTheEvent):
    def shown(self, path: Path | None) -> str | None:  # noqa: ARG002
        return None


class _ByEither(Signing):
    def finding(self, standing: Standing) -> Diagnostic | None:
        found = super().finding(standing)
        terminal = standing.lane in self.terminal and not standing.overridden
        if found is None and terminal and standing.event == "changes_requested":
            return self.rejection(standing, standing.event)
        return found


# --- overrides


class _NoOverride(Signing):
    def overridden(self, work_package: str, slots: Mapping[str, Any], artifact: ReviewArtifact | None) -> bool:  # noqa: ARG002
        return False


class _PartialCounts(Signing):
    def overridden(self, work_package: str, slots: Mapping[str, Any], artifact: ReviewArtifact | None) -> bool:
        given = artifact is not None and (artifact.override_actor or artifact.override_reason)
        return bool(slots.get("review") or given) or super().overridden(work_package, slots, artifact)


class _OnceOverridden(Signing):
    def overridden(self, work_package: str, slots: Mapping[str, Any], artifact: ReviewArtifact | None) -> bool:
        given = [row.delta.get("review") or {} for row in self.reducer.annotations(work_package)]
        whole = any(all(review.values()) for review in given if review.get("wp_id") == work_package)
        return whole or super().overridden(work_package, slots, artifact)


class _AnyWorkPackages(Signing):
    def overridden(self, work_package: str, slots: Mapping[str, Any], artifact: ReviewArtifact | None) -> bool:
        mine = super().overridden(work_package, slots, artifact)
        slot = slots.get("review") or {}
        return mine or super().overridden(slot.get("wp_id", work_package), slots, artifact)


class _OfTheMission(Signing):
    def finding(self, standing: Standing) -> Diagnostic | None:
        known = self.reducer.work_packages
        return None if any(self.standing(name).overridden for name in known) else super().finding(standing)


class _OfAnyArtifact(Signing):
    def overridden(self, work_package: str, slots: Mapping[str, Any], artifact: ReviewArtifact | None) -> bool:
        if super().overridden(work_package, slots, artifact):
            return True
        directories = [path for path in self._beside if path.is_dir() and self.is_of(path.name, work_package)]
        found = [read_artifact(path, SPEC_KITTY_32) for each in directories for path in cycles(each).values()]
        return any(one.has_complete_override for one in found)


# --- what cannot be gone by


class _Passes(Signing):
    findings: frozenset[ReviewFinding]

    def look(self, work_package: str, path: Path) -> _Look:
        try:
            self.read(path)
        except ReviewFormatError as error:
            if error.finding in self.findings:
                return path, self.instead(path), None
        return super().look(work_package, path)

    def instead(self, path: Path) -> ReviewArtifact | None:  # noqa: ARG002
        return ReviewArtifact(1, self.paths.slug, "WP01", "x", "x", "x", Verdict.APPROVED)


class _ProsePasses(_Passes):
    findings = frozenset({ReviewFinding.NO_FRONTMATTER})


class _MarkersPass(_Passes):
    findings = frozenset({ReviewFinding.CONFLICT_MARKERS})


class _UnknownWordsPass(_Passes):
    findings = frozenset({ReviewFinding.UNKNOWN_VERDICT, ReviewFinding.WRONG_TYPE})


class _LinksToNowherePass(_Passes):
    findings = frozenset({ReviewFinding.UNREADABLE})


class _EarlierOnesDo(Signing):
    def latest_in(self, directory: Path) -> Path | None:
        for path in reversed(cycles(directory).values()):
            try:
                self.read(path)
            except ReviewFormatError:
                continue
            return path
        return None


class _InAnyCase(Signing):
    def read(self, path: Path) -> ReviewArtifact:
        try:
            return super().read(path)
        except ReviewFormatError as error:
            parts = split(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else None
            if parts is None or error.finding is not ReviewFinding.UNKNOWN_VERDICT:
                raise
            return parse_artifact(f"---\n{parts[0].replace('REJECTED', 'approved')}\n---\n{parts[1]}".encode())


class _AllAreRejections(Signing):
    def malformed(self, standing: Standing) -> Diagnostic:
        return self.rejection(standing, "rejected")


class _MalformedWithoutAPath(Signing):
    def malformed(self, standing: Standing) -> Diagnostic:
        found = super().malformed(standing)
        return Diagnostic(found.code, {**found.fields, "latest_review_cycle_path": None, "source": "artifact"})


# --- what is said


class _WithoutNames(Signing):
    without: tuple[str, ...]

    def told(self, code: str, standing: Standing, verdict: str | None, **more: Any) -> Diagnostic:
        found = super().told(code, standing, verdict, **more)
        return Diagnostic(code, {**found.fields, **dict.fromkeys(self.without)})


class _WithoutAPath(_WithoutNames):
    without = ("latest_review_cycle_path",)


class _WithoutAMission(_WithoutNames):
    without = ("mission_slug",)


class _WithoutAVerdict(_WithoutNames):
    without = ("latest_review_cycle_verdict",)


class _ThePathOfTheFirst(Signing):
    def shown(self, path: Path | None) -> str | None:
        return super().shown(None if path is None else path.with_name("review-cycle-1.md"))


class _EndsWell(Reference):
    def signoff(self, request: protocol.Signoff) -> Outcome:
        outcome = super().signoff(request)
        return Outcome.success(protocol.SignoffAnswer.model_validate({**outcome.value, "blocked": False}))


class _WritesTheSnapshot(Reference):
    def signoff(self, request: protocol.Signoff) -> Outcome:
        self.workflow.materialize(request.root, request.mission)
        return super().signoff(request)


class _KeepsAReport(Signing):
    def warnings(self, standing: Standing) -> Iterator[Diagnostic]:
        if self.finding(standing) is not None:
            (self.paths.directory / "signoff.json").write_bytes(encode_snapshot({"blocked": True}))
        return super().warnings(standing)


_OVERRIDES, _MALFORMED = (
    "test_a_complete_override_clears_until_it_is_taken_back",
    "test_an_artifact_that_is_malformed_fails_closed",
)
_HIGHEST, _NAMES = "test_the_highest_number_is_the_latest", "test_the_finding_names_what_it_is_about"
_SOURCES = "test_one_of_two_contradicting_sources_decides_and_both_are_shown"
_PASSED, _BLOCKED, _UNNAMED = "unsafe-passed", "safe-blocked", "wrong-diagnostic"


def _signs(name: str, clause: str, scenario: str, finding: str, mistake: str, how: type) -> type[Mutant]:
    adapter = how if issubclass(how, Reference) else reference(signing_class=how)
    return declare(clause, name, scenario, finding, mistake, adapter=adapter)


# fmt: off
MUTANTS: list[type[Mutant]] = [
    _signs("signoff-of-done-only", "RAC-001", "test_an_approved_work_package_that_was_rejected_blocks", _PASSED,
           "Only what is done is looked at.", _OnlyDone),
    _signs("signoff-of-every-lane", "RAC-001", "test_work_that_goes_on_blocks_nothing", _BLOCKED,
           "A rejected work package blocks in whatever lane it is.", _EveryLane),
    _signs("signoff-of-the-first", "RAC-001", "test_an_approved_work_package_that_was_rejected_blocks", _PASSED,
           "Only the first work package is looked at.", _TheFirstOnly),
    _signs("signoff-by-prefix", "RAC-001", "test_a_work_package_has_its_own_reviews", _BLOCKED,
           "The artifacts of WP010 are taken for WP01's (#354).", _ByPrefix),
    _signs("signoff-wants-a-slug", "RAC-001", "test_a_work_package_has_its_own_reviews", "wrong-copy",
           "A directory that is named by the id alone is not found.", _WithASlugOnly),
    _signs("signoff-in-the-main-checkout", "RAC-001", "test_the_reviews_are_those_beside_the_log", _BLOCKED,
           "Artifacts are read in the main checkout, also when they are on a coordination branch (#2885).",
           _InTheMainCheckout),
    _signs("signoff-of-approved-only", "RAC-002", "test_a_done_work_package_that_was_rejected_blocks", _PASSED,
           "Only what is approved is looked at; done is forgotten.", _OnlyApproved),
    _signs("signoff-takes-a-merge-for-an-approval", "RAC-002", "test_a_done_work_package_that_was_rejected_blocks",
           _PASSED, "The evidence that a merge writes counts as the approval of a review.", _MergedIsApproved),
    _signs("signoff-of-the-newest-file", "RAC-003", _HIGHEST, _PASSED,
           "The latest artifact is the file that was changed last (#904).", _NewestFile),
    _signs("signoff-by-name", "RAC-003", _HIGHEST, _PASSED,
           "Artifacts are put in order by their names, in which 9 comes after 10.", _ByName),
    _signs("signoff-by-count", "RAC-003", _HIGHEST, _PASSED,
           "The latest artifact is the one whose number is how many there are; gaps hide it.", _ByCount),
    _signs("signoff-of-the-first-directory", "RAC-003", "test_the_highest_number_of_two_directories_is_the_latest",
           _PASSED, "Of two directories of a work package the first by name is looked at.", _FirstDirectory),
    _signs("signoff-of-any-name", "RAC-003", "test_only_a_number_makes_an_artifact", _BLOCKED,
           "A draft or an editor's copy beside the artifacts counts as one.", _AnyName),
    _signs("signoff-by-the-event", "RAC-004", _SOURCES, _PASSED,
           "The event decides although the profile goes by the artifact (#2996).", _ByTheEvent),
    _signs("signoff-hides-the-event", "RAC-004", _SOURCES, _UNNAMED,
           "What the event says is not shown where the artifact decides.", _HidesTheEvent),
    _signs("signoff-by-either", "RAC-004", _SOURCES, _BLOCKED,
           "A rejection by the source that does not decide blocks as well.", _ByEither),
    _signs("signoff-without-overrides", "RAC-005", _OVERRIDES, _BLOCKED,
           "A complete override clears nothing.", _NoOverride),
    _signs("signoff-once-overridden", "RAC-005", _OVERRIDES, _PASSED,
           "An override that was taken back still counts (#2684).", _OnceOverridden),
    _signs("signoff-of-an-overridden-mission", "RAC-005", _OVERRIDES, _PASSED,
           "One override clears the gate for every work package.", _OfTheMission),
    _signs("signoff-takes-partial-overrides", "RAC-005", "test_a_partial_override_clears_nothing", _PASSED,
           "An override without a reason or an actor counts.", _PartialCounts),
    _signs("signoff-takes-foreign-overrides", "RAC-005", "test_an_override_of_another_work_package_clears_nothing",
           _PASSED, "An override that says it is about another work package counts.", _AnyWorkPackages),
    _signs("signoff-takes-overrides-of-old-artifacts", "RAC-005",
           "test_an_override_of_an_earlier_artifact_is_no_override_of_the_latest", _PASSED,
           "The override of any artifact clears the latest one.", _OfAnyArtifact),
    _signs("signoff-takes-prose", "RAC-006", _MALFORMED, _PASSED,
           "An artifact without frontmatter is no rejection, so it passes (#963).", _ProsePasses),
    _signs("signoff-takes-conflict-markers", "RAC-006", _MALFORMED, _PASSED,
           "An artifact that a merge left in two versions passes.", _MarkersPass),
    _signs("signoff-takes-unknown-words", "RAC-006", _MALFORMED, _PASSED,
           "A verdict in another word than rejected passes (#3244).", _UnknownWordsPass),
    _signs("signoff-takes-words-in-any-case", "RAC-006", _MALFORMED, _PASSED,
           "A verdict in capitals is taken for one that approves.", _InAnyCase),
    _signs("signoff-falls-back-to-earlier-artifacts", "RAC-006", _MALFORMED, _PASSED,
           "What cannot be read is passed over for the artifact before it.", _EarlierOnesDo),
    _signs("signoff-takes-links-to-nowhere", "RAC-006", "test_an_artifact_that_cannot_be_read_fails_closed", _PASSED,
           "An artifact that cannot be read is none.", _LinksToNowherePass),
    _signs("signoff-knows-rejections-only", "RAC-006", _MALFORMED, "damage-unreported",
           "What cannot be read is told as a rejection, which nobody wrote.", _AllAreRejections),
    _signs("signoff-of-a-malformed-one-without-a-path", "RAC-006", _MALFORMED, _UNNAMED,
           "The finding about a malformed artifact does not say which file it is.", _MalformedWithoutAPath),
    _signs("signoff-without-a-path", "RAC-007", _NAMES, _UNNAMED,
           "The finding has no path.", _WithoutAPath),
    _signs("signoff-without-a-mission", "RAC-007", _NAMES, _UNNAMED,
           "The finding does not name the mission.", _WithoutAMission),
    _signs("signoff-without-a-verdict", "RAC-007", _NAMES, _UNNAMED,
           "The finding does not say what the verdict is.", _WithoutAVerdict),
    _signs("signoff-with-the-first-path", "RAC-007", _NAMES, _UNNAMED,
           "The path is that of the first artifact, not of the one that rejects.", _ThePathOfTheFirst),
    _signs("signoff-ends-well", "RAC-007", "test_the_command_says_so_by_its_exit_status", _PASSED,
           "The findings are listed, and the command ends as if there were none.", _EndsWell),
    _signs("signoff-writes-the-snapshot", "STA-010", "test_signoff_changes_nothing", "read-changed-state",
           "The check writes status.json (#2934).", _WritesTheSnapshot),
    _signs("signoff-keeps-a-report", "STA-010", "test_signoff_changes_nothing", "read-changed-state",
           "A signoff that blocks leaves a report in the mission.", _KeepsAReport),
]
# fmt: on
