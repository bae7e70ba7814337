"""Mistakes in merging logs (clause LOG-013)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kitty_reliability.formats.diagnostics import DiagnosticError
from kitty_reliability.formats.events import encode_row
from kitty_reliability.implementations.protocol import MergeLogs, MergeLogsAnswer, Outcome
from kitty_reliability.reference.files import replace_file
from kitty_reliability.reference.merging import Merger

from .base import Mutant, Reference, mutant, reference

__all__ = ["MUTANTS"]


class _TextMerge(Merger):
    def merge(self, base: Path, ours: Path, theirs: Path) -> int:
        added = theirs.read_bytes()[len(base.read_bytes()) :]
        with ours.open("ab") as file:
            file.write(added)
        return ours.read_bytes().count(b"\n")


class _FirstOfAnIdWins(Merger):
    def union(self, lines: Iterable[Any]) -> Iterator[Any]:
        seen: set[Any] = set()
        for line in lines:
            key = line.row.get("event_id") or line.data
            if key not in seen:
                seen.add(key)
                yield line


class _OnlyTransitions(Merger):
    def union(self, lines: Iterable[Any]) -> Iterator[Any]:
        return (line for line in super().union(lines) if "to_lane" in line.row)


class _LostIsDeleted(Merger):
    def merge(self, base: Path, ours: Path, theirs: Path) -> int:
        sides = [{line.data for line in self.lines(path)} for path in (ours, theirs)]
        gone = {line.data for line in self.lines(base)} - (sides[0] & sides[1])
        super().merge(base, ours, theirs)
        kept = [line.data + b"\n" for line in self.lines(ours) if line.data not in gone]
        replace_file(ours, b"".join(kept))
        return len(kept)


class _KnownKeysOnly(Merger):
    def merge(self, base: Path, ours: Path, theirs: Path) -> int:
        rows = super().merge(base, ours, theirs)
        known = [line.row for line in self.lines(ours)]
        plain = [{key: row[key] for key in row if not key.startswith("from_a_")} for row in known]
        replace_file(ours, b"".join(map(encode_row, plain)))
        return rows


class _ConflictEndsWithSuccess(Reference):
    def merge_logs(self, request: MergeLogs) -> Outcome:
        try:
            return super().merge_logs(request)
        except DiagnosticError:
            return Outcome.success(MergeLogsAnswer(path=request.ours, rows=0))


def _merging(name: str, scenario: str, finding: str, mistake: str, merger: type[Merger]) -> type[Mutant]:
    adapter = reference(merger_class=merger)
    return mutant(name, clause="LOG-013", scenario=scenario, finding=finding, mistake=mistake, adapter=adapter)


MUTANTS: list[type[Mutant]] = [
    _merging(
        "merge-appends-text",
        "test_two_sides_give_their_union",
        "row-duplicated",
        "What the other side added is appended as text: a row that both have is there twice.",
        _TextMerge,
    ),
    _merging(
        "merge-first-of-an-id-wins",
        "test_one_id_with_two_contents_is_seen",
        "damage-accepted",
        "Of two rows of one id the first is kept, and the other is lost without a word.",
        _FirstOfAnIdWins,
    ),
    _merging(
        "merge-keeps-transitions-only",
        "test_rows_of_every_kind_survive_a_merge",
        "acked-row-missing",
        "A merge writes the rows that it understands, and annotations and decisions are gone.",
        _OnlyTransitions,
    ),
    _merging(
        "merge-lost-is-deleted",
        "test_a_row_that_one_side_lost_is_back",
        "acked-row-missing",
        "A row that one side has lost is taken for one that was deleted, and lost for both.",
        _LostIsDeleted,
    ),
    _merging(
        "merge-knows-its-keys",
        "test_a_row_keeps_what_it_says",
        "acked-row-missing",
        "A merge writes rows anew, with the keys that it knows.",
        _KnownKeysOnly,
    ),
    mutant(
        "merge-conflict-ends-with-success",
        clause="LOG-013",
        scenario="test_one_id_with_two_contents_is_seen",
        finding="damage-accepted",
        mistake="The merge driver fails and ends with 0, so git takes our side and says that all is well.",
        adapter=_ConflictEndsWithSuccess,
    ),
]
