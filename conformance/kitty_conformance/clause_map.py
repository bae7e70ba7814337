"""Which requirement is a clause, which scenario decides it and which mutants prove that: read from all of them, never typed.

Read both ways: a requirement without a clause, a clause without a scenario, a mutant of no scenario, each is an orphan.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from .certificate import clauses
from .mutants import Mutant, mutants

__all__ = ["ClauseMap", "clause_map"]

#: Every requirement of the mission: functional, non-functional, constraints, tasks.
REQUIREMENTS: Final = (
    *(f"FR-{number:03}" for number in range(1, 15)),
    *(f"NFR-{number:03}" for number in range(1, 7)),
    *(f"C-{number:03}" for number in range(2, 7)),
    *(f"T{number:03}" for number in range(1, 37)),
)


@dataclass(frozen=True, slots=True)
class ClauseMap:
    """Requirements, clauses, scenarios and mutants, each by what it belongs to."""

    #: Requirement -> clauses.
    by_requirement: Mapping[str, Sequence[str]]
    #: Requirement -> test modules, for what no clause promises.
    elsewhere: Mapping[str, Sequence[str]]
    #: Clause -> what it came from.
    sources: Mapping[str, Sequence[str]]
    #: Clause -> ``(module, scenario)``.
    scenarios: Mapping[str, Sequence[tuple[str, str]]]
    #: Clause -> mutants.
    mutants: Mapping[str, Sequence[type[Mutant]]]

    def orphans(self) -> list[str]:
        """Say what belongs to nothing, or has nothing that belongs to it."""
        said = [
            f"{requirement} has no clause and no test"
            for requirement in REQUIREMENTS
            if not self.by_requirement.get(requirement) and not self.elsewhere.get(requirement)
        ]
        said += [f"{name} is no requirement" for name in self.elsewhere if name not in REQUIREMENTS]
        for clause in self.sources:
            said += [f"{clause} has no scenario"] if not self.scenarios.get(clause) else []
            said += [f"{clause} has no two mutants"] if len(self.mutants.get(clause, ())) < 2 else []
            said += [f"{clause} came from nothing"] if not self.sources[clause] else []
        said += [f"scenarios of {clause}, which is in no catalogue" for clause in self.scenarios.keys() - self.sources]
        said += [f"mutants of {clause}, which is in no catalogue" for clause in self.mutants.keys() - self.sources]
        for clause, of_clause in self.mutants.items():
            names = {scenario for _, scenario in self.scenarios.get(clause, ())}
            said += [
                f"mutant {mutant.name}: {mutant.scenario} does not decide {clause}"
                for mutant in of_clause
                if mutant.scenario not in names
            ]
        return sorted(said)

    def page(self) -> str:
        """Return the tables that the documentation shows."""
        lines = ["| requirement | clauses | or tests |", "|---|---|---|"]
        for requirement in REQUIREMENTS:
            of_clauses = ", ".join(self.by_requirement.get(requirement, ()))
            tests = ", ".join(f"`{path}`" for path in self.elsewhere.get(requirement, ()))
            lines.append(f"| {requirement} | {of_clauses} | {tests} |")
        lines += ["", "| clause | from | scenarios | mutants |", "|---|---|---|---|"]
        for clause, sources in self.sources.items():
            scenarios = "<br>".join(f"`{module}::{name}`" for module, name in self.scenarios.get(clause, ()))
            names = ", ".join(f"`{mutant.name}`" for mutant in self.mutants.get(clause, ()))
            lines.append(f"| {clause} | {', '.join(sources)} | {scenarios} | {names} |")
        return "\n".join(lines) + "\n"


def clause_map() -> ClauseMap:
    """Return what belongs to what, read from the catalogue, the scenarios and the mutants."""
    catalogue = clauses()
    sources = {clause: list(entry["source"]) for clause, entry in catalogue.items()}
    elsewhere = tomllib.loads(_text("requirements.toml"))
    by_requirement: dict[str, list[str]] = {}
    for clause, names in sources.items():
        for name in names:
            by_requirement.setdefault(name, []).append(clause)
    for family, names in elsewhere["families"].items():
        for name in names:
            by_requirement.setdefault(name, [clause for clause in sources if clause.startswith(f"{family}-")])
    scenarios: dict[str, list[tuple[str, str]]] = {}
    for clause, module, name in _scenarios():
        scenarios.setdefault(clause, []).append((module, name))
    of_clause: dict[str, list[type[Mutant]]] = {}
    for _, mutant in sorted(mutants().items()):
        of_clause.setdefault(mutant.clause, []).append(mutant)
    return ClauseMap(by_requirement, elsewhere["tests"], sources, scenarios, of_clause)


def _scenarios() -> Iterator[tuple[str, str, str]]:
    """Yield clause, module and name of each scenario; read from the source, so that nothing is collected for it."""
    modules = [file for file in files("kitty_conformance").iterdir() if re.fullmatch(r"test_\w+\.py", file.name)]
    for file in sorted(modules, key=lambda file: file.name):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        whole = [clause for node in tree.body if isinstance(node, ast.Assign) for clause in _marked(node.value)]
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for clause in [*whole, *(clause for mark in node.decorator_list for clause in _marked(mark))]:
                    yield clause, Path(file.name).stem, node.name


def _marked(node: ast.expr) -> list[str]:
    """Return the clauses that a decorator, or a ``pytestmark``, names."""
    return [
        str(call.args[0].value)
        for call in ast.walk(node)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "kitty_clause"
        and isinstance(call.args[0], ast.Constant)
    ]


def _text(name: str) -> str:
    return files("kitty_conformance").joinpath(name).read_text(encoding="utf-8")
