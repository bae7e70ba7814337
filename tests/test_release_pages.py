"""What SECURITY.md and docs/versioning.md say of code, tests and reports is so."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from kitty_conformance.schemas import schema

ROOT = Path(__file__).parent.parent
NAMED = re.findall(
    r"^\| .* \| .* \| `(\S+)` \| `(\S+)` \|$", (ROOT / "SECURITY.md").read_text(encoding="utf-8"), re.MULTILINE
)


def test_every_defence_has_its_line() -> None:
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    table = page.partition("| threat |")[2].partition("\n\n")[0]
    assert len(NAMED) == table.count("\n") - 1 > 15


@pytest.mark.parametrize(("code", "test"), NAMED)
def test_a_defence_has_the_code_and_the_test_that_are_named(code: str, test: str) -> None:
    assert (ROOT / code).exists()
    path, _, name = test.partition("::")
    functions = [
        node.name
        for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    ]
    assert name in functions if name else any(function.startswith("test_") for function in functions)


def test_a_report_has_the_versions_that_the_page_names() -> None:
    page = (ROOT / "docs" / "versioning.md").read_text(encoding="utf-8")
    table = page.partition("\n\n")[2].partition("\n\n")[2].partition("\n\n")[0]
    named = set(re.findall(r"`([a-z.]+)`", "".join(line.rpartition(" | ")[2] for line in table.splitlines())))
    assert named == {"suite", "contract.hash", "contract.clauses", "protocol", "format"}
    header = schema("report")["$defs"]["header"]
    for name in named:
        key, _, part = name.partition(".")
        assert key in header["required"]
        assert not part or part in header["properties"][key]["required"]
