"""What people wrote by hand in hundreds of files, in one line each: ten sketches of the API, as they are written."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.build.mission import Mission
from kitty_reliability.build.worktrees import Checkout
from kitty_reliability.faults.log import damage
from kitty_reliability.faults.sync_script import ScriptError
from kitty_reliability.formats.diagnostics import DiagnosticError
from kitty_reliability.formats.events import read_rows, recover_rows
from kitty_reliability.formats.identifiers import is_ulid
from kitty_reliability.formats.lanes import EDGES, Lane
from kitty_reliability.formats.mission import read_meta, validate_meta
from kitty_reliability.formats.prompts import read_prompt
from kitty_reliability.formats.reviews import latest_cycle, read_artifact
from kitty_reliability.formats.rows import LaneRow
from kitty_reliability.observe.output import OutputError
from kitty_reliability.observe.rows import lane_from_bytes
from pytest_kitty.facade import Kitty

# --- sketch 1: one work package at a lane


def test_one_work_package_at_a_lane(kitty: Kitty) -> None:
    m = kitty.mission(wps={"WP01": "approved"})

    rows = [row for row in read_rows(m.log.path.read_bytes()) if isinstance(row, LaneRow)]
    route = ["genesis", "planned", "claimed", "in_progress", "for_review", "in_review", "approved"]
    assert [(row.from_lane, row.to_lane) for row in rows] == list(pairwise(route))
    assert all((Lane(row.from_lane), Lane(row.to_lane)) in EDGES and not row.data["force"] for row in rows)
    assert all(is_ulid(row.event_id) for row in rows)
    assert rows[-1].data["review_result"]["verdict"] == "approved"


# --- sketch 2: metadata of a mission


def test_metadata_is_complete_and_valid(kitty: Kitty) -> None:
    m = kitty.mission(slug="demo", meta={"target_branch": "dev"})

    assert m.directory.name == "demo"
    assert validate_meta(json.loads(m.paths.meta.read_bytes())) == []
    assert read_meta(m.paths.meta).mission_id == m.mission_id
    assert json.loads(m.paths.meta.read_bytes())["target_branch"] == "dev"


def test_a_key_of_the_metadata_is_left_out(kitty: Kitty) -> None:
    m = kitty.mission(slug="demo", meta_drop=("mission_id",))

    assert "mission_id" not in json.loads(m.paths.meta.read_bytes())


# --- sketch 3: rows of every kind, and half a row


def test_rows_of_every_kind_and_half_a_row(kitty: Kitty) -> None:
    m = kitty.mission(wps={"WP01": "planned"})
    m.log.lane("WP01", "claimed").decision("D1").note("WP01", "hi").retro("Captured")
    m.log.raw(b'{"half')

    data = m.log.path.read_bytes()
    with pytest.raises(DiagnosticError, match="ROW_TORN: line 6"):
        read_rows(data)
    rows, left_out = recover_rows(data)
    assert [row.kind for row in rows] == ["lane", "lane", "decision", "annotation", "retrospective"]
    assert [item.code for item in left_out] == ["ROW_TORN"]


def test_both_families_of_retrospective_rows_have_the_short_name(kitty: Kitty) -> None:
    log = kitty.mission().log.retro().retro("retrospective.completed")

    assert log.rows[-2]["type"] == "RetrospectiveCaptured"
    assert log.rows[-1]["event_name"] == "retrospective.completed"


# --- the verbs of damage, on the log of a mission


def test_a_log_is_damaged_in_one_line_and_whole_again_in_another(kitty: Kitty) -> None:
    m = kitty.mission({"WP01": "in_review"})
    healthy = m.log.path.read_bytes()

    broken = damage(m.log).duplicated_row().conflicting_duplicate(to_lane="blocked").crlf().torn_tail(at=40)
    with pytest.raises(DiagnosticError, match="ROW_TORN: line 7"):
        read_rows(m.log.path.read_bytes())

    broken.undo()
    assert m.log.path.read_bytes() == healthy


# --- sketch 4: a repository and a lane's worktree


def test_a_repository_and_the_worktree_of_a_lane(kitty: Kitty) -> None:
    r = kitty.repo()
    m = r.mission(wps={"WP01": "in_progress"}, lanes={"lane-a": ["WP01"]})
    with m.lane("lane-a").cwd():
        assert Path(".git").is_file()
        assert Path.cwd() == m.lane("lane-a").path
    assert r.git("branch", "--show-current", cwd=m.lane("lane-a").path).strip() == f"kitty/mission-{m.slug}-lane-a"


# --- sketch 5: the coordination topology, and a decoy where the truth is not


def test_a_reader_of_the_wrong_side_is_found_out(kitty: Kitty) -> None:
    m = kitty.repo().mission(topology="coord", wps={"WP01": "in_review"}, decoys=True)

    def lanes(checkout: Checkout) -> dict[str, str | None]:
        log = checkout.path / "kitty-specs" / m.slug / "status.events.jsonl"
        return {"WP01": lane_from_bytes(log.read_bytes(), "WP01")}

    assert lanes(m.coord) == m.expected == kitty.state(m)
    assert lanes(m.primary) != m.expected


# --- sketch 6: a main that went apart from its remote


def test_a_main_that_went_apart(kitty: Kitty) -> None:
    r = kitty.repo(remote=True)
    r.diverge("main", ahead=84, behind=6, fetched=False)

    assert r.git("rev-list", "--left-right", "--count", "main...origin/main").split() == ["84", "0"]
    r.git("fetch", "--quiet")
    assert r.git("rev-list", "--left-right", "--count", "main...origin/main").split() == ["84", "6"]


# --- sketch 7: rejected, and approved all the same


def test_rejected_and_approved_all_the_same(kitty: Kitty) -> None:
    m = kitty.mission(wps={"WP01": "in_review"})
    m.wp("WP01").reject(cycle=1).rework().approve(force=True, artifact=False)

    assert kitty.state(m) == {"WP01": "approved"}
    latest = latest_cycle(m.task_file("WP01").with_suffix(""))
    assert latest is not None
    assert read_artifact(latest).verdict == "rejected"


# --- sketch 8: a command killed at each change, and eight at once


def claim(m: Mission, work_package: str) -> list[str]:
    ask = [sys.executable, "-m", "kitty_reliability.reference", "transition", "--root", str(m.root), "--format", "json"]
    return [*ask, "--mission", m.slug, "--work-package", work_package, "--to", "claimed", "--actor", "someone"]


def test_a_command_that_is_killed_at_each_change(kitty: Kitty) -> None:
    m = kitty.mission(wps={"WP01": "planned"})
    run_cmd = claim(m, "WP01")

    seen = set()
    for point in kitty.crash_points(run_cmd, m):
        state = kitty.state(m)["WP01"]
        assert state in ("planned", "claimed"), point
        seen.add((point.struck, state))
    assert (False, "claimed") in seen
    assert any(struck for struck, _ in seen)


def test_eight_at_once(kitty: Kitty) -> None:
    m = kitty.mission(wps={f"WP{i:02}": "planned" for i in range(8)})
    before = m.log.path.read_bytes()

    out = kitty.race(8, lambda i: claim(m, f"WP{i:02}"))

    assert len(out.successes()) == 8
    out.assert_log_equals_successes(m.log.path, before=before)


# --- sketch 9: a JSON surface whose finalizer fails

SYNCS = """
import json, os, sys, urllib.error, urllib.request
print(json.dumps({"result": "ok"}))
said = set()
for attempt in range(5):
    try:
        urllib.request.urlopen(os.environ["SPEC_KITTY_SAAS_URL"], timeout=10).close()
    except urllib.error.HTTPError as error:
        if error.code not in said:
            said.add(error.code)
            keys = f"severity=warning diagnostic_code=sync.http_{error.code} fatal=false sync_phase=final_sync"
            print(f"sync_diagnostic {keys} message={error.reason}", file=sys.stderr)
"""


def test_a_json_surface_whose_finalizer_fails(kitty: Kitty) -> None:
    res = kitty.run([sys.executable, "-c", SYNCS], finalizer="401", times=3)

    assert res.status == 0
    assert res.stdout.one_json() == {"result": "ok"}
    (said,) = res.stderr.diagnostics(code="sync.http_401", count=1)
    assert said["sync_phase"] == "final_sync"
    assert said["fatal"] is False
    assert res.acted == ("401", "401", "401", "ok", "ok")
    with pytest.raises(OutputError, match="0 diagnostics with the code 'sync\\.other', not 1"):
        res.stderr.diagnostics(code="sync.other", count=1)


def test_a_lock_that_another_process_holds(kitty: Kitty, tmp_path: Path) -> None:
    lock = tmp_path / "final sync.lock"
    takes = "import filelock, sys; filelock.FileLock(sys.argv[1]).acquire(timeout=0.1)"

    res = kitty.run([sys.executable, "-c", takes, lock], finalizer="lock-held", lock=lock)
    assert "could not be acquired" in res.stderr.text
    assert kitty.run([sys.executable, "-c", takes, lock]).status == 0


def test_an_interpreter_that_is_exiting(kitty: Kitty) -> None:
    late = "import concurrent.futures as f; f.ThreadPoolExecutor().submit(print)"

    res = kitty.run([sys.executable, "-c", late], finalizer="interpreter-shutdown")
    assert "cannot schedule new futures after interpreter shutdown" in res.stderr.text


@pytest.mark.parametrize(
    ("argv", "options", "words"),
    [
        (["true"], {"finalizer": "lock-held"}, "needs the lock's path"),
        (["true"], {"finalizer": "interpreter-shutdown"}, "needs a Python program"),
        ([sys.executable, "-m", "this"], {"finalizer": "interpreter-shutdown"}, "not -m"),
        (["true"], {"finalizer": "on-fire"}, "on-fire"),
        (["true"], {"finalizer": "500", "size": 3}, "size"),
    ],
)
def test_a_finalizer_that_cannot_fail_so(kitty: Kitty, argv: list[str], options: dict[str, Any], words: str) -> None:
    with pytest.raises(ScriptError, match=words):
        kitty.run(argv, **options)


# --- sketch 10: who a prompt is


def test_who_a_prompt_is(kitty: Kitty) -> None:
    a, b = kitty.prompt_pair(differ="repo")
    asked = read_prompt(a.path).metadata

    assert read_prompt(b.path).metadata != asked
    for field in kitty.PROMPT_FIELDS:
        told = read_prompt(a.tampered(field).path).metadata
        assert [name for name in kitty.PROMPT_FIELDS if getattr(told, name) != getattr(asked, name)] == [field]
        a.restored()
