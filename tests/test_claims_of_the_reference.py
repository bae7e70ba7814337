"""Who holds a work package, by what a start does and a recovery proves; batches that hold as a whole."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from kitty_reliability.build.mission import Mission, mission
from kitty_reliability.formats.instants import instant
from kitty_reliability.formats.profiles import PROFILES
from kitty_reliability.implementations import protocol
from kitty_reliability.implementations.protocol import Actor, Outcome
from kitty_reliability.observe.rows import mark_log, rows_from_bytes
from kitty_reliability.reference.adapter import Reference
from kitty_reliability.reference.claims import process_state

ALICE: Actor = {"role": "implementer", "profile": "alice", "tool": "claude", "model": None}


class Bench:
    """A mission and the reference, asked in short."""

    def __init__(self, root: Path, work_packages: dict[str, Any], **options: Any) -> None:
        self.mission: Mission = mission(root, work_packages, actor="ann", reviewer="rev", **options)
        self.reference = Reference()

    def ask(self, model: Any, work_package: str = "WP01", **keys: Any) -> Outcome:
        where = {"root": str(self.mission.root), "mission": self.mission.slug}
        return self.reference.answer(model(**where, work_package=work_package, **keys))

    def start(self, actor: Actor = "ann", **keys: Any) -> Outcome:
        return self.ask(protocol.Start, actor=actor, **keys)

    def recover(self, **keys: Any) -> Outcome:
        return self.ask(protocol.Recover, **{"actor": "boss", "reason": "the holder is gone", **keys})

    def batch(self, *moves: dict[str, Any]) -> Outcome:
        where = {"root": str(self.mission.root), "mission": self.mission.slug}
        return self.reference.answer(protocol.Batch(**where, moves=[protocol.Move(**move) for move in moves]))

    def state(self) -> dict[str, Any]:
        outcome = self.reference.answer(protocol.State(root=str(self.mission.root), mission=self.mission.slug))
        assert outcome.ok, outcome
        return dict(outcome.value)

    def rows(self) -> list[dict[str, Any]]:
        return rows_from_bytes(self.mission.paths.log.read_bytes())


def declined(outcome: Outcome, code: str) -> dict[str, Any]:
    assert outcome.declined, outcome
    assert outcome.value["diagnostic_code"] == code
    return dict(outcome.value)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, {"WP01": "planned", "WP02": "claimed", "WP03": "for_review"})


@pytest.fixture
def sleeper() -> Iterator[psutil.Process]:
    """A process that runs until the test ends."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield psutil.Process(process.pid)
        process.kill()


@pytest.fixture
def ended() -> dict[str, Any]:
    """A process that ran and is gone: its number and when it started."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        return {"process_id": process.pid, "process_started": psutil.Process(process.pid).create_time()}


# --- starting


def test_a_start_is_one_write_of_two_rows_a_microsecond_apart(bench: Bench) -> None:
    outcome = bench.start(process_id=4711, process_started=1785138757.98)
    assert outcome.ok, outcome
    claim, begin = bench.rows()[-2:]
    assert outcome.value["event_ids"] == [claim["event_id"], begin["event_id"]]
    assert [claim["to_lane"], begin["to_lane"]] == ["claimed", "in_progress"]
    assert instant(begin["at"]) - instant(claim["at"]) == 1000
    # As released rows spell it.
    assert claim["policy_metadata"] == {"agent": "ann", "shell_pid": 4711, "shell_pid_created_at": "1785138757.98"}
    entry = bench.reference.workflow.materialize(str(bench.mission.root), bench.mission.slug)[1]["work_packages"][
        "WP01"
    ]
    assert (entry["agent"], entry["shell_pid"], entry["lane"]) == ("ann", 4711, "in_progress")


@pytest.mark.parametrize("actor", ["ann", ALICE])
def test_who_holds_it_goes_on_and_others_are_told(tmp_path: Path, actor: Actor) -> None:
    bench = Bench(tmp_path, {"WP01": "planned"})
    bench.mission.log.lane("WP01", "claimed", actor=actor)
    (report,) = bench.state()["reports"]
    assert (report["diagnostic_code"], report["holder"], report["holder_state"]) == ("CLAIM_STRANDED", actor, "unknown")
    assert bench.start(actor).value["from_lane"] == "claimed"
    assert bench.state()["reports"] == []
    mark = mark_log(bench.mission.paths.log)
    again = bench.start(actor)
    assert (again.value["changed"], again.value["event_ids"]) == (False, [])
    told = declined(bench.start("ann-2"), "CLAIM_CONFLICT")
    assert told["holder"] == actor
    assert "recover" in shlex.split(told["command"])
    assert mark.unchanged


@pytest.mark.parametrize("other", ["an", "ann-2", "ANN", "ann:sonnet", {**ALICE, "tool": "ann"}])
def test_names_that_look_alike_are_two(bench: Bench, other: Actor) -> None:
    assert bench.start("ann").ok
    declined(bench.start(other), "CLAIM_CONFLICT")


@pytest.mark.parametrize("key", ["role", "profile", "tool", "model"])
def test_structured_actors_differ_by_any_key(bench: Bench, key: str) -> None:
    assert bench.start(ALICE).ok
    assert bench.rows()[-1]["actor"] == ALICE
    declined(bench.start({**ALICE, key: "other"}), "CLAIM_CONFLICT")
    assert not bench.start(ALICE).value["changed"]


@pytest.mark.parametrize("actor", [" ", dict.fromkeys(ALICE, None), dict.fromkeys(ALICE, " ")])
def test_nobody_can_start(bench: Bench, actor: Actor) -> None:
    declined(bench.start(actor), "ACTOR_REQUIRED")


def test_an_actor_of_another_shape_is_refused_before_anything_is_written(bench: Bench) -> None:
    mark = mark_log(bench.mission.paths.log)
    declined(bench.start({"tool": "claude"}), "VALUE_INVALID")
    declined(bench.start("\ud800"), "TEXT_NOT_ENCODABLE")
    assert mark.unchanged


@pytest.mark.parametrize("lane", ["genesis", "for_review", "in_review", "approved", "done", "blocked", "canceled"])
def test_implementing_starts_where_the_lane_table_lets_it(tmp_path: Path, lane: str) -> None:
    bench = Bench(tmp_path, {"WP01": lane})
    mark = mark_log(bench.mission.paths.log)
    told = declined(bench.start(), "START_NOT_POSSIBLE")
    assert (told["from_lane"], told["requested_lane"]) == (lane, "in_progress")
    assert mark.unchanged


@pytest.mark.parametrize("actor", ["rev", "ann", ALICE])
def test_whoever_asks_first_reviews(bench: Bench, actor: Actor) -> None:
    assert bench.start(actor, work_package="WP03", kind="review").value["to_lane"] == "in_review"
    assert not bench.start(actor, work_package="WP03", kind="review").value["changed"]
    told = declined(bench.start("rev-2", work_package="WP03", kind="review"), "CLAIM_CONFLICT")
    assert told["holder"] == actor
    declined(bench.start(actor, kind="review"), "START_NOT_POSSIBLE")


def test_rejected_work_is_in_the_hands_it_was_in(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"WP01": "in_review", "WP02": "in_review"})
    bench.mission.log.lane("WP01", "in_progress").lane("WP02", "planned")
    assert not bench.start("ann").value["changed"]
    assert declined(bench.start("rev"), "CLAIM_CONFLICT")["holder"] == "ann"
    # Back on the pile, it is anybody's.
    assert bench.start("bob", work_package="WP02").value["event_ids"]


def test_a_retry_after_a_disk_that_was_full_makes_the_rows_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from kitty_reliability.reference import store

    mark = mark_log(bench.mission.paths.log)
    with monkeypatch.context() as patch:
        patch.setattr(store, "append_durably", _half)
        told = declined(bench.start(), "EVENT_APPEND_FAILED")
        assert (told["work_package_id"], told["requested_lane"]) == ("WP01", "in_progress")
    assert mark.unchanged
    assert bench.start().ok
    assert [row["to_lane"] for row in mark.added().rows] == ["claimed", "in_progress"]


def _half(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data[: data.index(b"\n") + 1])
    raise OSError(28, "No space left on device")


def test_a_start_on_a_log_that_cannot_be_read_names_what_was_asked(bench: Bench) -> None:
    bench.mission.log.raw(b"oops\n")
    told = declined(bench.start(work_package="WP03", kind="review"), "EVENT_LOG_UNREADABLE")
    assert (told["work_package_id"], told["requested_lane"]) == ("WP03", "in_review")
    assert told["status_events_path"] == str(bench.mission.paths.log)


# --- batches


def test_a_batch_is_checked_against_what_its_own_moves_lead_to(bench: Bench) -> None:
    outcome = bench.batch(
        {"work_package": "WP01", "to": "claimed", "actor": "ann"},
        {"work_package": "WP02", "to": "claimed", "actor": "ann"},
        {"work_package": "WP01", "to": "doing", "actor": "ann", "workspace_context": "worktree:a"},
        {"work_package": "WP01", "to": "for_review", "actor": "ann"},
    )
    assert outcome.ok, outcome
    done = outcome.value["transitions"]
    assert [move["changed"] for move in done] == [True, False, True, True]
    assert [move["event_id"] for move in done if move["changed"]] == [row["event_id"] for row in bench.rows()[-3:]]
    assert bench.state()["lanes"]["WP01"] == "for_review"


def test_a_batch_with_one_illegal_move_does_nothing(bench: Bench) -> None:
    mark = mark_log(bench.mission.paths.log)
    outcome = bench.batch(
        {"work_package": "WP01", "to": "claimed", "actor": "ann"},
        {"work_package": "WP02", "to": "done", "actor": "ann"},
    )
    told = declined(outcome, "ILLEGAL_TRANSITION")
    assert (told["work_package_id"], told["requested_lane"], told["from_lane"]) == ("WP02", "done", "claimed")
    assert mark.unchanged
    assert bench.state()["lanes"]["WP01"] == "planned"


def test_a_batch_with_one_row_that_is_outranked_does_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"WP01": "planned", "WP02": "planned"})
    ahead = bench.reference.workflow._now() + timedelta(hours=1)
    bench.mission.log.lane("WP02", "claimed", at=ahead.isoformat())
    mark = mark_log(bench.mission.paths.log)
    moves = [
        {"work_package": "WP01", "to": "claimed", "actor": "ann"},
        {"work_package": "WP02", "to": "in_progress", "actor": "ann", "workspace_context": "worktree:a"},
    ]
    told = declined(bench.batch(*moves), "LANE_DISAGREES")
    assert told["work_package_id"] == "WP02"
    assert mark.unchanged


def test_an_empty_batch_is_no_request() -> None:
    with pytest.raises(ValueError, match="moves"):
        protocol.Batch(root="/x", mission="m", moves=[])


# --- giving back


@pytest.mark.parametrize(
    ("lane", "back"), [("claimed", "planned"), ("in_progress", "planned"), ("in_review", "for_review")]
)
def test_what_a_process_that_ended_held_is_given_back(
    tmp_path: Path, ended: dict[str, Any], lane: str, back: str
) -> None:
    bench = Bench(tmp_path, {"WP01": back})
    kind = "review" if lane == "in_review" else "implement"
    if lane == "claimed":
        bench.mission.log.lane("WP01", "claimed", policy_metadata=_policy(ended))
    else:
        assert bench.start("ann", kind=kind, **ended).ok
    assert declined(bench.start("bob", kind=kind), "CLAIM_CONFLICT")["holder_state"] == "ended"
    outcome = bench.recover()
    assert outcome.ok, outcome
    assert (outcome.value["from_lane"], outcome.value["to_lane"], outcome.value["holder"]) == (lane, back, "ann")
    assert str(ended["process_id"]) in outcome.value["evidence"]
    assert bench.rows()[-1]["event_id"] == outcome.value["event_id"]
    assert bench.start("bob", kind=kind).ok


def _policy(process: dict[str, Any]) -> dict[str, Any]:
    return {"shell_pid": process["process_id"], "shell_pid_created_at": str(process["process_started"])}


def test_what_a_running_process_holds_stays_with_it(bench: Bench, sleeper: psutil.Process) -> None:
    assert bench.start(process_id=sleeper.pid, process_started=sleeper.create_time()).ok
    assert declined(bench.start("bob"), "CLAIM_CONFLICT")["holder_state"] == "running"
    mark = mark_log(bench.mission.paths.log)
    assert str(sleeper.pid) in declined(bench.recover(), "HOLDER_ALIVE")["message"]
    assert mark.unchanged


def test_a_number_that_another_process_has_now_proves_that_the_holder_is_gone(
    bench: Bench, sleeper: psutil.Process
) -> None:
    assert bench.start(process_id=sleeper.pid, process_started=sleeper.create_time() - 3600).ok
    assert bench.recover().ok


@pytest.mark.parametrize(
    "known", [{}, {"process_id": 1}, {"process_started": 1.0}, {"process_id": 2**40, "process_started": 1.0}]
)
def test_time_and_half_a_proof_prove_nothing(tmp_path: Path, known: dict[str, Any]) -> None:
    bench = Bench(tmp_path, {"WP01": "planned"})
    policy = {"shell_pid": known.get("process_id"), "shell_pid_created_at": known.get("process_started")}
    bench.mission.log.lane("WP01", "claimed", at="2020-01-01T00:00:00+00:00", policy_metadata=policy)
    bench.mission.log.rewrite(b"".join(bench.mission.log.chunks[-1:]))
    mark = mark_log(bench.mission.paths.log)
    declined(bench.recover(), "HOLDER_UNKNOWN")
    assert mark.unchanged


def test_the_process_of_an_earlier_claim_says_nothing_about_this_one(bench: Bench, ended: dict[str, Any]) -> None:
    assert bench.start("ann", **ended).ok
    assert bench.recover().ok
    assert bench.start("ann").ok
    declined(bench.recover(), "HOLDER_UNKNOWN")


def test_what_nobody_holds_is_not_given_back(bench: Bench) -> None:
    declined(bench.recover(), "NOT_HELD")
    declined(bench.recover(work_package="WP99"), "WORK_PACKAGE_NOT_FOUND")


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="needs a system that keeps processes until they are collected")
def test_a_process_that_nobody_collected_has_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = psutil.Process(process.pid).create_time()
        assert process_state(process.pid, started) == "running"
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert process_state(process.pid, started) == "ended"


# --- the command that a diagnostic names


def test_the_command_that_a_report_names_goes_on_with_the_work(bench: Bench) -> None:
    (report,) = bench.state()["reports"]
    words = shlex.split(report["command"])
    assert words[:2] == ["python", "-m"]
    done = subprocess.run([sys.executable, *words[1:]], cwd=bench.mission.root, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert bench.state()["lanes"]["WP02"] == "in_progress"


@pytest.mark.parametrize("profile", ["contract-320", "spec-kitty-3.2"])
def test_both_profiles_start_alike(tmp_path: Path, profile: str) -> None:
    bench = Bench(tmp_path, {"WP01": "planned"})
    bench.reference = Reference(PROFILES[profile])
    assert bench.start(ALICE).ok
    assert not bench.start(ALICE).value["changed"]
    declined(bench.start("ann"), "CLAIM_CONFLICT")
    assert bench.state()["lanes"] == {"WP01": "in_progress"}
