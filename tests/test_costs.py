"""What building costs, counted: processes, opens, inodes, modules. Counts are stable where milliseconds are not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.build.repository import repository

#: Each step of the program prints what happened in it.
PROGRAM = """
import json, os, sys

PROCESSES = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.exec", "os.system"}
before, started, written = set(sys.modules), [], []

def watch(event, arguments):
    if event in PROCESSES:
        started.append(event)
    elif event == "open" and isinstance(arguments[0], str) and arguments[2] & (os.O_WRONLY | os.O_RDWR):
        written.append(os.path.relpath(arguments[0], BASE))

def report():
    modules = sorted(set(sys.modules) - before)
    print(json.dumps({"processes": started, "written": written, "modules": modules}))
    started.clear(), written.clear()

BASE = sys.argv[1]
sys.addaudithook(watch)
from kitty_reliability.build.mission import mission
report()
packages = {f"WP{number:02}": "done" for number in range(1, 7)}
mission(f"{BASE}/mission", packages, lane_manifest={"lane-a": list(packages)})
report()
from kitty_reliability.build.repository import repository
repository(f"{BASE}/first", remote=True)
report()
for topology in ("single_branch", "lanes", "coord", "lanes_with_coord"):
    made = repository(f"{BASE}/{topology}", remote=True)
    made.mission({"WP01": "done", "WP04": "in_progress"}, topology=topology)
    made.diverge(ahead=2, behind=1)
    made.commit("More", files={"src/more.py": "more"})
report()
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("costs").resolve()


@pytest.fixture(scope="module")
def steps(base: Path) -> dict[str, Any]:
    """What the import, a mission, the first repository of a process and the later ones did."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(base)], capture_output=True, text=True, check=True)
    names = ("import", "mission", "first repository", "later repositories")
    return dict(zip(names, map(json.loads, done.stdout.splitlines()), strict=True))


def inodes(*roots: Path) -> tuple[int, int]:
    """Return how many files and directories there are."""
    found = [path for root in roots for path in (root, *root.rglob("*"))]
    return sum(path.is_file() for path in found), sum(path.is_dir() for path in found)


def test_building_starts_no_process_once_git_was_asked_about_the_file_system(steps: dict[str, Any]) -> None:
    assert [len(steps[name]["processes"]) for name in ("import", "mission", "later repositories")] == [0, 0, 0]
    # One for a work tree and one for a bare repository, in the first place of a process; so spawning is seen at all.
    assert steps["first repository"]["processes"] == ["subprocess.Popen"] * 2


def test_each_file_of_a_mission_is_opened_once(steps: dict[str, Any], base: Path) -> None:
    files = [path.relative_to(base).as_posix() for path in (base / "mission").rglob("*") if path.is_file()]

    assert Counter(name.replace("\\", "/") for name in steps["mission"]["written"]) == Counter(files)


def test_a_mission_is_its_files_and_the_directories_they_need(steps: dict[str, Any], base: Path) -> None:
    # The configuration, meta.json, tasks.md, lanes.json, the log and six tasks; in .kittify, kitty-specs, <slug>, tasks.
    assert inodes(base / "mission") == (11, 5)


def test_building_files_loads_nothing_that_only_other_layers_need(steps: dict[str, Any]) -> None:
    modules = {module for name in ("import", "mission") for module in steps[name]["modules"]}

    assert "kitty_reliability.build.mission" in modules
    others = ("pydantic", "git", "freezegun", "filelock", "ulid", "subprocess")
    assert not [module for module in modules if module.split(".")[0] in others]
    assert not [module for module in modules if "repository" in module or "git_" in module or "faults" in module]


def test_a_layered_repository_is_fewer_inodes_than_git_makes_of_it(tmp_path: Path) -> None:
    def build(name: str, *, by_git: bool) -> int:
        made = repository(tmp_path / name, remote=True, by_git=by_git)
        made.mission({"WP01": "done", "WP04": "in_progress"}, lanes={"lane-a": ["WP01", "WP04"]})
        made.diverge(ahead=1, behind=1)
        return sum(inodes(tmp_path / name, tmp_path / f"{name}.git"))

    build("first", by_git=False)
    ours, gits = build("ours", by_git=False), build("gits", by_git=True)

    # Without hooks and descriptions, which `git init` is told to leave out; what is left are loose objects and logs.
    assert ours <= 70
    assert ours * 2 <= gits, (ours, gits)
