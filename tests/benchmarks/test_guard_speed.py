"""The cost of a judgement beside that of asking git for what is staged, which it cannot do without."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from measuring import ratio

from kitty_reliability.build.lanes import RepositoryMission
from kitty_reliability.build.mission import WorkPackage
from kitty_reliability.build.repository import git_environment, repository
from kitty_reliability.implementations.protocol import Guard
from kitty_reliability.reference.adapter import Reference

pytest.importorskip("pytest_benchmark")

FILES, PATTERNS = 2_000, 200


def staged(root: Path) -> RepositoryMission:
    """A lane with 2,000 staged files, and an active work package with 200 patterns of every kind that own them."""
    patterns = [
        *(f"src/part{number}/**" for number in range(PATTERNS // 2)),
        *(f"tests/part{number}/test_*.py" for number in range(PATTERNS // 4)),
        *(f"docs/**/page{number}.md" for number in range(PATTERNS // 4)),
    ]
    packages = {"WP01": "approved", "WP04": WorkPackage("in_progress", owned_files=patterns)}
    built = repository(root).mission(packages, lanes={"lane-a": ["WP01", "WP04"]}, lane_commits=0)
    lane = built.lane("lane-a")
    names = [
        *(f"src/part{number % 100}/deep/file{number}.py" for number in range(FILES // 2)),
        *(f"tests/part{number % 50}/test_{number}.py" for number in range(FILES // 4)),
        *(f"docs/section{number}/page{number % 50}.md" for number in range(FILES // 4)),
    ]
    for name in names:
        path = lane.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    lane.git("add", "--all")
    return built


def judging(built: RepositoryMission) -> Callable[[], None]:
    reference, request = Reference(), Guard(root=str(built.lane("lane-a").path))

    def judge() -> None:
        outcome = reference.answer(request)
        assert outcome.value["outcome"] == "allowed", outcome
        assert len(outcome.value["owned_files"]) == PATTERNS

    return judge


def asking(built: RepositoryMission) -> Callable[[], None]:
    path, environment = built.lane("lane-a").path, git_environment()

    def ask() -> None:
        argv = ["git", "diff", "--cached", "--name-status", "-z"]
        done = subprocess.run(argv, cwd=path, env=environment, capture_output=True, check=True)
        assert done.stdout.count(b"\0") == 2 * FILES

    return ask


def test_judging_costs_at_most_twice_what_git_takes_to_list_the_names(
    benchmark: Any, record: Any, tmp_path: Path
) -> None:
    built = staged(tmp_path / "repo")
    found = benchmark.pedantic(ratio, args=(judging(built), asking(built), 100), rounds=1)
    assert record("judging to git diff", found) <= 2
