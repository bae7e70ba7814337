"""The second implementation: the example for Node keeps what it claims. Here a part of it; ``make conformance`` asks all."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kit import kitty_conform
from kitty_conformance.vectors import folder

ROOT = Path(__file__).parent.parent
ADAPTER = Path("conformance", "examples", "node", "adapter.mjs")
#: Clauses whose scenarios start few processes.
CLAUSES = ("STA-009", "LOG-005", "LOG-009", "SEC-004")


def _lacking() -> str | None:
    node = shutil.which("node")
    if node is None:
        return "node is not installed"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)", version)
    return None if found and int(found[1]) >= 20 else f"node 20 or later is needed, this is {version.strip() or 'none'}"


@pytest.mark.skipif(sys.platform == "win32", reason="the example is for POSIX")
def test_the_example_for_node_keeps_what_it_claims() -> None:
    if lacking := _lacking():
        pytest.skip(lacking)
    clauses = [word for clause in CLAUSES for word in ("--clause", clause)]
    done = kitty_conform("run", f"exec:node {ADAPTER.as_posix()}", *clauses, cwd=ROOT, limit=600)
    held = re.findall(r"^([A-Z]{3}-\d{3}) +holds", done.stdout, re.MULTILINE)
    assert (done.returncode, sorted(held)) == (0, sorted(CLAUSES)), done.stdout + done.stderr


def vectors(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    if lacking := _lacking():
        pytest.skip(lacking)
    command = ["node", ADAPTER.with_name("vectors.mjs"), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_the_example_for_node_answers_the_golden_vectors() -> None:
    done = vectors()
    said = json.loads(done.stdout)
    assert (said["wrong"], said["left_over"]) == ([], []), done.stdout
    assert done.returncode == 0
    assert said["counts"].keys() == {"rows", "instants", "reducer", "transitions"}
    assert sum(said["counts"].values()) > 450
    assert len(said["explained"]) < 40


def test_the_example_for_node_sees_what_is_not_as_expected(tmp_path: Path) -> None:
    for path in folder().glob("*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    name = tmp_path / "instants.json"
    name.write_bytes(name.read_bytes().replace(b'"nanoseconds": "0"', b'"nanoseconds": "1"'))
    assert "instants.json is not the file of the manifest" in vectors(tmp_path).stderr
    manifest = json.loads((tmp_path / "manifest.json").read_bytes())
    for entry in manifest["files"]:
        entry["sha256"] = hashlib.sha256((tmp_path / entry["file"]).read_bytes()).hexdigest()
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    done = vectors(tmp_path)
    assert done.returncode == 1
    assert [one["id"] for one in json.loads(done.stdout)["wrong"]] == ["instants/epoch"]


def test_the_readme_of_the_example_names_every_module() -> None:
    folder = (ROOT / ADAPTER).parent
    named = set(re.findall(r"`(\w+\.mjs)`", (folder / "README.md").read_text(encoding="utf-8")))
    assert named == {path.name for path in folder.glob("*.mjs")}
