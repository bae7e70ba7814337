"""What the pages of the site show runs as shown, in their order, in one directory a page; and the site is built.

How a page is written: a block with a title is a file; with a title such as ``a.py, in place of f`` it goes on with
that file, where the later definition counts. Each line of a ``sh`` block is run, and ends with status 0 or with that in a comment
``# exit status N``. A ``text`` block is what the command before it prints, where ``...`` stands for anything. What cannot
be run says why, in a comment ``not run:`` above it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from kitty_conformance.command import main

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))
GENERATED = runpy.run_path(str(DOCS / "clause_map.py"))["pages"]()

#: Pages whose blocks another module runs or compares with what is said.
ELSEWHERE = {
    "first-adapter.md": "test_first_adapter.py",
    "protocol.md": "test_documents.py",
    "reference.md": "test_documents.py",
    "how-to/audit.md": "test_documents.py",
    "vectors.md": "test_vectors.py",
    "benchmarks.md": "test_benchmarks.py",
    "versioning.md": "test_versioning.py",
}
#: Pages that are run here. Named one by one: no command of a page is run that nobody has looked at.
RUN = [
    "how-to/any-program.md",
    "how-to/ci.md",
    "library.md",
    "quickstart.md",
    "tutorials/audit-your-repository.md",
    "tutorials/test-a-blocker.md",
    "tutorials/write-another-implementation.md",
]
#: How many blocks of a page are not run. Each says why; a number that grows is looked at here.
NOT_RUN = {
    "how-to/any-program.md": 3,
    "how-to/ci.md": 2,
    "quickstart.md": 1,
    "reports.md": 5,
    "tutorials/audit-your-repository.md": 1,
    "tutorials/write-another-implementation.md": 1,
}
BLOCK = re.compile(
    r'^(?:<!-- not run: (?P<why>[^\n]+) -->\n)?```(?P<language>\w*)(?: title="(?P<file>[^",]+)(?P<more>,[^"]*)?")?\n(?P<text>.*?)^```$',
    re.MULTILINE | re.DOTALL,
)
STATUS = re.compile(r" +# exit status (\d)$")


class Block(NamedTuple):
    why: str | None
    language: str
    file: str | None
    more: str | None
    text: str


def shown(page: str) -> str:
    """Return the text of a page without the signatures in it, which are written from the code."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.sub(r"<!-- signatures: .*?<!-- end of signatures -->", "", text, flags=re.DOTALL)


def blocks(page: str) -> list[Block]:
    return [Block(*match.groups()) for match in BLOCK.finditer(shown(page))]


def of_its_own(page: str) -> bool:
    """Say whether the rules of this module are those of the page."""
    return page not in ELSEWHERE and not page.startswith(("fixtures/", "findings/"))


def write(directory: Path, block: Block) -> None:
    file = directory / str(block.file)
    file.write_text((file.read_text("utf-8") if block.more else "") + block.text, encoding="utf-8")
    if block.language == "yaml":
        assert isinstance(yaml.safe_load(block.text), dict)
    elif block.language == "toml":
        tomllib.loads(block.text)


def run(line: str, pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a line as a user would who has the commands on the path; what is quick to run in this process is."""
    found = STATUS.search(line)
    line = STATUS.sub("", line)
    if line.startswith("kitty-conform explain "):
        status, said = main(line.split()[1:]), capsys.readouterr().out
    elif line.startswith("pytest "):
        result = pytester.runpytest_inprocess("-p", "kitty", "-p", "no:randomly", *line.split()[1:])
        status, said = result.ret, result.stdout.str() + result.stderr.str()
    else:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = {**os.environ, "PATH": path, "COLUMNS": "120"}
        done = subprocess.run(
            ["sh", "-c", line], cwd=pytester.path, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        status, said = done.returncode, done.stdout + done.stderr
    assert status == int(found[1] if found else 0), said
    return said


def shows(said: str, text: str) -> bool:
    """Say whether each line of ``text`` is in what was said, in that order."""
    pattern = ".*".join(
        ".*".join(map(re.escape, re.split(r"\.\.\.", line.strip()))) for line in text.strip().splitlines()
    )
    return re.search(pattern, said, re.DOTALL) is not None


@pytest.mark.parametrize("page", RUN)
def test_every_block_of_the_page_runs_as_shown(
    page: str, pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    said = ""
    for block in blocks(page):
        if block.why is not None:
            continue
        if block.file:
            write(pytester.path, block)
        elif block.language == "sh":
            for line in block.text.splitlines():
                said = run(line, pytester, capsys)
        else:
            assert block.language == "text", (
                f"nobody runs this: give it a title, or say `not run:` above it:\n{block.text}"
            )
            assert shows(said, block.text), f"{block.text}\nis not in\n{said}"


def test_what_a_text_block_shows_is_looked_for_in_order() -> None:
    assert shows("one 1\ntwo 2.5 s\n", "one...\ntwo ... s")
    assert not shows("two\none\n", "one\ntwo")
    assert not shows("one\n", "two")


def test_what_is_not_run_says_why_and_is_counted() -> None:
    found = {page: [one.why for one in blocks(page) if one.why is not None] for page in PAGES}
    assert {page: len(why) for page, why in found.items() if why and of_its_own(page)} == NOT_RUN, found


def test_every_page_with_blocks_has_somebody_who_runs_them() -> None:
    shown_blocks = {page for page in PAGES if of_its_own(page) and any(one.why is None for one in blocks(page))}
    assert sorted(shown_blocks) == RUN


def test_every_fence_is_a_block_that_this_module_sees() -> None:
    """Indented fences, tildes and other words behind a fence would be run by nobody."""
    for page in PAGES:
        fences = len(re.findall(r"^[ >]*(?:```|~~~)", shown(page), re.MULTILINE))
        assert fences == 2 * len(blocks(page)), page


@pytest.mark.parametrize("page", sorted(GENERATED))
def test_the_page_is_what_the_suite_says_now(page: str) -> None:
    assert GENERATED[page] == (DOCS / page).read_text(encoding="utf-8"), f"docs/{page} is stale: make docs"


def test_the_catalogue_has_all_of_the_suite() -> None:
    assert len(re.findall(r"^### [A-Z]{3}-\d{3}$", GENERATED["clauses.md"], re.MULTILINE)) > 80
    assert len(re.findall(r"^### `test_\w+`$", GENERATED["scenarios.md"], re.MULTILINE)) > 250


# --- the site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly: a broken link, anchor or entry of the navigation ends it."""
    if importlib.util.find_spec("material") is None:
        pytest.skip("mkdocs-material is not installed: pip install '.[docs]'")
    directory = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(directory)],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return directory


def test_the_site_asks_nobody_else_for_anything(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)=\"?([^\"\s>]+)", text)
        assert [one for one in loaded if re.match(r"(?:https?:)?//", one)] == [], page


def test_the_site_can_be_searched_for_a_clause_and_for_a_fixture(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    text = {entry["location"]: entry["title"] for entry in index["docs"]}
    assert text["clauses.html#sta-001"] == "STA-001"
    assert any(place.startswith("fixtures/") and "torn_tail" in title for place, title in text.items())


def test_every_page_is_in_the_navigation(site: Path) -> None:
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r"[\w/-]+\.md", config.partition("\nnav:")[2].partition("\n\n")[0]))
    assert [page for page in PAGES if of_its_own(page) and page not in listed] == []
    assert all((site / page).with_suffix(".html").exists() or page.endswith("README.md") for page in listed)
