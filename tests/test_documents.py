"""What the documents show runs as shown."""

from __future__ import annotations

import ast
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kit import kitty_conform
from kitty_conformance.vectors import folder
from kitty_reliability.audit.rules import RULES
from kitty_reliability.build.mission import mission
from pytest_kitty import fixtures
from pytest_kitty.facade import Kitty

ROOT = Path(__file__).parent.parent
PAGES = sorted(page.relative_to(ROOT).as_posix() for page in (ROOT / "docs" / "fixtures").glob("*.md"))
#: What is generated is left to the build of the site, which follows every link of every page.
GUIDES = sorted(
    page.relative_to(ROOT).as_posix()
    for folder in ("tutorials", "how-to", "explanation")
    for page in (ROOT / "docs" / folder).glob("*.md")
)
SIGNATURES = runpy.run_path(str(ROOT / "docs" / "signatures.py"))

AUDIT = "docs/how-to/audit.md"

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
    done = kitty_conform("run", "python:page_adapter:Adapter", "--clause", "STA-001", cwd=tmp_path)
    # It claims no capability to write, so nothing is decided against it, and nothing holds.
    assert re.search(r"^STA-001 +not applicable", done.stdout, re.MULTILINE), done.stdout + done.stderr
    assert done.returncode == 5


@pytest.mark.parametrize(("language", "program"), [("python", sys.executable), ("js", "node")])
def test_the_first_run_of_the_page_of_vectors_says_what_is_otherwise(
    tmp_path: Path, language: str, program: str
) -> None:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    (block,) = blocks("docs/vectors.md", language)
    script = tmp_path / ("run.mjs" if language == "js" else "run.py")
    script.write_text(block, encoding="utf-8")
    done = subprocess.run([found, script, folder()], capture_output=True, text=True, check=False, timeout=60)
    assert re.fullmatch(r"\d+ of \d+ otherwise, first globs/[\w-]+\n", done.stdout), done.stdout + done.stderr


def test_the_page_of_vectors_names_every_file_and_command() -> None:
    text = (ROOT / "docs" / "vectors.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+\.json)`", text, re.MULTILINE)
    assert sorted([*rows, "manifest.json"]) == sorted(path.name for path in folder().glob("*.json"))
    assert [line.split()[:3] for line in blocks("docs/vectors.md", "sh")[0].splitlines()] == [
        ["kitty-conform", "vectors", "write"],
        ["kitty-conform", "vectors", "check"],
    ]


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_a_page_passes(pytester: pytest.Pytester, page: str) -> None:
    found = blocks(page, "python")
    assert found
    for number, block in enumerate(found):
        # What is no test of pytest or unittest would be run by nobody.
        assert "def test_" in block, block
        pytester.makepyfile(**{f"test_block_{number}": block})
    result = pytester.runpytest_subprocess("-p", "kitty", "--strict-markers", "-W", "error", "-p", "no:randomly")
    outcomes = result.parseoutcomes()
    assert set(outcomes) == {"passed"}
    assert outcomes["passed"] >= sum(block.count("def test_") for block in found)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_code_that_nobody_runs(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert set(re.findall(r"^ *```(\w*)$", text, re.MULTILINE)) <= {"", "python", "text"}
    assert ">>>" not in text


@pytest.mark.parametrize("page", [*PAGES, "docs/library.md"])
def test_the_signatures_of_a_page_are_those_of_the_code(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert SIGNATURES["fresh"](text) == text, f"{page} is stale: make docs"


def test_a_signature_is_that_of_what_is_called() -> None:
    text = SIGNATURES["fresh"](
        "<!-- signatures: kitty_reliability.faults.log:torn_tail kitty_reliability.faults.network:only_loopback -->\n"
        "<!-- end of signatures -->"
    )
    assert "\ntorn_tail(log: Path | EventLog, /, *, at: int | None = None) -> Damage\n" in text
    assert "\nwith only_loopback() as NetworkGuard\n" in text


def test_the_commands_of_the_audit_page_pass(pytester: pytest.Pytester) -> None:
    mission(pytester.path, {"WP01": "done", "WP02": "in_review"})
    (pytester.path / ".kittify").mkdir(exist_ok=True)
    workflow, pipeline, hooks = (yaml.safe_load(block) for block in blocks(AUDIT, "yaml"))
    lines = [line for block in blocks(AUDIT, "sh") for line in block.splitlines()]
    lines += [step["run"] for step in workflow["jobs"]["audit"]["steps"] if "run" in step]
    lines += [*pipeline["audit"]["script"], hooks["repos"][0]["hooks"][0]["entry"]]
    lines = [line for line in lines if not line.startswith("pip install ")]
    assert len(lines) == 9
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "pytest"
        result = pytester.runpytest_inprocess(*arguments, "-p", "no:xdist", "-p", "no:randomly")
        assert result.ret == 0, line
        assert set(result.parseoutcomes()) == {"passed"}
    assert (pytester.path / "audit.html").is_file()
    assert (pytester.path / "audit.xml").is_file()

    # By the ini file of the page, five rules; its baseline was written by a command above.
    (pytester.path / "pytest.ini").write_text(blocks(AUDIT, "ini")[0], encoding="utf-8")
    result = pytester.runpytest_inprocess("-p", "kitty", "--kitty-audit", ".", "-p", "no:xdist", "-p", "no:randomly")
    result.assert_outcomes(passed=5)

    (pytester.path / "test_page.py").write_text(blocks(AUDIT, "python")[0], encoding="utf-8")
    pytester.runpytest_inprocess("test_page.py", "-p", "no:xdist", "-p", "no:randomly").assert_outcomes(passed=1)


def test_the_rules_of_the_audit_page_are_those_of_the_code() -> None:
    text = (ROOT / AUDIT).read_text(encoding="utf-8")
    rows = [f"| `{one.id}` | {one.severity} | {one.sentence} | {', '.join(one.clauses)} |" for one in RULES.values()]
    assert re.findall(r"^\| `.*$", text, re.MULTILINE) == rows


def test_every_public_name_is_on_a_page() -> None:
    texts = [(ROOT / page).read_text(encoding="utf-8") for page in PAGES]
    missing = SIGNATURES["missing"](texts)
    assert not missing, f"name them in a comment `signatures:` or `machinery:` of a page, then make docs: {missing}"
    # It would be missed: without one page, its names are.
    without = [text for text, page in zip(texts, PAGES, strict=True) if not page.endswith("disk.md")]
    assert "kitty_reliability.faults.disk:DiskFault" in SIGNATURES["missing"](without)


def test_every_fixture_is_in_the_index() -> None:
    text = (ROOT / "docs" / "fixtures" / "README.md").read_text(encoding="utf-8")
    tree = ast.parse(Path(fixtures.__file__).read_text(encoding="utf-8"))
    public = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")}
    assert public - {"kitty"} <= set(re.findall(r"`(kitty\w*)`", text))


@pytest.mark.parametrize(
    "document",
    [
        "README.md",
        "CONTRIBUTING.md",
        "docs/protocol.md",
        "docs/profiles.md",
        "docs/reference.md",
        "docs/first-adapter.md",
        "docs/vectors.md",
        "docs/reports.md",
        "docs/library.md",
        "docs/index.md",
        "docs/quickstart.md",
        "docs/scale.md",
        *GUIDES,
        *PAGES,
    ],
)
def test_every_link_leads_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for target, _, heading in re.findall(r"\]\((?!https?:)([^)#]*)(#([^)]+))?\)", text):
        file = (ROOT / document).parent / target if target else ROOT / document
        assert file.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]


def test_the_makefile_names_the_commands_of_the_readme() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in re.findall(r"make ([a-z]+)", (ROOT / "README.md").read_text(encoding="utf-8")):
        assert re.search(rf"^{command}:", makefile, re.MULTILINE), command


def test_the_commands_of_the_page_of_the_reference_do_what_it_says(kitty: Kitty) -> None:
    built = kitty.mission()
    lines = [line for line in blocks("docs/reference.md", "text")[0].splitlines() if line]
    assert len(lines) == 4
    said = [kitty.run([sys.executable, *shlex.split(line)[1:]], cwd=built.root) for line in lines]
    assert [done.status for done in said] == [0, 0, 0, 0], said
    assert said[1].stdout.one_json()["lanes"] == {"WP01": "claimed"}
    assert kitty.state(built) == {"WP01": "in_progress"}


def test_every_module_of_the_reference_is_on_its_page() -> None:
    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    modules = {path.stem for path in (ROOT / "src" / "kitty_reliability" / "reference").glob("[a-z]*.py")}
    assert {name for name in modules if f"`{name}`" not in text} == {
        "files",
        "annotations",
        "retrospectives",
        "writable",
    }
