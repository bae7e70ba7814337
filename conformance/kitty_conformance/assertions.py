"""Every assertion of the suite, read from its source, and which of them a failure came through.

An assertion is where a scenario, or what judges for it, raises a finding, and where it calls a judge: a function that
hides itself from tracebacks, because whoever calls it is to blame.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Final, TypeGuard
from zlib import crc32

__all__ = ["assertions", "passed_through"]

#: They pass on what somebody else asserts, or say whose answer it is.
_NO_JUDGES: Final = frozenset({"answered", "check", "fail"})
_RAISE: Final = "ScenarioFailure"


@cache
def assertions() -> Mapping[str, str]:
    """Return the source of each assertion, by its id: module, function and a digest of the source.

    The digest stays what it is when something else in the function changes.
    """
    return {name: text for of_module in _sites().values() for name, text in of_module.values()}


def passed_through(trace: TracebackType | None) -> list[str]:
    """Return the ids of the assertions that an exception came through, the scenario's own first."""
    found = []
    while trace is not None:
        code = trace.tb_frame.f_code
        _, line, _, column = list(code.co_positions())[trace.tb_lasti // 2]
        site = _sites().get(code.co_filename, {}).get((line or 0, column or 0))
        if site is not None:
            found.append(site[0])
        trace = trace.tb_next
    return found


@cache
def _sites() -> Mapping[str, Mapping[tuple[int, int], tuple[str, str]]]:
    """Return id and source of each assertion by file and by where it ends, line and column."""
    root = Path(str(files("kitty_conformance")))
    sources = {
        path: path.read_text(encoding="utf-8") for path in sorted([*root.glob("*.py"), *root.glob("ladder/*.py")])
    }
    trees = {path: ast.parse(source) for path, source in sources.items() if "import Finding" in source}
    named = [
        function for tree in trees.values() for function in ast.walk(tree) if isinstance(function, ast.FunctionDef)
    ]
    # What is called like something else that does not judge cannot be told from it.
    judges = {function.name for function in named if _hides(function)} - _NO_JUDGES
    judges -= {function.name for function in named if not _hides(function)}
    return {
        str(path): dict(_of_module(tree, ".".join(path.relative_to(root).with_suffix("").parts), sources[path], judges))
        for path, tree in trees.items()
    }


def _hides(function: ast.FunctionDef) -> bool:
    return any(ast.unparse(line).startswith("__tracebackhide__") for line in function.body[:2])


def _of_module(
    tree: ast.Module, module: str, source: str, judges: set[str]
) -> Iterator[tuple[tuple[int, int], tuple[str, str]]]:
    lines = source.encode().splitlines(keepends=True)
    for owner, function in _functions(tree, module):
        seen: Counter[str] = Counter()
        found = [] if function.name in _NO_JUDGES else [node for node in ast.walk(function) if _asserts(node, judges)]
        for node in sorted(found, key=lambda node: (node.lineno, node.col_offset)):
            end, column = node.end_lineno or 0, node.end_col_offset or 0
            whole = [*lines[node.lineno - 1 : end - 1], lines[end - 1][:column]]
            text = b"".join(whole)[node.col_offset :]
            said = " ".join(text.decode().split())
            name = f"{owner} {crc32(said.encode()):08x}"
            seen[name] += 1
            yield (end, column), (name if seen[name] == 1 else f"{name} {seen[name]}", said)


def _functions(node: ast.AST, owner: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef):
            yield f"{owner}.{child.name}", child
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{owner}.{child.name}")


def _asserts(node: ast.AST, judges: set[str]) -> TypeGuard[ast.Raise | ast.Call]:
    if isinstance(node, ast.Raise):
        return node.exc is not None and ast.unparse(node.exc).startswith(_RAISE)
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name in judges or (isinstance(node.func, ast.Attribute) and name in ("check", "fail"))
