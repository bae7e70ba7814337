"""Writes docs/clause-map.md from the catalogue, the scenarios and the mutants: ``make docs``."""

from __future__ import annotations

from pathlib import Path

from kitty_conformance.clause_map import clause_map

PAGE = Path(__file__).with_name("clause-map.md")
WORDS = """# Clause map

From requirement to clause to scenario to mutant, and back. `make docs` writes this page; a test fails on every orphan, in
either direction.

"""

if __name__ == "__main__":
    PAGE.write_text(WORDS + clause_map().page(), encoding="utf-8")
