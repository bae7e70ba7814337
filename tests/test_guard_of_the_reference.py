"""The reference's guard, where the suite does not look: policies, odd checkouts, the hook that it installs."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from kitty_reliability.build.lanes import RepositoryMission
from kitty_reliability.build.repository import git_environment, repository
from kitty_reliability.formats.profiles import SPEC_KITTY_32
from kitty_reliability.implementations.protocol import Capability, Guard, Hello, Surface
from kitty_reliability.reference.adapter import Reference
from kitty_reliability.reference.commands import main

MINE, THEIRS = "src/wp04/a.py", "src/wp01/a.py"

ENTRIES = yaml.safe_load((Path(__file__).parent.parent / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def built(tmp_path: Path) -> RepositoryMission:
    packages = {"WP01": "approved", "WP04": "in_progress"}
    return repository(tmp_path / "repo").mission(packages, lanes={"lane-a": ["WP01", "WP04"]}, lane_commits=0)


def judged(built: RepositoryMission, root: Path | None = None, reference: Reference | None = None) -> Any:
    outcome = (reference or Reference()).answer(Guard(root=str(root or built.lane("lane-a").path)))
    assert outcome.ok, outcome
    return outcome.value


def codes(answer: Any, key: str = "findings") -> list[str]:
    return [item["diagnostic_code"] for item in answer[key]]


def policy(built: RepositoryMission, text: str) -> None:
    path = built.root / ".kittify" / "config.yaml"
    path.write_bytes(f"{path.read_text(encoding='utf-8')}{text}\n".encode())


def run(built: RepositoryMission, *arguments: str, cwd: Path | None = None, **variables: str) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "kitty_reliability.reference", *arguments],
        cwd=cwd or built.lane("lane-a").path,
        env={**git_environment(), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_is_claimed() -> None:
    assert Capability.GUARD in Reference().answer(Hello()).value["capabilities"]


def test_an_answer_has_the_evidence(built: RepositoryMission) -> None:
    built.lane("lane-a").add(THEIRS)
    answer = judged(built)
    (finding,) = answer["findings"]
    assert finding["file"] == THEIRS
    assert (finding["violated_invariant"], finding["context_source"]) == ("OWN-004", "canonical_status")
    assert {finding[key] for key in ("mission_slug", "work_package_id", "lane_id")} == {built.slug, "WP04", "lane-a"}
    assert answer["owned_files"] == ["src/wp04/**"]


@pytest.mark.parametrize(
    ("text", "outcome", "warned"),
    [
        ("", "scope_violation", []),
        ("policy: {commit_guard: {mode: block}}", "scope_violation", []),
        ("policy: {commit_guard: {mode: warn}}", "allowed", ["ACTIVE_WP_SCOPE_VIOLATION"]),
        ("policy: {commit_guard: {mode: off}}", "allowed", ["GUARD_OFF"]),
        ("policy: {commit_guard: {enabled: false}}", "allowed", ["GUARD_OFF"]),
        ("policy: {commit_guard: {enforce_ownership: false}}", "allowed", []),
        ("policy: {commit_guard: {mode: wran}}", "scope_violation", ["GUARD_POLICY_INVALID"]),
        ("policy: {commit_guard: {enabled: no}}", "scope_violation", ["GUARD_POLICY_INVALID"]),
        ("policy: {commit_guard: off}", "scope_violation", ["GUARD_POLICY_INVALID"]),
        ("policy: [", "scope_violation", ["GUARD_POLICY_INVALID"]),
    ],
)
def test_a_policy_is_kept_and_a_broken_one_weakens_nothing(
    built: RepositoryMission, text: str, outcome: str, warned: list[str]
) -> None:
    policy(built, text)
    built.lane("lane-a").add(THEIRS)
    answer = judged(built)
    assert (answer["outcome"], codes(answer, "warnings")) == (outcome, warned)
    assert bool(answer["findings"]) == (outcome != "allowed")


def test_3_2_x_warns_by_default(built: RepositoryMission) -> None:
    built.lane("lane-a").add(THEIRS)
    answer = judged(built, reference=Reference(SPEC_KITTY_32))
    assert (answer["outcome"], codes(answer, "warnings")) == ("allowed", ["ACTIVE_WP_SCOPE_VIOLATION"])


def test_a_policy_can_give_mission_state_free(built: RepositoryMission) -> None:
    policy(built, "policy: {commit_guard: {block_mission_specs: false}}")
    built.lane("lane-a").add(f"kitty-specs/{built.slug}/notes.md")
    assert judged(built)["outcome"] == "allowed"


@pytest.mark.parametrize("name", ["KITTY-SPECS/x.md", "kitty-specs"])
def test_what_stands_in_for_mission_state_is_protected(built: RepositoryMission, name: str) -> None:
    lane = built.lane("lane-a")
    if name == "kitty-specs":
        lane.git("rm", "-r", "--quiet", name)
    head = lane.git("hash-object", "-w", "--stdin").strip()
    lane.git("update-index", "--add", "--cacheinfo", f"100644,{head},{name}")
    answer = judged(built)
    assert set(codes(answer)) == {"MISSION_STATE_PROTECTED"}
    assert {item["mission_slug"] for item in answer["findings"]} == {built.slug}


def test_a_detached_head_in_the_lanes_worktree_is_no_way_out(built: RepositoryMission) -> None:
    lane = built.lane("lane-a")
    lane.git("checkout", "--quiet", "--detach")
    lane.add(MINE)
    assert codes(judged(built)) == ["ACTIVE_WP_CONTEXT_AMBIGUOUS"]
    lane.git("checkout", "--quiet", "-b", "elsewhere")
    assert codes(judged(built)) == ["ACTIVE_WP_CONTEXT_AMBIGUOUS"]


def test_a_torn_context_is_not_passed_over(built: RepositoryMission) -> None:
    lane = built.lane("lane-a").unreadable_context()
    lane.add(MINE)
    assert codes(judged(built)) == ["ACTIVE_WP_CONTEXT_UNREADABLE"]
    lane.context_path.rename(lane.context_path.with_name("other.json"))
    assert codes(judged(built)) == ["ACTIVE_WP_CONTEXT_UNREADABLE"], "it names the branch"
    lane.context_path.with_name("other.json").write_bytes(b"{")
    assert codes(judged(built)) == []


@pytest.mark.parametrize("path", ["a\0b", "circle"])
def test_a_context_of_another_lane_with_an_impossible_path_is_none_of_this_one(
    built: RepositoryMission, path: str
) -> None:
    lane = built.lane("lane-a")
    lane.add(MINE)
    if path == "circle":
        (built.root / path).symlink_to(path)
    other = replace(lane.context, branch_name="another", worktree_path=path)
    lane.context_path.with_name("another.json").write_bytes(other.encode())
    assert judged(built)["outcome"] == "allowed"


def test_the_lane_manifest_says_who_shares_the_lane(built: RepositoryMission) -> None:
    lane = built.lane("lane-a")
    lane.context = replace(lane.context, lane_wp_ids=["WP01"], current_wp=None)
    lane.fresh_context().add(MINE)
    assert judged(built)["work_package_id"] == "WP04"
    built.paths.lanes.write_bytes(b"{")
    assert codes(judged(built)) == ["ACTIVE_WP_STATUS_UNAVAILABLE"]
    built.paths.lanes.unlink()
    assert codes(judged(built)) == ["ACTIVE_WP_CONTEXT_AMBIGUOUS"]


def test_a_log_that_is_gone_is_told(built: RepositoryMission) -> None:
    built.log.path.unlink()
    built.lane("lane-a").add(MINE)
    assert codes(judged(built)) == ["ACTIVE_WP_STATUS_UNAVAILABLE"]


def test_a_commit_of_nothing_is_nobodys(built: RepositoryMission) -> None:
    built.wp("WP04").submit()
    assert codes(judged(built)) == []
    built.lane("lane-a").add(MINE)
    assert codes(judged(built)) == ["ACTIVE_WP_CONTEXT_AMBIGUOUS"]


def test_planning_is_no_lane(built: RepositoryMission) -> None:
    lane = built.lane("lane-a").missing_context()
    lane.context = replace(lane.context, lane_id="lane-planning", branch_name="main", worktree_path=".")
    lane.lane_id = "lane-planning"
    lane.fresh_context()
    built.repository.checkout.add(THEIRS)
    assert codes(judged(built, built.root)) == []


def test_a_mission_that_is_gone_is_told(built: RepositoryMission) -> None:
    lane = built.lane("lane-a")
    lane.missing_context()
    lane.context = replace(lane.context, mission_slug="gone")
    lane.fresh_context().add(MINE)
    assert codes(judged(built)) == ["ACTIVE_WP_CONTEXT_MISSING"]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("[]", "OWNERSHIP_MISSING"),
        ("src/**", "METADATA_INVALID"),
        ("[1]", "METADATA_INVALID"),
        ("", "OWNERSHIP_MISSING"),
    ],
)
def test_what_owns_no_files_is_told(built: RepositoryMission, value: str, code: str) -> None:
    path = built.task_file("WP04")
    path.write_bytes(f"---\nwork_package_id: WP04\nowned_files: {value}\n---\n".encode())
    built.lane("lane-a").add(MINE)
    assert codes(judged(built)) == [f"ACTIVE_WP_{code}"]


def test_a_task_file_that_is_of_another_work_package_is_told(built: RepositoryMission) -> None:
    built.task_file("WP04").write_bytes(b"---\nwork_package_id: WP01\nowned_files: ['**']\n---\n")
    built.lane("lane-a").add(MINE)
    assert codes(judged(built)) == ["ACTIVE_WP_METADATA_INVALID"]


def test_two_task_files_of_one_work_package_are_told(built: RepositoryMission) -> None:
    path = built.task_file("WP04")
    path.with_name("WP04-again.md").write_bytes(path.read_bytes())
    built.lane("lane-a").add(MINE)
    assert codes(judged(built)) == ["ACTIVE_WP_METADATA_INVALID"]


def test_a_coordinated_mission_is_judged_by_the_log_of_its_branch(tmp_path: Path) -> None:
    packages = {"WP01": "approved", "WP04": "in_progress"}
    built = repository(tmp_path / "repo").mission(
        packages, lanes={"lane-a": ["WP01", "WP04"]}, topology="lanes_with_coord", lane_commits=0
    )
    built.lane("lane-a").add(MINE)
    assert judged(built)["outcome"] == "allowed"
    built.coord.edit(f"kitty-specs/{built.slug}/status.events.jsonl", built.log.data)
    built.coord.add(f"kitty-specs/{built.slug}/notes.md")
    assert judged(built, built.coord.path)["outcome"] == "allowed", "the coordination worktree is no lane"


def test_the_main_checkout_is_free(built: RepositoryMission) -> None:
    built.repository.checkout.add("anything.py").add(f"kitty-specs/{built.slug}/notes.md")
    answer = judged(built, built.root)
    assert (answer["outcome"], answer["warnings"], answer["context_source"]) == ("allowed", [], "none")


def test_a_name_that_is_not_utf8_can_be_told(built: RepositoryMission) -> None:
    if sys.platform != "linux":
        pytest.skip("this file system has no such names")
    lane = built.lane("lane-a")
    Path(os.fsdecode(bytes(lane.path) + b"/\xff.py")).write_bytes(b"")
    lane.git("add", "--all")
    assert [item["file"] for item in judged(built)["findings"]] == ["\\xff.py"]


def test_an_index_that_cannot_be_read_blocks(built: RepositoryMission) -> None:
    index = built.root / ".git" / "worktrees" / built.lane("lane-a").path.name / "index"
    index.write_bytes(b"no index")
    outcome = Reference().answer(Guard(root=str(built.lane("lane-a").path)))
    assert (outcome.declined, outcome.value["diagnostic_code"]) == (True, "STAGED_UNREADABLE")
    assert run(built, "guard").returncode == 1


def test_no_repository_is_told(tmp_path: Path) -> None:
    outcome = Reference().answer(Guard(root=str(tmp_path)))
    assert outcome.value["diagnostic_code"] == "REPOSITORY_NOT_FOUND"


def test_a_session_judges_the_index_of_the_checkout(built: RepositoryMission, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is run by a hook of another repository has its variables."""
    built.lane("lane-a").add(THEIRS)
    monkeypatch.setenv("GIT_INDEX_FILE", str(built.root / "elsewhere"))
    monkeypatch.setenv("GIT_DIR", str(built.root / ".git"))
    assert judged(built)["outcome"] == "scope_violation"


def test_the_command_is_for_programs_too(built: RepositoryMission) -> None:
    surface = Reference().answer(Surface(request=Guard(root=str(built.lane("lane-a").path)))).value
    assert surface["argv"][1:] == ["-m", "kitty_reliability.reference", "guard", "--format=json"]
    built.lane("lane-a").add(THEIRS)
    done = run(built, "guard", "--format=json")
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout)["outcome"] == "scope_violation"
    policy(built, "policy: {commit_guard: {mode: warn}}")
    done = run(built, "guard")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("warning: ACTIVE_WP_SCOPE_VIOLATION: 'src/wp01/a.py' is outside what WP04 owns")


def test_the_installed_hook_guards_every_checkout(built: RepositoryMission) -> None:
    lane = built.lane("lane-a")
    assert run(built, "install_guard").returncode == 0
    assert run(built, "install_guard", cwd=built.root).returncode == 0
    hook = built.root / ".git" / "hooks" / "pre-commit"
    assert (hook.stat().st_mode & 0o111) or os.name != "posix"
    lane.add(MINE)
    lane.git("commit", "--quiet", "--message", "Mine")
    lane.add(THEIRS)
    lane.git("commit", "--quiet", "--message", "Theirs", check=False)
    assert lane.staged == [THEIRS], "it was not committed"
    built.repository.checkout.add("anything.py")
    built.repository.git("commit", "--quiet", "--message", "Elsewhere")
    assert built.repository.checkout.staged == []


def test_a_hook_of_somebody_else_is_left_alone(built: RepositoryMission) -> None:
    built.repository.git("config", "core.hooksPath", "hooks")
    hook = built.root / "hooks" / "pre-commit"
    hook.parent.mkdir()
    hook.write_bytes(b"#!/bin/sh\n")
    done = run(built, "install_guard")
    assert done.returncode == 1
    assert "HOOK_FOREIGN" in done.stderr
    assert "kitty_reliability.reference guard" in done.stderr
    assert hook.read_bytes() == b"#!/bin/sh\n"


# The audit's is run by tests/downstream/test_release.py, which has an environment as pre-commit makes one.
@pytest.mark.parametrize("entry", ENTRIES[:-1], ids=lambda entry: str(entry["id"]))
def test_an_entry_for_pre_commit_runs_its_command(
    built: RepositoryMission, entry: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    python, module, name, command = entry["entry"].split()
    assert (python, module, name) == ("python", "-m", "kitty_reliability.reference")
    assert (entry["id"], entry["language"], entry["pass_filenames"]) == (f"kitty-{command}", "python", False)
    mission = [] if command == "guard" else ["--mission", built.slug]
    monkeypatch.chdir(built.root)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert main([command, *mission], Reference()) == 0
    assert capsys.readouterr().err == ""
