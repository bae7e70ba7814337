"""What the documents show runs as shown."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

READER = '''
class my_reader:
    """The reader that the README's example tests: the reference's recovery read."""

    def __init__(self, directory):
        self.directory = directory

    def lane(self, work_package):
        from kitty_reliability.reference.workflow import Workflow

        root, slug = self.directory.parent.parent, self.directory.name
        return Workflow().state(str(root), slug, recover=True).lanes[work_package]


'''


def blocks(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_first_example_of_the_readme_passes(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_readme=READER + blocks("README.md", "python")[0])
    result = pytester.runpytest_subprocess("-p", "kitty", "--strict-markers")
    result.assert_outcomes(passed=1)


def test_the_second_example_of_the_readme_builds_what_it_says(tmp_path: Path) -> None:
    code = blocks("README.md", "python")[1] + "print(built.lanes, committed.lanes, repr(repo.status))\n"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "{'WP01': 'approved', 'WP02': 'blocked'} {'WP01': 'done'} ''\n"


def test_the_adapter_of_the_protocol_page_is_asked(tmp_path: Path) -> None:
    (tmp_path / "page_adapter.py").write_text(blocks("docs/protocol.md", "python")[0], encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "kitty_conformance.command", "run", "python:page_adapter:Adapter", "--clause", "STA-001"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    # It claims no capability to write, so nothing is decided against it, and nothing holds.
    assert re.search(r"^STA-001 +not applicable", done.stdout, re.MULTILINE), done.stdout + done.stderr
    assert done.returncode == 5


def test_every_block_of_the_fixtures_page_passes(pytester: pytest.Pytester) -> None:
    found = blocks("docs/fixtures.md", "python")
    for number, block in enumerate(found):
        pytester.makepyfile(**{f"test_block_{number}": block})
    result = pytester.runpytest_subprocess("-p", "kitty", "--strict-markers", "-p", "no:randomly")
    result.assert_outcomes(passed=sum(block.count("\ndef test_") + block.startswith("def test_") for block in found))


@pytest.mark.parametrize(
    "document", ["README.md", "CONTRIBUTING.md", "docs/protocol.md", "docs/profiles.md", "docs/fixtures.md"]
)
def test_every_link_to_a_file_leads_to_one(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert ((ROOT / document).parent / target).exists(), target


def test_the_makefile_names_the_commands_of_the_readme() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in re.findall(r"make ([a-z]+)", (ROOT / "README.md").read_text(encoding="utf-8")):
        assert re.search(rf"^{command}:", makefile, re.MULTILINE), command
