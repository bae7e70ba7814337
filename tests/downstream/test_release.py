"""What is released: the same wheel each time, installed where nothing else is, used by a project of somebody else."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from packaging.metadata import Metadata
from packaging.version import Version

from kitty_reliability import mission

ROOT = Path(__file__).parents[2]
EPOCH = 1_700_000_000
PACKAGES = {"kitty_conformance", "kitty_reliability", "pytest_kitty"}


def run(*command: str | Path, cwd: Path, status: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``command`` without what this very run set for its own processes, and check its exit status."""
    own = ("PYTEST", "KITTY_", "PYTHON", "VIRTUAL_ENV", "COV_", "MYPY")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    done = subprocess.run(
        command, cwd=cwd, env=kept | environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == status, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


def build(source: Path, kind: str, directory: Path) -> Path:
    command = (sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", directory)
    run(*command, cwd=source, SOURCE_DATE_EPOCH=str(EPOCH))
    (made,) = directory.iterdir()
    return made


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    return build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs are of an environment that has the wheel and what it depends on, and nothing else."""
    environment = tmp_path_factory.mktemp("clean") / "environment"
    uv = (sys.executable, "-m", "uv")
    run(*uv, "venv", "--python", sys.executable, environment, cwd=environment.parent)
    made = environment / ("Scripts" if os.name == "nt" else "bin")
    # Copies where files cannot be linked, without a word about it.
    run(*uv, "pip", "install", "--python", made / "python", wheel, cwd=environment, UV_LINK_MODE="copy")
    run(*uv, "pip", "check", "--python", made / "python", cwd=environment)
    return made


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, outside of this tree."""
    directory = tmp_path_factory.mktemp("downstream") / "project"
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    return Path(shutil.copytree(Path(__file__).parent / "project", directory, ignore=ignored))


def test_the_sdist_makes_the_very_wheel_that_the_tree_makes(wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(build(ROOT, "sdist", tmp_path / "sdist")) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (source,) = (tmp_path / "unpacked").iterdir()
    again = build(source, "wheel", tmp_path / "wheel")
    assert again.name == wheel.name
    assert again.read_bytes() == wheel.read_bytes()
    for name in ("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md", "noxfile.py"):
        assert (source / name).read_bytes() == (ROOT / name).read_bytes()


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (described,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        # Checks every field by the rules of the index that it would be uploaded to.
        metadata = Metadata.from_email(archive.read(described), validate=True)
        assert {entry.date_time for entry in archive.infolist()} == {(2023, 11, 14, 22, 13, 20)}
        licence = archive.read(described.replace("METADATA", "licenses/LICENSE"))
    # License expressions came with 2.4.
    assert Version(metadata.metadata_version) >= Version("2.4")
    assert (metadata.license_expression, metadata.license_files) == ("MIT", ["LICENSE"])
    assert licence == (ROOT / "LICENSE").read_bytes()
    assert (metadata.description_content_type, metadata.description) == (
        "text/markdown",
        (ROOT / "README.md").read_text(encoding="utf-8"),
    )
    assert {name.partition("/")[0] for name in names} == PACKAGES | {described.partition("/")[0]}
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    assert not [name for name in names if re.search(r"__pycache__|\.py[co]$|/\.", name)]


def test_the_tests_of_the_project_pass_with_the_wheel(programs: Path, project: Path) -> None:
    said = run(programs / "python", "-m", "pytest", "-rA", "-p", "no:cacheprovider", cwd=project).stdout
    assert re.search(r"= 7 passed, 1 xfailed in ", said), said
    assert re.search(r"^LOG-001 +holds +1 passed$", said, re.MULTILINE), said
    assert re.search(r"^LOG-003 +violated +1 known deviation$", said, re.MULTILINE), said


def test_the_adapter_of_the_project_and_the_reference_conform(programs: Path, project: Path) -> None:
    adapter = "python:lane_reader_adapter:Adapter"
    said = run(programs / "kitty-conform", "run", adapter, "reference", "--clause", "LOG-001", cwd=project).stdout
    assert re.findall(r"^=+ clauses: (\S+) ", said, re.MULTILINE) == ["lane-reader", "reference"], said
    assert len(re.findall(r"^LOG-001 +holds ", said, re.MULTILINE)) == 2, said


def test_the_entry_for_pre_commit_audits_a_repository(programs: Path, tmp_path: Path) -> None:
    mission(tmp_path, {"WP01": "approved"}, slug="right")
    mission(tmp_path, {"WP01": "claimed"}, slug="torn").log.raw(b'{"half')
    (entry,) = (
        one for one in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text()) if one["id"] == "kitty-audit"
    )
    python, *arguments = entry["entry"].split()
    said = run(programs / python, *arguments, cwd=tmp_path, status=1).stdout
    assert re.search(r"kitty-specs/torn/status\.events\.jsonl:\d+", said), said
    assert re.search(r"^1 failed, ", said, re.MULTILINE), said
    assert "kitty-specs/right/" not in said


def test_mypy_accepts_the_project(programs: Path, project: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "mypy", "--python-executable", programs / "python", "--cache-dir", tmp_path, cwd=project)


def test_pyright_accepts_the_project(programs: Path, project: Path) -> None:
    # The package is a way to get the program, which is JavaScript, from its registry.
    if find_spec("pyright") is None or shutil.which("node") is None:
        pytest.skip("there is no pyright, or no node to run it")
    command = (sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", programs / "python")
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=600)
    if not done.stdout.startswith("{"):
        pytest.skip(f"pyright cannot be fetched: {done.stderr[-200:]}")
    found = json.loads(done.stdout)
    assert (found["generalDiagnostics"], found["summary"]["filesAnalyzed"]) == ([], 4)
