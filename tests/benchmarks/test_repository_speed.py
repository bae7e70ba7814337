"""A repository with a bare origin, a diverged branch and a lane's worktree, beside the same by git, step by step.

The floor is the same inodes, bare: as many directories and empty files, in the same places, by `mkdir` and `open`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from measuring import medians, place

from kitty_reliability.build.clock import Clock
from kitty_reliability.build.mission import Mission, mission
from kitty_reliability.build.repository import git_environment, repository

pytest.importorskip("pytest_benchmark")

PACKAGES = {"WP01": "done", "WP04": "in_progress"}
LANES = {"lane-a": ["WP01", "WP04"]}


def step_by_step(root: Path, name: str) -> Mission:
    """What helpers of test suites do: each step a git process, the remote's commits by a second clone."""
    environment = git_environment(Clock())
    bare, updater = root.with_name(f"{root.name}.git"), root.with_name(f"{root.name}-updater")

    def git(where: Path, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=where, env=environment, capture_output=True, check=True)

    def configure(where: Path) -> None:
        git(where, "config", "user.name", "Kitty Builder")
        git(where, "config", "user.email", "kitty@example.invalid")
        git(where, "config", "commit.gpgsign", "false")

    def commit(where: Path, file: str | None) -> None:
        if file is not None:
            (where / file).write_bytes(b"x\n")
        git(where, "add", "--all")
        git(where, "commit", "--quiet", "--message", "Work")

    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch=main")
    configure(root)
    commit(root, "README.md")
    built = mission(root, PACKAGES, name=name, topology="lanes", lane_manifest=LANES)
    commit(root, None)
    git(root.parent, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    git(root, "remote", "add", "origin", str(bare))
    git(root, "push", "--quiet", "--set-upstream", "origin", "main")
    lane = f"kitty/mission-{built.slug}-lane-a"
    git(root, "branch", f"kitty/mission-{built.slug}")
    git(root, "worktree", "add", "--quiet", "-b", lane, f".worktrees/{built.slug}-lane-a")
    commit(root / ".worktrees" / f"{built.slug}-lane-a", "work.py")
    git(root.parent, "clone", "--quiet", str(bare), str(updater))
    configure(updater)
    commit(updater, "remote.txt")
    git(updater, "push", "--quiet")
    commit(root, "local.txt")
    git(root, "fetch", "--quiet")
    return built


def built_by_us(root: Path, name: str) -> Mission:
    made = repository(root, remote=True)
    built = made.mission(PACKAGES, name=name, lanes=LANES)
    made.diverge(ahead=1, behind=1)
    return built


def bare_inodes_of(base: Path, name: str) -> Callable[[Path, str], None]:
    """Return what makes the directories and the files, empty, of the repository called ``name`` and of its remote."""
    found = sorted(path for root in base.glob(f"{name}*") for path in (root, *root.rglob("*")))
    names = [(str(path.relative_to(base)).removeprefix(name), path.is_dir()) for path in found]

    def make(root: Path, _: str) -> None:
        for inside, is_directory in names:
            if is_directory:
                os.mkdir(f"{root}{inside}")  # noqa: PTH102 - as bare as can be
            else:
                os.close(os.open(f"{root}{inside}", os.O_WRONLY | os.O_CREAT))

    return make


def ratios(base: Path, rounds: int) -> dict[str, float]:
    """Return the medians of building in several ways, and of their floors."""
    number = count()
    same: Callable[[], str] = lambda: "demo"  # noqa: E731
    # Another name is another mission id, other rows, other files: no object but the first commit's was seen before.
    other: Callable[[], str] = lambda: f"m{next(number)}"  # noqa: E731
    for warm in ("warm", "model"):
        built_by_us(base / warm, "demo")
    ways: dict[str, tuple[Callable[[Path, str], object], Callable[[], str]]] = {
        "git, step by step": (step_by_step, same),
        "bare inodes": (bare_inodes_of(base, "model"), same),
        "built before": (built_by_us, same),
        "new content": (built_by_us, other),
    }
    turn = count()

    def built(way: str) -> Callable[[], object]:
        build, name = ways[way]
        return lambda: build(base / f"{way.split(',')[0].replace(' ', '-')}-{next(turn)}", name())

    return medians({way: built(way) for way in ways}, rounds)


def inodes(*roots: Path) -> tuple[int, int]:
    """Return how many files and directories there are."""
    found = [path for root in roots for path in (root, *root.rglob("*"))]
    return sum(path.is_file() for path in found), sum(path.is_dir() for path in found)


def test_a_layered_repository_costs_little(benchmark: Any, record: Any, memory_or_disk: Path) -> None:
    found = benchmark.pedantic(ratios, args=(memory_or_disk, 25), rounds=1)
    where = place(memory_or_disk)
    # Counts do not drift: a step that writes more than it did shows here first.
    files, folders = inodes(memory_or_disk / "model", memory_or_disk / "model.git")
    assert files <= 44
    assert folders <= 26
    git, bare = found["git, step by step"], found["bare inodes"]
    new = record(f"git to a repository with new content, {where}", git / found["new content"])
    known = record(f"git to a repository built before, {where}", git / found["built before"])
    inode = record(f"repository built before to bare inodes, {where}", found["built before"] / bare)
    assert new >= 8
    # In memory an inode costs next to nothing, and what stands in the files shows; on a disk the inodes are the
    # larger part, for git and for us, and the more so the busier it is.
    if where == "in memory":
        assert known >= 40
    else:
        assert inode <= 3
