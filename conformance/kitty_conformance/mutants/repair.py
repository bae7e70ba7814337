"""Mistakes in repairing a log (clauses LOG-006, LOG-007)."""

from __future__ import annotations

from dataclasses import replace

from kitty_reliability.formats.events import recover_rows
from kitty_reliability.reference.files import replace_file
from kitty_reliability.reference.repairing import Repaired

from .base import Mutant, Workflow, mutant

__all__ = ["MUTANTS"]


class _DeletesTheBadLine(Workflow):
    def repair(self, root: str, slug: str) -> Repaired:
        repaired = super().repair(root, slug)
        if repaired.file is not None:
            repaired.file.unlink()
        return repaired


class _KeepsTransitionsOnly(Workflow):
    def repair(self, root: str, slug: str) -> Repaired:
        repaired = super().repair(root, slug)
        if repaired.file is not None:
            log = repaired.file.with_name("status.events.jsonl")
            lines = log.read_bytes().splitlines(keepends=True)
            kept = [lines[row.line - 1] for row in recover_rows(log.read_bytes())[0] if row.kind == "lane"]
            replace_file(log, b"".join(kept))
        return repaired


class _SaysNothing(Workflow):
    def repair(self, root: str, slug: str) -> Repaired:
        return replace(super().repair(root, slug), findings=[])


MUTANTS: list[type[Mutant]] = [
    mutant(
        "repair-deletes",
        clause="LOG-006",
        scenario="test_a_repair_loses_no_row_and_no_byte",
        finding="bytes-lost",
        mistake="A repair drops the line that cannot be read, and nobody can look at it any more.",
        workflow=_DeletesTheBadLine,
    ),
    mutant(
        "repair-keeps-transitions-only",
        clause="LOG-006",
        scenario="test_a_repair_loses_no_row_and_no_byte",
        finding="bytes-lost",
        mistake="A repair writes the transitions back, and annotations and decisions are gone.",
        workflow=_KeepsTransitionsOnly,
    ),
    mutant(
        "repair-in-silence",
        clause="LOG-007",
        scenario="test_after_a_repair_the_log_can_be_read",
        finding="damage-unreported",
        mistake="A repair does not say what it moved aside.",
        workflow=_SaysNothing,
    ),
]
