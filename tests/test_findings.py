"""The pages of what the released command violates name clauses, findings and scripts that there are."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from kitty_conformance.catalogue import scenarios
from kitty_conformance.known import MOST_DAYS, read_known
from kitty_reliability.implementations.released import default_directory
from pytest_kitty.scenarios import Finding

ROOT = Path(__file__).parent.parent
FINDINGS = ROOT / "docs" / "findings"
PAGES = sorted(page.stem for page in FINDINGS.glob("*.md") if page.name != "README.md")
#: What the scripts share.
SHARED = {"mission", "service", "world"}
SCRIPTS = sorted({script.stem for script in (FINDINGS / "reproduce").glob("*.py")} - SHARED)
CLAUSES = tomllib.loads((ROOT / "conformance" / "kitty_conformance" / "clauses.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_a_clause_a_finding_and_its_script(page: str) -> None:
    text = (FINDINGS / f"{page}.md").read_text(encoding="utf-8")
    clause, finding = re.findall(r"^\| ([A-Z]{3}-\d{3}) \| ([a-z-]+) \|", text, re.MULTILINE)[0]
    assert clause in CLAUSES
    assert finding in set(Finding)
    assert f"](reproduce/{page}.py)" in text
    assert re.search(r"^BROKEN: ", text, re.MULTILINE)
    assert "/tmp" not in text
    title = text.splitlines()[0].removeprefix("# ")
    index = (FINDINGS / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| \[{re.escape(title)}\]\({page}\.md\) \| {clause} \|", index, re.MULTILINE)


def test_the_index_has_every_page_and_every_script() -> None:
    index = (FINDINGS / "README.md").read_text(encoding="utf-8")
    pages = "".join((FINDINGS / f"{page}.md").read_text(encoding="utf-8") for page in PAGES)
    assert sorted(re.findall(r"^\| \[.*\]\(([a-z0-9-]+)\.md\)", index, re.MULTILINE)) == PAGES
    assert len(PAGES) > 20
    assert {name for name in SCRIPTS if f"{name}.py" not in index + pages} == set()
    for target in re.findall(r"\]\(((?!https?:)[^)#]+)", index + pages):
        assert (FINDINGS / target).exists(), target


@pytest.mark.parametrize("script", [*SCRIPTS, *sorted(SHARED)])
def test_a_script_needs_nothing_but_python(script: str) -> None:
    tree = ast.parse((FINDINGS / "reproduce" / f"{script}.py").read_text(encoding="utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= {*sys.stdlib_module_names, *SHARED}
    assert ast.get_docstring(tree)


def test_a_script_comes_to_what_its_page_says() -> None:
    command = default_directory() / "3.2.7" / "bin" / "spec-kitty"
    if not command.is_file():
        pytest.skip("spec-kitty 3.2.7 is not installed: make test installs it")
    for script, status in (("log-003", 1), ("log-006", 0)):
        argv = [sys.executable, str(FINDINGS / "reproduce" / f"{script}.py"), str(command)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stdout + done.stderr


def test_a_command_that_is_none_is_not_reached(tmp_path: Path) -> None:
    (command := tmp_path / "spec-kitty").write_text("#!/bin/sh\nexit 3\n")
    command.chmod(0o755)
    script = FINDINGS / "reproduce" / "log-003.py"
    done = subprocess.run([sys.executable, str(script), str(command)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "NOT REACHED" in done.stdout


@pytest.mark.parametrize("known", sorted((ROOT / "conformance" / "known").glob("*.toml")), ids=lambda path: path.stem)
def test_a_list_of_known_deviations_can_be_read_and_its_links_lead_somewhere(known: Path) -> None:
    entries = tomllib.loads(known.read_text(encoding="utf-8"))["deviation"]
    # Judged on the day that it was written: that it expires is for whoever runs with it.
    day = min(entry["expires"] for entry in entries) - timedelta(days=MOST_DAYS)
    read = read_known(known, day)
    read.begin("spec-kitty", known.stem.removeprefix("spec-kitty-"))
    assert len(read.entries) == len(entries) > 0
    for entry in entries:
        assert (ROOT / entry["link"]).is_file()
        assert entry["scenario"].partition("[")[0] in scenarios()
