"""What the suite is made of: clauses, scenarios and findings, read from its files without running anything."""

from __future__ import annotations

import ast
import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["Scenario", "clauses", "contract_hash", "findings", "scenario_name", "scenarios"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario, whatever its parameters: the name of its function, which nothing else in the suite has."""

    name: str
    module: str
    clauses: tuple[str, ...]
    promise: str


@cache
def clauses() -> Mapping[str, Mapping[str, Any]]:
    """Return the clauses that the suite decides, by id: ``promise``, ``side``, ``source`` and ``profiles``."""
    return tomllib.loads(_text("clauses.toml"))


@cache
def findings() -> Mapping[str, str]:
    """Return what each finding means, in one sentence."""
    return tomllib.loads(_text("findings.toml"))


def contract_hash() -> str:
    """Return the digest of the clauses: two runs with one digest were judged by the same promises."""
    return hashlib.sha256(_text("clauses.toml").encode()).hexdigest()


@cache
def scenarios() -> Mapping[str, Scenario]:
    """Return the scenarios by name."""
    found: dict[str, Scenario] = {}
    for module in sorted(files("kitty_conformance").iterdir(), key=lambda file: file.name):
        if module.name.startswith("test_") and module.name.endswith(".py"):
            tree = ast.parse(module.read_text(encoding="utf-8"))
            found |= {one.name: one for one in _scenarios(tree, module.name)}
    return found


def scenario_name(node_id: str) -> str:
    """Return the name of a scenario with its parameters, which lists and reports use, from pytest's id of it."""
    return node_id.partition("::")[2] or node_id


def _scenarios(tree: ast.Module, module: str) -> Iterator[Scenario]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            decided = tuple(
                mark.args[0].value
                for mark in node.decorator_list
                if isinstance(mark, ast.Call)
                and ast.unparse(mark.func) == "pytest.mark.kitty_clause"
                and isinstance(mark.args[0], ast.Constant)
            )
            yield Scenario(node.name, module, tuple(map(str, decided)), ast.get_docstring(node) or "")


def _text(name: str) -> str:
    return files("kitty_conformance").joinpath(name).read_text(encoding="utf-8")
