"""Review-cycle artifacts on disk, in every shape that real ones have: ``write_review(m, "WP01", shape="prose")``.

Files only; no row is written here, so an artifact that no event knows of is one call. Artifact and event together
are the verbs of ``build.work_package`` (interop: section 1.6; scenarios RA-03 to RA-10; clauses RAC-003 to RAC-006).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kitty_reliability.formats.reviews import (
    ReviewFormatError,
    ReviewReference,
    Verdict,
    artifact_name,
    cycle_number,
    encode_artifact,
    next_cycle_number,
    read_artifact,
)
from kitty_reliability.formats.work_package import work_package_files

from .errors import BuildError
from .review_shapes import SHAPES, Shape

if TYPE_CHECKING:
    from .mission import Mission

__all__ = [
    "SHAPES",
    "SIBLINGS",
    "Shape",
    "WrittenReview",
    "artifact_directory",
    "override_artifact",
    "write_cycles",
    "write_review",
    "write_sibling",
]


@dataclass(frozen=True, slots=True)
class WrittenReview:
    """An artifact that was written: where, and how rows refer to it (empty when its name has no number)."""

    path: Path
    reference: str
    number: int | None
    shape: str


# --- files


def artifact_directory(mission: Mission, work_package: str) -> Path:
    """Return the directory of a work package's artifacts; it is named as the file of the work package is.

    Raises:
        BuildError: the mission has no such work package.
    """
    named = mission.task_file(work_package)
    # The disk first: a test may have renamed the file.
    files = work_package_files(mission.paths.tasks).get(work_package) or [named]
    # Beside the log: with a coordination branch both are in its worktree (interop: section 1.10).
    return mission.log.path.parent / mission.paths.tasks.name / files[0].stem


def write_review(
    mission: Mission,
    work_package: str,
    *,
    shape: str = "eight-keys",
    number: int | None = None,
    name: str | None = None,
    verdict: str = "rejected",
    reviewer: str | None = None,
    at: str | None = None,
    body: str | None = None,
    modified: datetime | None = None,
    drop: Iterable[str] = (),
    **keys: Any,
) -> WrittenReview:
    """Write one artifact and return it.

    Arguments:
        shape: one of ``SHAPES``.
        number: the cycle; one more than the highest when left out. Gaps are made by naming it.
        name: the file's name, when it is to be none that an artifact may have, such as ``review-cycle-final.md``.
        at: ``reviewed_at``; the clock's moment when left out.
        modified: when the file was last changed, as the file system tells it.
        drop, keys: keys of the frontmatter to leave out and to set, before the shape is made.

    Raises:
        BuildError: unknown work package, shape or verdict, a number or name that is taken or is none, and a number
            that cannot be told because a sibling has none.
    """
    if shape not in SHAPES:
        raise BuildError(f"unknown shape {shape!r}; known: {', '.join(SHAPES)}")
    if verdict not in set(Verdict):
        raise BuildError(
            f"{verdict!r} is not a verdict of an artifact ({', '.join(Verdict)}); shape= has the other words that real ones use"
        )
    directory = artifact_directory(mission, work_package)
    cycle = _free_number(directory, number, name)
    values: dict[str, Any] = {
        "affected_files": [],
        "cycle_number": cycle,
        "mission_slug": mission.slug,
        "reproduction_command": None,
        "reviewed_at": at or mission.log.clock.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "reviewer_agent": reviewer or mission.log.reviewer,
        "verdict": verdict,
        "wp_id": work_package,
        **keys,
    }
    for key in drop:
        values.pop(key, None)
    text = body if body is not None else f"# Review {cycle} of {work_package}\n\nVerdict of the test: {verdict}.\n"
    path = directory / (artifact_name(cycle) if name is None else name)
    reference = _reference(mission.slug, path)
    try:
        data = SHAPES[shape].write(values, text)
    except KeyError as missing:
        raise BuildError(f"shape {shape!r} is made of {missing}, which must not be dropped") from None
    directory.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    if modified is not None:
        os.utime(path, (modified.timestamp(), modified.timestamp()))
    return WrittenReview(path, reference, cycle_number(path.name), shape)


def _reference(mission_slug: str, path: Path) -> str:
    number = cycle_number(path.name)
    if number is None:
        return ""
    try:
        return str(ReviewReference.to(mission_slug, path.parent.name, number))
    except ReviewFormatError as error:
        raise BuildError(f"no row can refer to {path.parent.name}/{path.name}: {error.problem}") from None


def _free_number(directory: Path, number: int | None, name: str | None) -> int:
    if name is not None:
        if name in ("", ".", "..") or {"/", "\\", "\0"} & set(name):
            raise BuildError(f"{name!r} is not the name of a file beside the artifacts")
        if (directory / name).exists():
            raise BuildError(f"{name} is there already; take it away first")
    if number is None:
        if name is not None:
            return cycle_number(name) or 1
        try:
            return next_cycle_number(directory)
        except ReviewFormatError as error:
            raise BuildError(f"{error.problem}; say number=") from None
    if not isinstance(number, int) or isinstance(number, bool):
        raise BuildError(f"a cycle is numbered from 1, not {number!r}")
    try:
        taken = name is None and (directory / artifact_name(number)).exists()
    except ValueError as error:
        raise BuildError(str(error)) from None
    if taken:
        raise BuildError(f"{artifact_name(number)} is there already; leave number out or give another")
    return number


def write_cycles(mission: Mission, work_package: str, verdicts: dict[int, str]) -> list[WrittenReview]:
    """Write several artifacts by number: ``write_cycles(m, "WP01", {2: "approved", 10: "rejected"})``.

    The lowest number is the file that was modified last, so that a reader that goes by age takes the wrong one.
    """
    now = mission.log.clock.now
    written = []
    for number in sorted(verdicts):
        older = datetime.fromtimestamp(now.timestamp() - 60 * number, UTC)
        written.append(write_review(mission, work_package, number=number, verdict=verdicts[number], modified=older))
    return written


def override_artifact(path: Path, actor: str | None, reason: str | None) -> None:
    """Put an override onto an artifact, or take it off with None.

    Raises:
        BuildError: the artifact cannot be read.
    """
    try:
        artifact = read_artifact(path)
    except ReviewFormatError as error:
        raise BuildError(f"{path.name} cannot have an override: {error}") from None
    path.write_bytes(encode_artifact(replace(artifact, override_actor=actor, override_reason=reason)))


# --- what lies beside artifacts


def _json(values: object) -> bytes:
    return (json.dumps(values, indent=2) + "\n").encode()


_ARBITER: Final = {
    "arbiter": "arbiter",
    "category": "custom",
    "checklist": dict.fromkeys(
        ("is_pre_existing", "is_correct_context", "is_in_scope", "is_environmental", "should_follow_on"), False
    ),
    "decided_at": "2025-03-03T09:00:00Z",
    "explanation": "out of scope",
}
#: Files that real directories have beside artifacts, or should not have, by name.
SIBLINGS: Final[dict[str, bytes]] = {
    "baseline-tests.json": _json(
        {"wp_id": "WP01", "captured_at": "2025-03-03T09:00:00Z", "base_branch": "main", "base_commit": "0" * 40,
         "test_runner": "pytest", "total": 1, "passed": 1, "failed": 0, "skipped": 0, "failures": []}
    ),
    "arbiter-decision.md": b"# Decision\n\nverdict: approved\n",
    "arbiter-override-1.json": _json(_ARBITER),
    "review-feedback-1.md": b"# Feedback\n\nThe tests are missing.\n",
    "reviewer-feedback-claude.md": b"# Feedback\n\nverdict: rejected\n",
    "review-cycle-final.md": b"---\nverdict: approved\n---\n\nThe last word.\n",
    "review-cycle-0.md": b"---\nverdict: approved\n---\n\nThe first word.\n",
    "review-cycle-02.md": b"---\nverdict: approved\n---\n\nTwo, in two digits.\n",
    "review-cycle-99.md.orig": b"---\nverdict: approved\n---\n\nWhat an editor left.\n",
}  # fmt: skip


def write_sibling(mission: Mission, work_package: str, name: str) -> Path:
    """Write one of ``SIBLINGS`` beside the artifacts of a work package and return its path; BuildError if unknown."""
    if name not in SIBLINGS:
        raise BuildError(f"unknown sibling {name!r}; known: {', '.join(SIBLINGS)}")
    directory = artifact_directory(mission, work_package)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_bytes(SIBLINGS[name])
    return path
