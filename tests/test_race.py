from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kitty_reliability.faults.process import Ran, Sandbox
from kitty_reliability.faults.race import Call, NoRace, Race, race

PUPPETS = Path(__file__).parent / "puppets_process"


def call(function: str, *arguments: object) -> Call:
    return Call(f"racing:{function}", arguments, (PUPPETS,))


def reported(*event_ids: str | None) -> Race:
    """A race in which each contestant printed its id, or failed."""
    return Race(
        tuple(
            Ran(("x",), 1, None, b"", b"refused", 0.1)
            if event_id is None
            else Ran(("x",), 0, None, f'{{"event_id": "{event_id}"}}'.encode(), b"", 0.1)
            for event_id in event_ids
        )
    )


def rows(*event_ids: str) -> bytes:
    return b"".join(f'{{"event_id": "{event_id}"}}\n'.encode() for event_id in event_ids)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "sandbox") as sandbox:
        yield sandbox


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.write_bytes(rows("before"))
    return path


# --- racing


def test_all_contestants_run_at_the_same_time(sandbox: Sandbox, tmp_path: Path) -> None:
    out = race(8, lambda number: call("meet", str(tmp_path / "meeting"), number, 8), sandbox)
    assert [ran.one_json() for ran in out.runs] == [*range(8)]
    assert out.runs[3].argv == ("racing:meet", f'"{tmp_path / "meeting"}"', "3", "8")


@pytest.mark.parametrize("quick", ["call", "command"])
def test_nobody_goes_before_all_are_ready(sandbox: Sandbox, quick: str) -> None:
    code = "import json, os; print(json.dumps(os.path.exists('imported')))"
    first = call("exists", "imported") if quick == "call" else [sys.executable, "-c", code]
    out = race(2, lambda number: Call("slow:imported", path=(PUPPETS,)) if number else first, sandbox)
    assert [ran.one_json() for ran in out.runs] == [True, True]


def test_commands_race_with_their_own_arguments_and_nothing_to_read(sandbox: Sandbox) -> None:
    code = "import sys; print([sys.argv[1], sys.stdin.read()])"
    out = race(3, lambda number: [sys.executable, "-c", code, str(number)], sandbox)
    assert [ran.text.strip() for ran in out.runs] == ["['0', '']", "['1', '']", "['2', '']"]
    assert out.runs[2].argv == (sys.executable, "-c", code, "2")


def test_contestants_have_the_environment_of_the_sandbox(sandbox: Sandbox) -> None:
    code = "import os; print(os.environ['HOME'], os.environ['X'], os.getcwd())"
    out = race(2, lambda _: [sys.executable, "-c", code], sandbox, env={"X": "1"}, cwd=sandbox.temporary)
    assert {ran.text for ran in out.runs} == {f"{sandbox.home} 1 {sandbox.temporary}\n"}


def test_without_a_lock_rows_are_lost_and_named(sandbox: Sandbox, log: Path) -> None:
    out = race(8, lambda number: call("append_unlocked", str(log), number, 8), sandbox)
    assert len(out.successes()) == 8
    [winner] = log.read_bytes().removeprefix(rows("before")).split(b"\n")[:-1]
    with pytest.raises(AssertionError) as caught:
        out.assert_log_equals_successes(log, before=rows("before"))
    lost = [f"event-{number}" for number in range(8) if f"event-{number}".encode() not in winner]
    assert len(lost) == 7
    assert str(caught.value) == (
        f"{log} does not hold what 8 processes reported (8 x exit status 0):\n"
        f"  reported and not in the log: {', '.join(lost)}"
    )


def test_with_a_lock_nothing_is_lost(sandbox: Sandbox, log: Path) -> None:
    out = race(8, lambda number: call("append_locked", str(log), number), sandbox)
    out.assert_log_equals_successes(log, before=rows("before"))
    assert log.read_bytes().count(b"\n") == 9


def test_rows_that_are_written_twice_are_named(sandbox: Sandbox, log: Path) -> None:
    out = race(2, lambda number: call("append_twice", str(log), number), sandbox)
    with pytest.raises(AssertionError, match=r"in the log more than once: event-0 \(2 times\), event-1 \(2 times\)"):
        out.assert_log_equals_successes(log, before=rows("before"))


def test_who_fails_is_told_from_who_succeeds(sandbox: Sandbox, log: Path) -> None:
    out = race(2, lambda number: call("append_locked", str(log), 0) if number else call("refuse", number), sandbox)
    assert [ran.status for ran in out.runs] == [1, 0]
    assert b"contestant 0 may not" in out.runs[0].stderr
    assert out.successes() == [out.runs[1]]
    assert out.successes(lambda ran: ran.status == 1) == [out.runs[0]]
    out.assert_log_equals_successes(log, before=rows("before"))


def test_who_hangs_is_killed_when_time_is_up(sandbox: Sandbox, tmp_path: Path) -> None:
    out = race(2, lambda number: call("hang", number) if number else [sys.executable, "-c", ""], sandbox, seconds=5)
    assert [ran.late for ran in out.runs] == [False, True]
    assert out.runs[1].seconds >= 5


@pytest.mark.parametrize(
    ("contestant", "why"),
    [
        (Call("nowhere:function"), "No module named 'nowhere'"),
        (call("nothing"), "has no attribute 'nothing'"),
        pytest.param(
            ["nothing-of-that-name"],
            "nothing-of-that-name is not there, or is no program",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="extensions decide what is a program there"),
        ),
    ],
)
def test_who_does_not_get_to_the_start_is_an_error(sandbox: Sandbox, contestant: Call | list[str], why: str) -> None:
    with pytest.raises(NoRace, match="contestant 1 did not get to the start: exit status 1") as caught:
        race(2, lambda number: contestant if number else [sys.executable, "-c", ""], sandbox)
    assert why in str(caught.value)
    assert not [*sandbox.base.glob("race-*")]


def test_a_start_that_takes_too_long_is_an_error(sandbox: Sandbox) -> None:
    with pytest.raises(NoRace, match="not over after 0 s"):
        race(2, lambda number: call("hang", number), sandbox, seconds=0)


# --- judging


def test_reports_and_log_that_agree_are_fine(log: Path) -> None:
    log.write_bytes(rows("before", "b", "a") + b'\n{"type": "MissionCreated"}\n')
    reported("a", None, "b").assert_log_equals_successes(log, before=rows("before"))


def test_a_log_that_nobody_wrote_may_be_missing(tmp_path: Path) -> None:
    reported(None, None).assert_log_equals_successes(tmp_path / "log")


def test_a_no_op_reports_no_event(log: Path) -> None:
    ran = Ran(("x",), 0, None, b'{"changed": false, "event_id": null}', b"", 0.1)
    Race((ran,)).assert_log_equals_successes(log, before=rows("before"))


def test_reported_ids_may_be_told_by_the_caller(log: Path) -> None:
    out = Race((Ran(("x",), 0, None, b"wrote one two", b"", 0.1),))
    log.write_bytes(rows("one", "two"))
    out.assert_log_equals_successes(log, lambda ran: ran.text.split()[1:])


@pytest.mark.parametrize(
    ("out", "content", "problem"),
    [
        (reported("a"), b"", "reported and not in the log: a"),
        (reported("a", "a"), rows("a"), r"reported more than once: a \(2 times\)"),
        (reported("a"), rows("a", "a"), r"in the log more than once: a \(2 times\)"),
        (reported("a", None), rows("a", "b"), "in the log and not reported: b"),
        (reported("a"), rows("a") + b'{"event', "line 3 is not a JSON object: b'{\"event'"),
        (reported("a"), rows("a") + b"[1]\n\xff\n", "line 4 is not a JSON object: b'"),
    ],
)
def test_each_difference_is_named(log: Path, out: Race, content: bytes, problem: str) -> None:
    log.write_bytes(rows("before") + content)
    with pytest.raises(AssertionError, match=problem) as caught:
        out.assert_log_equals_successes(log, before=rows("before"))
    assert str(caught.value).count("\n") == 1 + ("4" in problem)


def test_a_log_whose_earlier_rows_changed_is_named(log: Path) -> None:
    log.write_bytes(rows("a", "before"))
    with pytest.raises(AssertionError, match="the 23 bytes that the log held before are not its beginning any more"):
        reported("a", "before").assert_log_equals_successes(log, before=rows("before"))


@pytest.mark.parametrize("stdout", [b"", b"saved", b"[]"])
def test_a_success_that_does_not_say_what_it_wrote_is_named(log: Path, stdout: bytes) -> None:
    out = Race((Ran(("x",), 0, None, stdout, b"", 0.1),))
    with pytest.raises(AssertionError, match="contestant 0: stdout is not"):
        out.assert_log_equals_successes(log, before=rows("before"))
