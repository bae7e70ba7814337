from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kitty_conformance.clause_map import ClauseMap, clause_map

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def found() -> ClauseMap:
    return clause_map()


def test_there_is_no_orphan(found: ClauseMap) -> None:
    assert found.orphans() == []


def test_the_tests_that_meet_a_requirement_exist(found: ClauseMap) -> None:
    assert [path for paths in found.elsewhere.values() for path in paths if not (ROOT / path).is_file()] == []


def test_every_orphan_is_named(found: ClauseMap) -> None:
    clause, mutant = next((clause, some[0]) for clause, some in found.mutants.items())
    with_one = replace(found, mutants={**found.mutants, clause: [mutant]})
    assert with_one.orphans() == [f"{clause} has no two mutants"]
    undecided = replace(found, scenarios={**found.scenarios, clause: []})
    assert f"{clause} has no scenario" in undecided.orphans()
    assert f"mutant {mutant.name}: {mutant.scenario} does not decide {clause}" in undecided.orphans()
    unmet = replace(found, by_requirement={**found.by_requirement, "FR-001": []})
    assert unmet.orphans() == ["FR-001 has no clause and no test"]
    invented = replace(found, elsewhere={**found.elsewhere, "FR-099": ["tests/test_clause_map.py"]})
    assert invented.orphans() == ["FR-099 is no requirement"]
    unknown = replace(found, sources={name: source for name, source in found.sources.items() if name != clause})
    assert f"scenarios of {clause}, which is in no catalogue" in unknown.orphans()


def test_the_page_is_the_map(found: ClauseMap) -> None:
    page = (ROOT / "docs" / "clause-map.md").read_text(encoding="utf-8")
    assert found.page() in page, "run: make docs"
