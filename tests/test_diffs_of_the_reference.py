"""The reference's diff instructions, where the suite does not look: codes, records that are damaged, odd histories."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.build.lanes import RepositoryMission
from kitty_reliability.build.mission import WorkPackage
from kitty_reliability.build.repository import git_environment, repository
from kitty_reliability.formats.lane_manifest import read_lane_manifest
from kitty_reliability.implementations.protocol import Capability, Diff, Hello
from kitty_reliability.reference.adapter import Reference


@pytest.fixture
def built(tmp_path: Path) -> RepositoryMission:
    packages = {"WP01": WorkPackage("for_review", dependencies=["WP02"]), "WP02": "for_review", "WP03": "planned"}
    lanes = {"lane-a": ["WP01"], "lane-b": ["WP02"], "lane-planning": ["WP03"]}
    return repository(tmp_path / "repo").mission(packages, lanes=lanes)


def ask(built: RepositoryMission, work_package: str = "WP01") -> Any:
    return Reference().answer(Diff(root=str(built.root), mission=built.slug, work_package=work_package))


def refusal(built: RepositoryMission, work_package: str = "WP01") -> tuple[str, str]:
    outcome = ask(built, work_package)
    assert str(outcome.kind) == "refused", outcome
    return outcome.value["diagnostic_code"], outcome.value["message"]


def shown(built: RepositoryMission, work_package: str = "WP01") -> list[str]:
    """Return the files that the commands show, sorted."""
    outcome = ask(built, work_package)
    assert outcome.ok, outcome
    assert outcome.value["lines"] == [shlex.join(argv) for argv in outcome.value["commands"]]
    printed = [
        subprocess.run(
            argv, cwd=outcome.value["cwd"], env=git_environment(), capture_output=True, text=True, check=True
        )
        for argv in outcome.value["commands"]
    ]
    lines = [line for done in printed for line in done.stdout.splitlines()]
    return sorted({line.split(" b/")[1] for line in lines if line.startswith("diff --git")})


def record(built: RepositoryMission, **keys: Any) -> None:
    lane = built.lane("lane-a")
    lane.context = replace(lane.context, **keys)
    lane.fresh_context()


def manifest(built: RepositoryMission, **keys: Any) -> None:
    found = read_lane_manifest(built.paths.lanes)
    assert found is not None
    built.paths.lanes.write_bytes(replace(found, **keys).encode())


def merge(built: RepositoryMission, *options: str) -> None:
    built.repository.git("checkout", "--quiet", built.branch)
    built.repository.git("merge", "--quiet", "--no-edit", *options, built.lane("lane-a").branch)
    built.repository.git("checkout", "--quiet", "main")


def test_it_is_claimed() -> None:
    assert Capability.DIFF in Reference().answer(Hello()).value["capabilities"]


def test_a_lane_is_shown_from_where_it_began(built: RepositoryMission) -> None:
    assert shown(built) == ["src/wp01/work-1.py"]
    assert shown(built, "WP02") == ["src/wp02/work-1.py"]


def test_a_lane_without_work_shows_nothing(tmp_path: Path) -> None:
    built = repository(tmp_path / "repo").mission({"WP01": "claimed"}, lanes={"lane-a": ["WP01"]}, lane_commits=0)
    assert shown(built) == []


@pytest.mark.parametrize("options", [["--no-ff"], ["--ff-only"]])
def test_a_lane_that_the_mission_took_is_still_shown(built: RepositoryMission, options: list[str]) -> None:
    merge(built, *options)
    assert shown(built) == ["src/wp01/work-1.py"]


def test_a_dependency_that_was_taken_over_as_it_was_is_not_shown(tmp_path: Path) -> None:
    packages = {"WP01": WorkPackage("for_review", dependencies=["WP02"]), "WP02": "for_review"}
    built = repository(tmp_path / "repo").mission(
        packages, lanes={"lane-a": ["WP01"], "lane-b": ["WP02"]}, lane_commits=0
    )
    built.lane("lane-b").add("src/wp02/b.py").commit()
    built.lane("lane-a").git("merge", "--quiet", "--ff-only", built.lane("lane-b").branch)
    built.lane("lane-a").add("src/wp01/a.py").commit()
    assert shown(built) == ["src/wp01/a.py"]


def test_what_a_dependency_needs_is_not_shown_either(tmp_path: Path) -> None:
    needs = {"WP01": ["WP02"], "WP02": ["WP03"], "WP03": []}
    packages = {name: WorkPackage("for_review", dependencies=needed) for name, needed in needs.items()}
    lanes = {"lane-a": ["WP01"], "lane-b": ["WP02"], "lane-c": ["WP03"]}
    built = repository(tmp_path / "repo").mission(packages, lanes=lanes, lane_commits=0)
    a, b, c = map(built.lane, lanes)
    c.add("src/wp03/c.py").commit()
    a.git("merge", "--quiet", "--ff-only", c.branch)
    b.add("src/wp02/b.py").commit()
    b.git("merge", "--quiet", "--no-edit", "--no-ff", c.branch)
    a.add("src/wp01/a.py").commit()
    assert shown(built) == ["src/wp01/a.py"]


def test_what_a_merge_was_resolved_to_is_shown(built: RepositoryMission) -> None:
    a, b = built.lane("lane-a"), built.lane("lane-b")
    a.add("src/both.py", "a\n").commit()
    b.add("src/both.py", "b\n").commit()
    a.git("merge", "--quiet", b.branch, check=False)
    a.edit("src/both.py", "resolved\n").commit()
    outcome = ask(built)
    done = subprocess.run(
        ["sh", "-c", outcome.value["lines"][0]],
        cwd=built.root,
        env=git_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "++resolved" in done.stdout
    assert "src/wp02" not in done.stdout


def test_without_a_context_the_name_is_the_conventional_one(built: RepositoryMission) -> None:
    built.lane("lane-a").missing_context()
    assert shown(built) == ["src/wp01/work-1.py"]


@pytest.mark.parametrize("commit", [None, "", "unknown", "--all", "0" * 40, "main"])
def test_a_recorded_commit_that_is_none_does_no_harm(built: RepositoryMission, commit: str | None) -> None:
    record(built, base_commit=commit)
    assert shown(built) == ["src/wp01/work-1.py"]


def test_without_a_common_commit_nothing_is_guessed(built: RepositoryMission) -> None:
    lane = built.lane("lane-a")
    lane.git("checkout", "--quiet", "--orphan", "apart")
    lane.git("commit", "--quiet", "--message", "Begin elsewhere")
    built.repository.git("update-ref", f"refs/heads/{lane.branch}", lane.head)
    code, message = refusal(built)
    assert code == "DIFF_START_UNKNOWN"
    assert lane.branch in message
    record(built, base_commit=lane.head)
    assert shown(built) == []


def test_a_lane_that_lies_in_its_base_is_refused_without_a_record(built: RepositoryMission) -> None:
    merge(built, "--ff-only")
    manifest(built, lanes=[lane for lane in read_lane_manifest(built.paths.lanes).lanes if lane.lane_id == "lane-a"])  # type: ignore[union-attr]
    record(built, base_commit=None)
    assert refusal(built)[0] == "DIFF_START_UNKNOWN"


@pytest.mark.parametrize("work_package", ["WP03", "WP99", "../x", ""])
def test_a_work_package_without_a_lane_of_its_own_is_refused(built: RepositoryMission, work_package: str) -> None:
    assert refusal(built, work_package)[0] == "DIFF_LANE_UNKNOWN"


def test_without_a_manifest_nothing_is_guessed(built: RepositoryMission) -> None:
    built.paths.lanes.unlink()
    assert refusal(built)[0] == "DIFF_LANE_UNKNOWN"
    built.paths.lanes.write_bytes(b"{")
    assert refusal(built)[0] == "LANE_RECORD_UNREADABLE"


def test_two_lanes_or_an_unsafe_one_are_refused(built: RepositoryMission) -> None:
    lanes = read_lane_manifest(built.paths.lanes).lanes  # type: ignore[union-attr]
    manifest(built, lanes=[*lanes, replace(lanes[0], lane_id="lane-z")])
    assert refusal(built)[0] == "LANE_RECORD_AMBIGUOUS"
    manifest(built, lanes=[replace(lanes[0], lane_id="../../../x")])
    assert refusal(built)[0] == "LANE_RECORD_AMBIGUOUS"


def test_a_context_that_cannot_be_read_is_refused(built: RepositoryMission) -> None:
    built.lane("lane-a").unreadable_context()
    assert refusal(built)[0] == "LANE_RECORD_UNREADABLE"
    lane = built.lane("lane-a")
    path = lane.context_path
    path.write_bytes(replace(lane.context, mission_slug="another").encode())
    assert refusal(built)[0] == "LANE_RECORD_UNREADABLE"


@pytest.mark.parametrize(
    "name", ["", "a b", "main~1", "refs/heads/main", "*", "../main", "nul\0", "main\nmain", "HEAD"]
)
def test_a_base_that_is_no_branch_is_refused(built: RepositoryMission, name: str) -> None:
    record(built, base_branch=name)
    code, message = refusal(built)
    assert code == "DIFF_REF_MISSING"
    assert repr(name) in message


def test_half_a_character_is_no_branch(built: RepositoryMission) -> None:
    path = built.lane("lane-a").context_path
    value = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**value, "base_branch": "x\ud800"}), encoding="utf-8")
    assert refusal(built)[0] == "DIFF_REF_MISSING"


def test_a_lane_that_is_a_tag_too_is_refused(built: RepositoryMission) -> None:
    branch = built.lane("lane-a").branch
    built.repository.git("tag", branch, "main")
    code, message = refusal(built)
    assert code == "DIFF_REF_AMBIGUOUS"
    assert branch in message


def test_circular_dependencies_end(built: RepositoryMission) -> None:
    lanes = read_lane_manifest(built.paths.lanes).lanes  # type: ignore[union-attr]
    both = [replace(lane, depends_on_lanes=["lane-a", "lane-b", "lane-none", "lane-planning"]) for lane in lanes]
    manifest(built, lanes=both)
    assert shown(built) == ["src/wp01/work-1.py"]


def test_variables_of_git_redirect_nothing(
    built: RepositoryMission, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = repository(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other.root / ".git"))
    assert ask(built).ok


def test_the_command_prints_the_lines(built: RepositoryMission) -> None:
    words = ["diff", f"--root={built.root}", f"--mission={built.slug}", "--work-package=WP01"]
    done = subprocess.run(
        [sys.executable, "-m", "kitty_reliability.reference", *words], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ask(built).value["lines"]
