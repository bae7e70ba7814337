"""Signoff: whether the latest reviews allow a mission to ship (interop: sections 1.6, 9.2; clauses RAC-001 to RAC-007).

Two sources say what a review came to: the artifact with the highest number, and the event that the log reduces to. Both
are read for every work package, and both are shown; the profile says which decides. Nothing is written. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kitty_reliability.formats.diagnostics import Diagnostic
from kitty_reliability.formats.lanes import Lane
from kitty_reliability.formats.mission import MissionPaths
from kitty_reliability.formats.profiles import SPEC_KITTY_32, Profile
from kitty_reliability.formats.reviews import (
    EVENT_VERDICTS,
    EventVerdict,
    ReviewArtifact,
    ReviewFinding,
    ReviewFormatError,
    Verdict,
    cycle_number,
    latest_cycle,
    read_artifact,
)
from kitty_reliability.formats.work_package import work_package_files

from .reducer import Reducer

__all__ = ["Signing", "Standing"]

_OVERRIDE_WP: Final = "review_artifact_override_wp_id"
_OVERRIDE_KEYS: Final = ("at", "actor", "wp_id", "reason")


@dataclass(frozen=True, slots=True)
class Standing:
    """What the latest artifact and the latest event say about one work package.

    ``problem`` says why the artifact at ``path`` cannot be gone by; ``event`` is the verdict of ``review_result``.
    """

    work_package: str
    lane: Lane | None
    path: Path | None = None
    artifact: ReviewArtifact | None = None
    problem: str | None = None
    event: str | None = None
    overridden: bool = False

    @property
    def verdict(self) -> Verdict | None:
        """The verdict of the artifact."""
        return None if self.artifact is None else self.artifact.verdict

    @property
    def contradicts(self) -> bool:
        """Whether artifact and event say different things."""
        return self.verdict is not None and self.event not in (None, EVENT_VERDICTS[self.verdict])


class Signing:
    """Judges the reviews of one mission under a profile.

    Arguments:
        paths: the mission.
        profile: says which of artifact and event decides.
        reducer: what the mission's log adds up to.
    """

    #: Work packages in these lanes are about to ship.
    terminal: Collection[Lane] = frozenset({Lane.APPROVED, Lane.DONE})

    def __init__(self, paths: MissionPaths, profile: Profile, reducer: Reducer) -> None:
        self.paths = paths
        self.profile = profile
        self.reducer = reducer
        # Artifacts are beside the log, wherever the topology has it (interop: section 1.10).
        tasks = paths.log.parent / paths.tasks.name
        self._beside = sorted(tasks.iterdir()) if tasks.is_dir() else []

    def standings(self) -> list[Standing]:
        """Return the standing of every work package that the log or a task file knows."""
        known = {*self.reducer.work_packages, *work_package_files(self.paths.tasks)}
        return [self.standing(work_package) for work_package in sorted(known)]

    def standing(self, work_package: str) -> Standing:
        """Return the standing of a work package; of two latest artifacts, the one that says worse."""
        known = work_package in self.reducer.work_packages
        slots = self.reducer.entry(work_package) if known else {}
        found = [self.look(work_package, path) for path in self.latest(work_package)]
        path, artifact, problem = max(found, key=_severity, default=(None, None, None))
        return Standing(
            work_package,
            self.reducer.lane(work_package),
            path,
            artifact,
            problem,
            (slots.get("review_result") or {}).get("verdict"),
            self.overridden(work_package, slots, artifact),
        )

    # --- artifacts

    def latest(self, work_package: str) -> list[Path]:
        """Return the artifact with the highest number; several when directories of one work package share it.

        A directory of artifacts that is a link to nowhere is one that cannot be read (RAC-006).
        """
        found: dict[int, list[Path]] = {}
        for path in self._beside:
            if not self.is_of(path.name, work_package):
                continue
            if path.is_symlink() and not path.exists() and path.suffix != ".md":
                return [path]
            latest = self.latest_in(path)
            if latest is not None:
                found.setdefault(cycle_number(latest.name) or 0, []).append(latest)
        return found[max(found)] if found else []

    def is_of(self, name: str, work_package: str) -> bool:
        """Say whether ``name`` is WP01's directory: ``WP01`` or ``WP01-any``, not ``WP010`` or ``WP01b``."""
        return name.startswith(work_package) and name[len(work_package) :][:1] in ("", "-", "_", ".")

    def latest_in(self, directory: Path) -> Path | None:
        """Return the latest artifact of a directory."""
        return latest_cycle(directory)

    def look(self, work_package: str, path: Path) -> tuple[Path, ReviewArtifact | None, str | None]:
        """Return the path with the artifact in it, or with the reason why it cannot be gone by."""
        try:
            artifact = self.read(path)
            if artifact.wp_id != work_package:
                raise ReviewFormatError(ReviewFinding.WRONG_TYPE, f"wp_id is {artifact.wp_id}, not {work_package}")
        except ReviewFormatError as error:
            return path, None, str(error)
        return path, artifact, None

    def read(self, path: Path) -> ReviewArtifact:
        """Return the artifact in ``path``; ReviewFormatError for one that leads out of the repository, too."""
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.paths.root)):
            raise ReviewFormatError(ReviewFinding.UNREADABLE, f"{path.name} leads out of the repository")
        try:
            # Under both profiles: what the lenient one would not see is shown, though it does not decide there.
            return read_artifact(path)
        except ReviewFormatError as error:
            # Found last: a review without a word is no good one, but there is no doubt about its verdict.
            if error.finding is ReviewFinding.EMPTY_BODY:
                return read_artifact(path, SPEC_KITTY_32)
            raise

    # --- overrides

    def overridden(self, work_package: str, slots: Mapping[str, Any], artifact: ReviewArtifact | None) -> bool:
        """Say whether a complete override of this work package stands, in the log or in the artifact (RAC-005)."""
        slot = slots.get("review") or {}
        complete = all(str(slot.get(key) or "").strip() for key in _OVERRIDE_KEYS)
        if complete and slot["wp_id"] == work_package and not self.is_outdated(work_package):
            return True
        # An override in the log that is partial or taken back is the last word about it.
        if not self.profile.artifact_decides or ("review" in slots and not complete):
            return False
        own = artifact is not None and artifact.extra.get(_OVERRIDE_WP, work_package) == work_package
        return own and artifact is not None and artifact.has_complete_override

    def is_outdated(self, work_package: str) -> bool:
        """Say whether the work package was rejected again after the override in the log."""
        if not self.profile.artifact_decides:
            return False
        given = [row.when for row in self.reducer.annotations(work_package) if row.delta.get("review")]
        rejected = [
            row.when
            for row in self.reducer.transitions(work_package)
            if (row.data.get("review_result") or {}).get("verdict") == EventVerdict.CHANGES_REQUESTED
        ]
        return bool(given and rejected and given[-1] < rejected[-1])

    # --- judging

    def finding(self, standing: Standing) -> Diagnostic | None:
        """Return what blocks the mission because of a work package, None when nothing does."""
        if standing.lane not in self.terminal or standing.overridden:
            return None
        if not self.profile.artifact_decides:
            rejected = standing.event == EventVerdict.CHANGES_REQUESTED
            return self.rejection(standing, standing.event) if rejected else None
        if standing.problem is not None:
            return self.malformed(standing)
        if standing.verdict is not None:
            return self.rejection(standing, standing.verdict) if standing.verdict is Verdict.REJECTED else None
        # No artifact, or one without a verdict, as 3.2.7 writes it: then the event is all there is.
        if standing.event is not None:
            return self.rejection(standing, standing.event) if standing.event != EventVerdict.APPROVED else None
        return self.malformed(standing) if standing.path is not None else None

    def warnings(self, standing: Standing) -> Iterator[Diagnostic]:
        """Yield what is worth knowing and does not block."""
        if standing.problem is not None and self.finding(standing) is None:
            yield self.malformed(standing)
        if standing.contradicts:
            decides = "artifact" if self.profile.artifact_decides else "event"
            yield self.told("REVIEW_VERDICTS_CONTRADICT", standing, standing.verdict, decides=decides)

    def rejection(self, standing: Standing, verdict: str | None) -> Diagnostic:
        """Return the finding about a rejection that nothing overrides."""
        return self.told("REJECTED_REVIEW_ARTIFACT_CONFLICT", standing, verdict)

    def malformed(self, standing: Standing) -> Diagnostic:
        """Return the finding about an artifact that cannot be gone by."""
        problem = standing.problem or f"{ReviewFinding.MISSING_FIELD}: neither it nor an event has a verdict"
        return self.told("REVIEW_ARTIFACT_SCHEMA_INVALID", standing, None, schema_error=problem)

    def told(self, code: str, standing: Standing, verdict: str | None, **more: Any) -> Diagnostic:
        """Return a diagnostic with the names that RAC-007 asks for."""
        path = self.shown(standing.path)
        fields = {
            "mission_slug": self.paths.slug,
            "branch_or_work_package": standing.work_package,
            "work_package_id": standing.work_package,
            "lane": None if standing.lane is None else str(standing.lane),
            "latest_review_cycle_path": path,
            "latest_review_cycle_verdict": None if verdict is None else str(verdict),
            "review_cycle_number": None if standing.path is None else cycle_number(standing.path.name),
            "event_verdict": standing.event,
            "source": path or "the event log",
        }
        return Diagnostic(code, {**fields, **more})

    def shown(self, path: Path | None) -> str | None:
        """Return a path from the root of the repository."""
        return None if path is None else path.relative_to(self.paths.root).as_posix()


def _severity(found: tuple[Path, ReviewArtifact | None, str | None]) -> int:
    _, artifact, problem = found
    if artifact is None:
        return 2 if problem is not None else 0
    return int(artifact.verdict is Verdict.REJECTED)
