"""The findings that were there when an audit was begun, so that only new ones fail.

A file of JSON: ``{"version": 1, "findings": [{"mission", "rule", "file", "subject"}, ...]}``, sorted. Missions are
paths from the directory of the file, so it means the same on every machine. An entry stands for one finding. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .findings import Finding, plain

__all__ = ["Baseline", "BaselineError", "Entry"]


class BaselineError(ValueError):
    """The file is no baseline; the text names it and the remedy."""


class Entry(NamedTuple):
    """Which finding of which mission: nothing that a line more or less would change."""

    mission: str
    rule: str
    file: str
    subject: str

    def __str__(self) -> str:
        return plain(f"{self.mission} {self.rule}: {self.file}, {self.subject}")


class Baseline:
    """The entries of the baseline at ``path``, which need not exist yet."""

    def __init__(self, path: Path, entries: Iterable[Entry] = ()) -> None:
        self.path = path
        self.entries = Counter(entries)

    @classmethod
    def load(cls, path: Path) -> Baseline:
        """Return the baseline in ``path``.

        Raises:
            BaselineError: missing, unreadable, or no baseline.
        """
        remedy = f"write one with --kitty-audit-write-baseline {path}"
        # A pipe would be waited for; it may be the audited repository that names the file.
        try:
            regular = path.is_file() or not path.exists()
            value = json.loads(path.read_text(encoding="utf-8")) if regular else None
        except FileNotFoundError:
            raise BaselineError(f"{path}: no such file; {remedy}") from None
        except (OSError, ValueError, RecursionError) as error:
            raise BaselineError(f"{path}: {plain(error)}; {remedy}") from None
        if not regular:
            raise BaselineError(f"{path}: no regular file; {remedy}")
        listed = value.get("findings") if isinstance(value, dict) and value.get("version") == 1 else None
        if not isinstance(listed, list) or not all(map(_is_entry, listed)):
            raise BaselineError(f"{path}: not a baseline of version 1; {remedy}")
        return cls(path, (Entry(*(one[key] for key in Entry._fields)) for one in listed))

    def entry(self, directory: Path, finding: Finding) -> Entry:
        """Return the entry that stands for a finding of the mission in ``directory``."""
        return Entry(self.mission(directory), finding.rule, finding.file, finding.subject)

    def mission(self, directory: Path) -> str:
        """Return what the mission in ``directory`` is called here."""
        try:
            path = os.path.relpath(directory, self.path.parent.resolve())
        except ValueError:  # another drive
            path = str(directory)
        return plain(path.replace(os.sep, "/"))

    def known(self, directory: Path, findings: Iterable[Finding]) -> list[bool]:
        """Say of each finding of one mission whether an entry stands for it; an entry stands for one."""
        left = dict(self.entries)
        answers = []
        for finding in findings:
            entry = self.entry(directory, finding)
            answers.append(left.get(entry, 0) > 0)
            left[entry] = left.get(entry, 0) - 1
        return answers

    def stale(self, found: Iterable[Entry], judged: set[tuple[str, str]]) -> list[Entry]:
        """Return the entries that stand for nothing any more.

        Arguments:
            found: an entry for each finding that was made.
            judged: mission and rule of each question that was decided; of others nothing is said, unless the
                mission is gone.
        """
        left = self.entries - Counter(found)
        return sorted(entry for entry in left.elements() if entry[:2] in judged or self._is_gone(entry))

    def _is_gone(self, entry: Entry) -> bool:
        return not os.path.lexists(self.path.parent / entry.mission)

    def write(self) -> None:
        """Write the file as a whole; OSError, which names it, when that cannot be done."""
        listed = [entry._asdict() for entry in sorted(self.entries.elements())]
        rows = ",\n".join(f"  {json.dumps(one)}" for one in listed)
        text = f'{{"version": 1, "findings": [{rows and chr(10)}{rows}{rows and chr(10)}]}}\n'
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(self.path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise OSError(error.errno, error.strerror, str(self.path)) from None


def _is_entry(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(value.get(key), str) for key in Entry._fields)
