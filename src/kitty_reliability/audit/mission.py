"""One mission as an audit sees it: each file read once, guarded, with a list of what could not be read. PYTEST_DONT_REWRITE"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

from kitty_reliability.formats import released_rows
from kitty_reliability.formats.diagnostics import Diagnostic, DiagnosticError
from kitty_reliability.formats.events import EVENT_LOG_NAME, LaneRow, Row, recover_rows
from kitty_reliability.formats.frontmatter import FrontmatterError, parse_yaml, split
from kitty_reliability.formats.identifiers import is_safe_segment
from kitty_reliability.formats.mission import COORDINATED, META_NAME, Meta
from kitty_reliability.formats.profiles import CONTRACT_320, SPEC_KITTY_32, Profile
from kitty_reliability.formats.reviews import cycle_number
from kitty_reliability.formats.snapshot import SNAPSHOT_NAME
from kitty_reliability.formats.strict_json import TooDeepError, parse
from kitty_reliability.formats.work_package import FILE_NAME
from kitty_reliability.reference.reducer import Reducer

from .findings import CannotJudge
from .places import MissionPlace
from .reading import MAX_LOG_BYTES, UnreadableError, entries, read_bytes

__all__ = ["AuditedMission", "Problem", "ReviewFile", "TaskFile"]

#: Lines that only a lenient reader takes are few and short; the rest is not tried.
_TRIED_BYTES: Final = 1 << 20
#: A log with more lines that are refused is not read to its end.
_MOST_REFUSED: Final = 1000
_PIECE: Final = 1 << 18


class Problem(NamedTuple):
    """A file that is not what it should be; ``line`` of it, when that is known."""

    file: str
    what: str
    remedy: str
    clause: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class TaskFile:
    """A work package file; ``values`` None when its frontmatter cannot be read."""

    file: str
    work_package: str
    values: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class ReviewFile:
    """A review-cycle artifact; ``values`` is empty when it has no frontmatter, None when that cannot be read."""

    file: str
    directory: str
    number: int
    data: bytes
    values: Mapping[str, Any] | None


class AuditedMission:
    """What is on disk of the mission at ``place``.

    Arguments:
        now: what to measure the age of a claim by, in nanoseconds since 1970.
    """

    def __init__(self, place: MissionPlace, now: int) -> None:
        self.place = place
        self.now = now
        self.slug = place.name
        self.directory = place.directory
        #: What cannot be read, in the order in which it was looked at.
        self.problems: list[Problem] = []
        #: How far the log was read, when that is not to its end.
        self.seen_lines: int | None = None
        #: A mission that is a link is not followed: then nothing of it is looked at.
        self.is_link = self.directory.is_symlink()

    # --- files

    def read(self, name: str, *, limit: int | None = None, state: bool = False) -> bytes | None:
        """Return the bytes of a file of the mission; None when it is missing, or a problem (which is noted)."""
        base = self.state if state else self.directory
        try:
            if self.is_link:
                return None
            return read_bytes(base / name, base, *([limit] if limit else []))
        except UnreadableError as error:
            self.problems.append(Problem(name, str(error), error.remedy, "SEC-003"))
            return None

    def names(self, directory: str, *, state: bool = False) -> list[tuple[str, bool]]:
        """Return the names in a directory, and whether each is a directory; none when it is a problem."""
        base = self.state if state else self.directory
        try:
            return [] if self.is_link else list(entries(base / directory, base))
        except UnreadableError as error:
            self.problems.append(Problem(directory, str(error), error.remedy, "SEC-003"))
            return []

    def json(self, name: str, *, state: bool = False) -> dict[str, Any] | None:
        """Return the object in a file; None when it is missing, or a problem."""
        data = self.read(name, state=state)
        if data is None:
            return None
        try:
            value = parse(data)
            problem = "" if isinstance(value, dict) else "is JSON, but not an object"
        except TooDeepError as error:
            value, problem = None, f"is nested {error}"
        except ValueError as error:
            value, problem = None, f"is not JSON: {error}"
        if problem:
            self.problems.append(Problem(name, problem, "restore it from git", "SEC-005"))
            return None
        return value  # type: ignore[no-any-return]

    @cached_property
    def meta_values(self) -> dict[str, Any] | None:
        """The object in ``meta.json``; None when it is missing or a problem."""
        return self.json(META_NAME)

    @cached_property
    def meta(self) -> Meta:
        """``meta.json``; a file that is missing or a problem says nothing."""
        return Meta(self.meta_values or {})

    @property
    def is_coordinated(self) -> bool:
        """Whether log and snapshot may be in a worktree of their own (interop: section 1.10)."""
        return self.meta.data.get("topology") in COORDINATED

    @cached_property
    def state(self) -> Path:
        """The directory of log, snapshot and reviews: the coordination worktree's while that is there."""
        # Not of git's knowledge: an audit has to do with a repository whose .git it was not given.
        folder = self.place.root / ".worktrees" / f"{self.slug}-coord" / self.place.specs.name / self.slug
        found = self.is_coordinated and folder.is_dir() and folder.resolve() == folder
        return folder if found else self.directory

    @cached_property
    def lanes(self) -> dict[str, Any] | None:
        """``lanes.json``; None when it is missing or a problem."""
        return self.json("lanes.json")

    @cached_property
    def snapshot(self) -> dict[str, Any] | None:
        """``status.json``; None when it is missing or a problem."""
        return self.json(SNAPSHOT_NAME, state=True)

    @cached_property
    def task_names(self) -> list[tuple[str, bool]]:
        """The names in ``tasks``."""
        return self.names("tasks")

    @cached_property
    def tasks(self) -> list[TaskFile]:
        """The work package files, by name."""
        found = ((name, FILE_NAME.match(name)) for name, is_folder in self.task_names if not is_folder)
        return [
            self._task(f"tasks/{name}", match[1]) for name, match in found if match is not None and name.endswith(".md")
        ]

    def _task(self, file: str, work_package: str) -> TaskFile:
        data = self.read(file)
        if data is None:
            return TaskFile(file, work_package, None)
        values = self._frontmatter(file, data)
        if values == {}:
            self.problems.append(Problem(file, "has no frontmatter", "write the frontmatter back", "OWN-005", 1))
        return TaskFile(file, work_package, values or None)

    @cached_property
    def reviews(self) -> list[ReviewFile]:
        """The review-cycle artifacts beside the log, by directory and number."""
        listed = self.task_names if self.state == self.directory else self.names("tasks", state=True)
        folders = [name for name, is_folder in listed if is_folder and name.startswith("WP")]
        found = [review for folder in folders for review in self._reviews(folder)]
        return sorted(found, key=lambda review: (review.directory, review.number))

    def _reviews(self, folder: str) -> Iterator[ReviewFile]:
        for name, is_folder in self.names(f"tasks/{folder}", state=True):
            number = cycle_number(name)
            if number is not None and not is_folder:
                file = f"tasks/{folder}/{name}"
                data = self.read(file, state=True)
                values = None if data is None else self._frontmatter(file, data)
                yield ReviewFile(file, folder, number, data or b"", values)

    def _frontmatter(self, file: str, data: bytes) -> dict[str, Any] | None:
        """Return the frontmatter, empty when there is none; None when it is a problem."""
        clause = "SEC-005"
        try:
            parts = split(data.decode("utf-8-sig").replace("\r\n", "\n"))
            return {} if parts is None else parse_yaml(parts[0])
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            self.problems.append(Problem(file, f"is not UTF-8: {error.reason}", "save it as UTF-8", clause, line))
        except FrontmatterError as error:
            self.problems.append(Problem(file, f"has bad frontmatter: {error}", "correct the YAML", clause))
        return None

    # --- the log

    @cached_property
    def log(self) -> bytes | None:
        """The bytes of the log; None when it is missing or a problem."""
        return self.read(EVENT_LOG_NAME, limit=MAX_LOG_BYTES, state=True)

    @cached_property
    def _recovered(self) -> tuple[list[Row], list[Diagnostic]]:
        rows: list[Row] = []
        refused: list[Diagnostic] = []
        data, start, before = self.log or b"", 0, 0
        # By pieces: of a log that is nothing but refused lines, each would cost more than it is long.
        while start < len(data) and len(refused) <= _MOST_REFUSED:
            end = data.find(b"\n", start + _PIECE) + 1 or len(data)
            found, left_out = recover_rows(data[start:end], CONTRACT_320, first_line=before + 1)
            rows += found
            refused += left_out
            before += data.count(b"\n", start, end)
            start = end
        self.seen_lines = None if start == len(data) else before
        return rows, refused

    @property
    def rows(self) -> list[Row]:
        """The rows that a reader of the contract takes, in file order."""
        return self._recovered[0]

    @property
    def refused(self) -> list[Diagnostic]:
        """Why each of the other lines is refused."""
        return self._recovered[1]

    def line(self, number: int) -> bytes:
        """Return a line of the log, without its newline."""
        return self._lines[number - 1]

    @cached_property
    def _lines(self) -> list[bytes]:
        return (self.log or b"").split(b"\n")

    def is_read_by_released(self, number: int) -> bool:
        """Say whether released 3.2.x reads a line that the contract refuses."""
        line = self.line(number)
        if len(line) > _TRIED_BYTES:
            return False
        try:
            released_rows.read(line)
        except DiagnosticError:
            return False
        return True

    @cached_property
    def unsafe_packages(self) -> dict[int, str]:
        """The names by which lines that are refused call their work package, by line, when they are unsafe."""
        found = {}
        for refused in self.refused:
            number = refused.fields["line"]
            try:
                value = json.loads(self.line(number)) if len(self.line(number)) <= _TRIED_BYTES else None
            except (ValueError, RecursionError):
                continue
            name = value.get("wp_id") if isinstance(value, dict) else None
            if isinstance(name, str) and not is_safe_segment(name):
                found[number] = name
        return found

    @cached_property
    def reducer(self) -> Reducer:
        """What the log adds up to: by the contract, or, where only released readers take it, by their rules.

        Raises:
            CannotJudge: nobody can tell.
        """
        if self.log is None and (self.is_link or any(problem.file == EVENT_LOG_NAME for problem in self.problems)):
            raise CannotJudge("the log cannot be read")
        if self.refused and self.seen_lines is not None:
            raise CannotJudge(f"the log cannot be relied on: nothing behind line {self.seen_lines} was read")
        if self.unsafe_packages:
            raise CannotJudge(f"the log cannot be relied on: line {min(self.unsafe_packages)} names no work package")
        try:
            if not self.refused:
                return self._reduced(CONTRACT_320, self.rows)
            return self._by_released
        except DiagnosticError as error:
            raise CannotJudge(f"the log cannot be relied on: {error.diagnostic.message}") from None

    def reduced_by_released(self) -> Reducer | None:
        """Return what the log adds up to by the rules of released 3.2.x; None when they refuse it."""
        try:
            return self._by_released
        except DiagnosticError:
            return None

    @cached_property
    def _by_released(self) -> Reducer:
        return self._reduced(SPEC_KITTY_32, released_rows.read(self.log or b""))

    def _reduced(self, profile: Profile, rows: list[Row]) -> Reducer:
        reducer = Reducer(profile, self.slug, self.meta.mission_id)
        reducer.add(rows)
        return reducer

    def transitions(self) -> Iterator[tuple[str, list[LaneRow]]]:
        """Yield each work package of the log with its transitions, in the order in which they happened."""
        for work_package in self.reducer.work_packages:
            yield work_package, self.reducer.transitions(work_package)
