"""The reference as a command and as a workflow: bad input is told, and nothing is lost by it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from freezegun import freeze_time

from kitty_reliability.build.mission import Mission, WorkPackage, mission
from kitty_reliability.faults.locks import file_lock_held
from kitty_reliability.formats.instants import spell
from kitty_reliability.implementations.protocol import (
    Batch,
    Hello,
    MergeLogs,
    Move,
    Open,
    Outcome,
    Start,
    State,
    Transition,
)
from kitty_reliability.observe.output import one_json_value
from kitty_reliability.observe.tree import mark_tree
from kitty_reliability.reference.adapter import Reference
from kitty_reliability.reference.commands import arguments_for, main


@pytest.fixture
def built(tmp_path: Path) -> Mission:
    return mission(tmp_path / "repo", {"WP01": "planned", "WP02": "claimed"})


def command(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "kitty_reliability.reference", *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60,
    )  # fmt: skip


def transition(built: Mission, *more: str, work_package: str = "WP01", to: str = "claimed") -> list[str]:
    return [
        "transition", "--root", str(built.root), "--mission", built.slug,
        "--work-package", work_package, "--to", to, *more,
    ]  # fmt: skip


def ask(built: Mission, work_package: str, to: str, **keys: Any) -> Outcome:
    return Reference().answer(
        Transition(root=str(built.root), mission=built.slug, work_package=work_package, to=to, **keys)
    )


def test_a_transition_as_a_command_prints_one_json_value(built: Mission) -> None:
    done = command(*transition(built, "--actor", "me", "--format", "json"))
    assert done.returncode == 0, done.stderr
    answer = one_json_value(done.stdout)
    assert answer["to_lane"] == "claimed"
    assert answer["event_id"] in built.log.path.read_text()
    assert done.stderr == b""


def test_a_transition_as_a_command_prints_a_line_of_text(built: Mission) -> None:
    done = command(*transition(built, "--actor", "me"))
    assert done.returncode == 0
    assert done.stdout.startswith(b"WP01: planned -> claimed (event 01")
    again = command(*transition(built, "--actor", "me"))
    assert again.returncode == 0
    assert again.stdout.strip() == b"WP01 is claimed already; nothing was written"


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        ("unknown work package", "WORK_PACKAGE_NOT_FOUND"),
        ("unsafe work package", "WORK_PACKAGE_IDENTIFIER_UNSAFE"),
        ("unknown mission", "MISSION_NOT_FOUND"),
        ("unsafe mission", "MISSION_IDENTIFIER_UNSAFE"),
        ("log is a directory", "EVENT_LOG_NOT_A_FILE"),
        ("meta.json is not JSON", "MISSION_METADATA_INVALID"),
        ("meta.json is a list", "MISSION_METADATA_INVALID"),
        ("corrupt line", "EVENT_LOG_UNREADABLE"),
        ("unknown lane", "UNKNOWN_LANE"),
        ("two task files", "WORK_PACKAGE_FILE_AMBIGUOUS"),
    ],
)
def test_bad_input_is_told_and_nothing_is_lost(built: Mission, spoil: str, code: str) -> None:
    arguments = transition(built, "--actor", "me", "--format", "json")
    if spoil == "unknown work package":
        arguments = transition(built, "--actor", "me", "--format", "json", work_package="WP09")
    elif spoil == "unsafe work package":
        arguments = transition(built, "--actor", "me", "--format", "json", work_package="../../x")
    elif spoil == "unknown mission":
        arguments[arguments.index(built.slug)] = "nowhere"
    elif spoil == "unsafe mission":
        arguments[arguments.index(built.slug)] = "../../etc"
    elif spoil == "log is a directory":
        built.log.path.unlink()
        built.log.path.mkdir()
    elif spoil == "meta.json is not JSON":
        built.paths.meta.write_bytes(b"{oops")
    elif spoil == "meta.json is a list":
        built.paths.meta.write_bytes(b"[]")
    elif spoil == "corrupt line":
        built.log.raw(b"oops\n")
    elif spoil == "unknown lane":
        arguments = transition(built, "--actor", "me", "--format", "json", to="nirvana")
    elif spoil == "two task files":
        built.log.rewrite(b"")
        (built.paths.tasks / "WP01-again.md").write_bytes(built.task_file("WP01").read_bytes())
    before = mark_tree(built.root)
    done = command(*arguments)
    assert done.returncode == 1
    answer = one_json_value(done.stdout)
    assert answer["diagnostic_code"] == code
    assert answer["remediation"]
    assert b"Traceback" not in done.stderr
    assert before.changes(ignore=[".kittify/locks"]) == []


def test_wrong_usage_ends_with_2(built: Mission) -> None:
    for arguments in (
        ["nonsense"],
        transition(built, "--evidence", "{oops"),
        transition(built, "--evidence", "[]"),
        ["transition", "--mission", built.slug],
    ):
        done = command(*arguments)
        assert done.returncode == 2
        assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("value", ["soon", "-1", "inf", "nan", ""])
@pytest.mark.parametrize(("module", "status"), [("reference", 2), ("implementations.serve", 3)])
def test_a_wrong_bound_in_the_environment_is_told(value: str, module: str, status: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"kitty_reliability.{module}", "reference"],
        env={**os.environ, "KITTY_REFERENCE_LOCK_SECONDS": value},
        stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (status, b"")
    assert f"KITTY_REFERENCE_LOCK_SECONDS is '{value}'; set it to a number of seconds" in done.stderr.decode()


def test_the_bound_of_the_environment_is_declared_and_kept(built: Mission, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITTY_REFERENCE_LOCK_SECONDS", "0.05")
    reference = Reference()
    assert reference.answer(Hello()).value["lock_seconds"] == 0.05
    opened = reference.answer(Open(root=str(built.root), mission=built.slug))
    before = built.paths.log.read_bytes()
    with file_lock_held(Path(opened.value["lock_path"])):
        outcome = reference.answer(
            Transition(root=str(built.root), mission=built.slug, work_package="WP01", to="claimed", actor="x")
        )
    assert outcome.kind == "failed"
    assert outcome.value["diagnostic_code"] == "EVENT_LOCK_TIMEOUT"
    assert opened.value["lock_path"] in outcome.value["message"]
    assert built.paths.log.read_bytes() == before


def test_a_torn_tail_is_told_by_a_read_and_kept_by_a_write(built: Mission) -> None:
    built.log.raw(b'{"torn')
    read = command("state", "--root", str(built.root), "--mission", built.slug, "--format", "json")
    assert read.returncode == 1
    assert one_json_value(read.stdout)["diagnostic_code"] == "ROW_TORN"
    recovered = command("state", "--root", str(built.root), "--mission", built.slug, "--recover")
    assert recovered.returncode == 0
    assert b"WP02  claimed" in recovered.stdout
    assert b"line 5 is torn" in recovered.stdout or b"is torn" in recovered.stdout
    assert command(*transition(built, "--actor", "me")).returncode == 0
    assert [path.read_bytes() for path in built.directory.glob("*.torn-*")] == [b'{"torn']


def test_text_cannot_steer_a_terminal(built: Mission) -> None:
    hostile = "\x1b[31mred\x1b[0m\nforged line\u202e"
    done = command(*transition(built, "--actor", hostile))
    assert done.returncode == 0
    other = command(*transition(built, "--actor", "me"))
    assert other.returncode == 1
    assert b"\x1b" not in other.stderr
    assert b"\nforged" not in other.stderr
    row = json.loads(built.log.path.read_bytes().splitlines()[-1])
    assert row["actor"] == hostile


def test_a_lone_surrogate_is_refused_before_anything_is_written(built: Mission) -> None:
    before = mark_tree(built.root)
    for keys in ({"actor": "\ud800"}, {"actor": "x", "evidence": {"review": {"reviewer": ["\udfff"]}}}):
        outcome = ask(built, "WP01", "claimed", **keys)
        assert outcome.value["diagnostic_code"] == "TEXT_NOT_ENCODABLE"
    assert before.changes() == []


def test_another_actors_claim_is_a_conflict_that_names_the_holder(built: Mission) -> None:
    outcome = ask(built, "WP02", "claimed", actor="somebody-else")
    assert outcome.value["diagnostic_code"] == "TRANSITION_CONFLICT"
    assert built.log.actor in str(outcome.value["message"])


def test_a_clock_that_stands_still_is_stepped_over(built: Mission) -> None:
    with freeze_time("2026-01-01T00:00:00Z"):
        for to, keys in (("claimed", {}), ("in_progress", {"workspace_context": "w"}), ("for_review", {})):
            outcome = ask(built, "WP01", to, actor="me", **keys)
            assert outcome.ok, outcome
    times = [json.loads(line)["at"] for line in built.log.path.read_bytes().splitlines()[-3:]]
    assert times == sorted(set(times))


def test_a_clock_that_lags_an_hour_is_told(built: Mission) -> None:
    built.log.lane("WP01", "claimed", at=spell(datetime.now(UTC) + timedelta(hours=1)))
    before = built.log.path.read_bytes()
    outcome = ask(built, "WP01", "in_progress", actor=built.log.actor, workspace_context="w")
    assert outcome.value["diagnostic_code"] == "LANE_DISAGREES"
    assert outcome.value["lane_in_force"] == "claimed"
    assert built.log.path.read_bytes() == before


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need a privilege on Windows")
def test_a_mission_that_is_a_link_out_of_the_root_is_not_followed(built: Mission, tmp_path: Path) -> None:
    outside = mission(tmp_path / "outside", {"WP01": "planned"}, name="outside")
    link = built.root / "kitty-specs" / "link-01ABCDEF"
    link.symlink_to(outside.directory)
    before = mark_tree(tmp_path / "outside")
    request = Transition(root=str(built.root), mission=link.name, work_package="WP01", to="claimed", actor="x")
    assert Reference().answer(request).value["diagnostic_code"] == "MISSION_OUTSIDE_ROOT"
    assert before.changes() == []
    through = tmp_path / "a-link-to-the-root"
    through.symlink_to(built.root)
    assert Reference().answer(State(root=str(through), mission=built.slug)).ok


def test_a_broken_task_file_keeps_a_package_from_review(tmp_path: Path) -> None:
    built = mission(tmp_path / "repo", {"WP01": WorkPackage("in_progress", subtasks=["T001"])})
    built.task_file("WP01").write_text("---\nsubtasks: [\n---\n", encoding="utf-8")
    outcome = ask(built, "WP01", "for_review", actor="me")
    assert outcome.value["diagnostic_code"] == "WORK_PACKAGE_FILE_INVALID"


def test_a_snapshot_that_cannot_be_written_takes_the_row_back(built: Mission) -> None:
    built.paths.snapshot.mkdir()
    (built.paths.snapshot / "keep").write_bytes(b"")
    before = mark_tree(built.root)
    outcome = ask(built, "WP01", "claimed", actor="me")
    assert outcome.value["diagnostic_code"] == "SNAPSHOT_WRITE_FAILED"
    assert before.changes(ignore=[".kittify/locks"]) == []


@pytest.mark.parametrize(
    "request_",
    [
        Transition(root="/r", mission="m", work_package="WP01", to="claimed", actor="-x", evidence={"a": ["\n"]}),
        Transition(root="/r", mission="m", work_package="WP01", to="done", force=True, reason="a b", commit=True),
        State(root="/r", mission="m", recover=True),
        Batch(root="/r", mission="m", moves=[Move(work_package="WP01", to="claimed", reason="{")]),
        Start(root="/r", mission="m", work_package="WP01", actor="1", process_id=7, process_started=1.5),
        Start(root="/r", mission="m", work_package="WP01", actor={"role": "implementer"}, kind="review"),
        MergeLogs(base="%O", ours="%A", theirs="%B"),
    ],
    ids=lambda request: request.operation,
)
def test_a_command_asks_for_what_it_was_made_from(request_: Any) -> None:
    asked: list[Any] = []

    class Listens(Reference):
        def answer(self, request: Any) -> Outcome:
            asked.append(request)
            return Outcome.refused({"message": "heard"})

    assert main(arguments_for(request_, "json"), Listens()) == 1
    assert asked == [request_]
