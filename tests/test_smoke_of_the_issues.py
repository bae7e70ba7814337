"""One built state for each linked issue, proved by git and by bytes to be that state, without the reference (T005)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from kitty_reliability.build.prompts import prompt_pair
from kitty_reliability.build.repository import repository
from kitty_reliability.faults.sync import FakeSyncClient, SyncShutdownError
from kitty_reliability.faults.sync_script import SyncScript
from kitty_reliability.formats.prompts import PROMPT_FIELDS, read_prompt
from kitty_reliability.formats.reviews import latest_cycle, read_artifact
from kitty_reliability.observe.rows import lane_from_bytes, mark_log
from pytest_kitty.facade import Kitty


def test_945_an_approval_is_claimed_and_no_row_is_there(kitty: Kitty) -> None:
    mission = kitty.mission({"WP02": "in_review"})
    mark = mark_log(mission.log.path)
    fault = kitty.disk_fault(mission.log.path, "lost")
    with fault.here(), mission.log.path.open("ab") as log:
        written = log.write(b'{"to_lane": "approved"}\n')
    assert written == 24
    assert fault.acted
    assert mark.unchanged
    assert lane_from_bytes(mission.log.path.read_bytes(), "WP02") == "in_review"


def test_944_a_package_is_stranded_in_claimed(kitty: Kitty) -> None:
    mission = kitty.mission({"WP01": "claimed"})
    rows = [json.loads(line) for line in mission.log.path.read_bytes().splitlines()]
    assert [row["to_lane"] for row in rows] == ["planned", "claimed"]
    assert rows[-1]["actor"] == mission.log.actor


def test_949_two_prompts_of_two_repositories_share_everything_but_their_identity(tmp_path: Path) -> None:
    one, other = prompt_pair(tmp_path, differ="repo")
    assert one.path != other.path
    found = [read_prompt(prompt.path).metadata for prompt in (one, other)]
    alike = [name for name in PROMPT_FIELDS if getattr(found[0], name) == getattr(found[1], name)]
    assert {"mission_slug", "work_package_id", "created_at"} <= set(alike)
    assert "repo_root" not in alike


def test_950_a_slug_that_begins_with_mission_has_branches_that_exist(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    mission = repo.mission(
        {"WP01": "in_progress"}, name="mission-state-audit", lanes={"lane-a": ["WP01"]}, topology="lanes"
    )
    assert mission.slug.startswith("mission-")
    recorded = json.loads(mission.paths.lanes.read_bytes())["mission_branch"]
    assert repo.git("rev-parse", "--verify", f"refs/heads/{recorded}").strip()
    assert recorded.startswith("kitty/mission-mission-state-audit")


def test_951_a_shared_lane_moved_on_and_its_context_did_not(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    mission = repo.mission(
        {"WP01": "approved", "WP04": "in_progress"},
        lanes={"lane-a": ["WP01", "WP04"]},
        topology="lanes",
        context="stale",
    )
    context = json.loads(next((repo.root / ".kittify" / "workspaces").glob("*.json")).read_bytes())
    assert context["current_wp"] == "WP01"
    assert lane_from_bytes(mission.log.path.read_bytes(), "WP04") == "in_progress"
    lane = mission.lane("lane-a")
    assert (lane.path / ".git").is_file()
    assert lane.branch in repo.git("worktree", "list")


def test_952_the_interpreter_goes_down_after_the_local_change() -> None:
    client = FakeSyncClient(SyncScript.of("interpreter-shutdown", times=2))
    for _ in range(2):
        with pytest.raises(SyncShutdownError, match="cannot schedule new futures after interpreter shutdown"):
            client.call("push", {"event": 1})
    assert [call.operation for call in client.calls] == ["push", "push"]


def test_953_the_local_target_is_84_ahead_and_6_behind(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo", remote=True)
    repo.diverge("main", ahead=84, behind=6)
    assert repo.git("rev-list", "--left-right", "--count", "main...origin/main").split() == ["84", "6"]
    assert repo.status == ""


def test_904_an_approved_package_has_a_latest_artifact_that_says_rejected(kitty: Kitty) -> None:
    mission = kitty.mission({"WP01": "in_review"})
    mission.wp("WP01").reject(cycle=1).rework().approve(force=True, artifact=False)
    assert lane_from_bytes(mission.log.path.read_bytes(), "WP01") == "approved"
    latest = latest_cycle(mission.task_file("WP01").with_suffix(""))
    assert latest is not None
    assert read_artifact(latest).verdict == "rejected"


def test_nothing_of_this_needed_the_reference() -> None:
    import subprocess

    code = (
        "import sys\n"
        "import kitty_reliability.build.prompts, kitty_reliability.build.repository, kitty_reliability.build.work_package\n"
        "import kitty_reliability.build.worktrees, kitty_reliability.faults.sync, kitty_reliability.faults.log\n"
        "import kitty_reliability.observe.rows, kitty_reliability.observe.refs\n"
        "assert not [name for name in sys.modules if name.startswith('kitty_reliability.reference')]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
