"""Writes the pages that are read from the suite: clause map, clauses, scenarios, diagnostics (``make docs``)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from kitty_conformance.catalogue import clauses, findings, scenarios
from kitty_conformance.clause_map import clause_map
from kitty_reliability.formats.diagnostics import TABLE

DOCS: Final = Path(__file__).parent
PAGE: Final = DOCS / "clause-map.md"
WORDS: Final = """# Clause map

From requirement to clause to scenario to mutant, and back. `make docs` writes this page; a test fails on every orphan, in
either direction.

"""
#: What the three letters of a clause stand for.
FAMILIES: Final = {
    "STA": "Transitions and their durability",
    "LOG": "Reading the log",
    "RPM": "Review prompts",
    "DIF": "The diff of a review",
    "OWN": "Ownership of files",
    "SYN": "Sync and what is printed",
    "MSP": "Before a mission is published",
    "RAC": "Review artifacts and the sign-off",
    "SEC": "Hostile names and files",
}
_SIDES: Final = {"R": "readers", "W": "writers", "G": "gates"}


def main() -> None:
    """Rewrite the pages."""
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8", newline="\n")


def pages() -> dict[str, str]:
    """Return file name -> text of each page."""
    return {
        "clause-map.md": WORDS + clause_map().page(),
        "clauses.md": "\n".join(_clauses()),
        "scenarios.md": "\n".join(_scenarios()),
        "diagnostics.md": "\n".join(_diagnostics()),
    }


def _clauses() -> Iterator[str]:
    of = clause_map()
    yield "# Clauses\n\nWhat the contract promises, one sentence a clause, with the scenarios that decide it and the mutants that they"
    yield "have to catch. Ids never change and are never used again. `kitty-conform explain STA-001` says the same in a terminal.\n"
    for family, ids in groupby(clauses(), key=lambda clause: clause.partition("-")[0]):
        yield f"## {FAMILIES[family]}\n"
        for clause in ids:
            entry = clauses()[clause]
            binds = ", ".join(_SIDES[side] for side in entry["side"].split("/"))
            yield f"### {clause}\n\n{_text(entry['promise'])}\n\nBinds {binds}; from {', '.join(entry['source'])}.\n"
            for profile, promise in entry.get("profiles", {}).items():
                yield f"Under `{profile}`: {_text(promise)}\n"
            yield "Scenarios:\n"
            for _, name in of.scenarios[clause]:
                yield f"- [`{name}`](scenarios.md#{name})"
            yield "\nMutants:\n"
            for mutant in of.mutants[clause]:
                yield f"- `{mutant.name}`: {_text(mutant.__doc__ or '')}"
            yield ""


def _scenarios() -> Iterator[str]:
    yield "# Scenarios and findings\n\nA scenario builds a mission, asks for one operation, and looks at the disk. When it fails it"
    yield "says which finding it saw. Those are the words that reports and lists of known deviations use.\n\n## Findings\n"
    yield "| finding | what was seen |\n|---|---|"
    for finding, text in findings().items():
        yield f"| `{finding}` | {_text(text)} |"
    for module, of_module in groupby(scenarios().values(), key=lambda scenario: scenario.module):
        yield f"\n## {module.removeprefix('test_').removesuffix('.py').replace('_', ' ').capitalize()}\n\n"
        for scenario in of_module:
            ids = ", ".join(f"[{clause}](clauses.md#{clause.lower()})" for clause in scenario.clauses)
            yield f"### `{scenario.name}`\n\n{_text(scenario.promise)} ({ids})\n"


def _diagnostics() -> Iterator[str]:
    yield "# Diagnostics\n\nEverything that refuses or fails says so with a code of this table: what happened, what to do about it, and the"
    yield "clause that it protects. What stands in braces is filled in. `kitty-conform explain ROW_TORN` says the same in a terminal.\n"
    yield "| code | what happened | what to do | clause |\n|---|---|---|---|"
    for entry in TABLE.values():
        clause = (
            f"[{entry.invariant}](clauses.md#{entry.invariant.lower()})"
            if entry.invariant in clauses()
            else entry.invariant
        )
        yield f"| `{entry.code}` | {_text(entry.message.replace('!r', ''))} | {_text(entry.remediation)} | {clause} |"
    yield ""


def _text(text: str) -> str:
    return " ".join(text.replace("``", "`").replace("<", "&lt;").replace("|", "\\|").split())


if __name__ == "__main__":
    main()
