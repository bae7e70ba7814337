"""Commands that are forked from a process that has imported them do what they do when they are started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kitty_conformance.bench import Bench
from kitty_reliability.build.mission import Mission, mission
from kitty_reliability.build.repository import repository
from kitty_reliability.faults.clock import StoppedClock
from kitty_reliability.faults.disk import DiskFault
from kitty_reliability.implementations import forks
from kitty_reliability.implementations.base import ImplementationError
from kitty_reliability.implementations.processes import clean_environment, end_group, run_to_end, start_group
from kitty_reliability.implementations.protocol import Hello, OutcomeKind, State
from kitty_reliability.implementations.registry import connect

if not hasattr(os, "fork"):
    pytest.skip("this system cannot fork", allow_module_level=True)

REFERENCE = ("-m", "kitty_reliability.reference")
SERVE = ("-m", "kitty_reliability.implementations.serve")


@pytest.fixture
def made(tmp_path: Path) -> Mission:
    repository(tmp_path)
    return mission(tmp_path, {"WP01": "planned"})


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    return lambda: monkeypatch.setenv("KITTY_NO_FORKS", "1")


@pytest.mark.parametrize(
    ("words", "environment"),
    [
        ((*REFERENCE, "state", "--mission=NAME", "--format=json"), {}),
        (("-P", *REFERENCE, "state", "--mission=NAME"), {}),
        ((*REFERENCE, "transition"), {}),
        ((*REFERENCE, "transition", "--mission=NAME", "--work-package=WP01", "--to=Ä", "--actor=x"), {"LC_ALL": "C"}),
        ((*REFERENCE, "state", "--mission=NÄME"), {"PYTHONIOENCODING": "ascii"}),
        ((*SERVE, "mutant:no-such"), {}),
        (("-m", "kitty_conformance.mutants", "signoff-ends-well", "state", "--mission=NAME"), {}),
    ],
)
def test_a_forked_command_says_and_ends_as_a_started_one(
    made: Mission, cold: Callable[[], None], words: tuple[str, ...], environment: dict[str, str]
) -> None:
    argv = [sys.executable, *(word.replace("NAME", made.slug) for word in words)]
    forked, started = [
        (way(), run_to_end(argv, clean_environment(environment), made.root, 60))[1] for way in (lambda: None, cold)
    ]
    assert (forked.status, forked.stdout, forked.stderr) == (started.status, started.stdout, started.stderr)
    assert forked.stdout + forked.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_output_that_arrives_nowhere_has_the_status_of_a_started_one(cold: Callable[[], None]) -> None:
    found = []
    for way in (lambda: None, cold):
        way()
        with Path("/dev/full").open("wb") as full:
            process = start_group([sys.executable, *REFERENCE, "--help"], clean_environment(), stdout=full)
            found.append(process.wait(60))
    assert found[0] == found[1] != 0


def test_it_is_forked_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [
        (*REFERENCE, "state"),
        (*SERVE, "reference"),
        (*SERVE, "python:mine:It"),
        ("-c", "pass"),
        (*REFERENCE[:1],),
    ]
    for number, words in enumerate(asked):
        process = start_group([sys.executable, *words], clean_environment(), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)  # fmt: skip
        process.wait(60)
        assert isinstance(process, forks.Forked) == (number < 2), words
    monkeypatch.setenv("KITTY_NO_FORKS", "1")
    assert forks.start([sys.executable, *SERVE, "reference"], clean_environment()) is None


def test_a_session_is_served_and_can_be_ended(made: Mission) -> None:
    with connect("served:reference") as session:
        assert session.ask(State(root=str(made.root), mission=made.slug)).value["lanes"] == {"WP01": "planned"}
        process = session.process_id
        assert process is not None
        assert os.getpgid(process) == os.getsid(process) == process
        os.kill(process, signal.SIGKILL)
        outcome = session.ask(Hello())
        assert outcome.kind is OutcomeKind.CRASHED
        assert "-9" in outcome.value["message"] or "between two" in outcome.value["message"]
        assert session.ask(Hello()).ok


def test_who_does_not_end_is_given_up(made: Mission) -> None:
    process = start_group([sys.executable, *SERVE, "reference"], clean_environment(), stdin=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    assert process.returncode is None
    end_group(process)
    assert process.returncode == -signal.SIGKILL
    assert process.stdin is not None
    process.stdin.close()


def test_a_fault_and_a_clock_are_there_as_in_a_started_one(made: Mission, tmp_path: Path) -> None:
    words = [
        "transition",
        f"--mission={made.slug}",
        "--work-package=WP01",
        "--to=claimed",
        "--actor=x",
        "--format=json",
    ]
    moment = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)
    fault = DiskFault(made.log.path, "full", tmp_path / "acted")
    for added, status in ((fault.environment(), 1), (StoppedClock(moment).environment(), 0)):
        done = run_to_end([sys.executable, *REFERENCE, *words], clean_environment(added), made.root, 60)
        assert done.status == status, done.stderr
    assert fault.acted
    assert json.loads(made.log.path.read_bytes().splitlines()[-1])["at"].startswith("2031-02-03T04:05:06")


def test_when_nobody_is_there_to_fork_it_another_one_is() -> None:
    argv = [sys.executable, *SERVE, "reference"]
    process = start_group(argv, clean_environment(), stdin=subprocess.PIPE)
    assert isinstance(process, forks.Forked)
    for server, _ in forks._servers.values():
        server.kill()
        server.wait()
    with pytest.raises(ImplementationError, match="has ended"):
        process.wait(60)
    os.killpg(process.pid, signal.SIGKILL)
    assert run_to_end(argv, clean_environment(), Path.cwd(), 60).status == 0
    assert process.stdin is not None
    process.stdin.close()


@pytest.mark.parametrize(
    ("spec", "scenarios"),
    [
        ("reference", ["test_a_writer_that_was_killed_is_in_nobodys_way", "test_one_of_several_starting_wins"]),
        ("mutant:signoff-ends-well", ["test_the_command_says_so_by_its_exit_status"]),
    ],
)
def test_verdicts_are_those_of_commands_that_are_started(
    cold: Callable[[], None], spec: str, scenarios: list[str]
) -> None:
    verdicts = []
    for way in (lambda: None, cold):
        way()
        with Bench() as bench:
            judged = bench.judge(spec, scenario=scenarios[0], also=scenarios[1:])
        verdicts.append({one.scenario: (one.verdict, one.finding) for one in judged.scenarios})
    assert verdicts[0] == verdicts[1]
    assert set(verdicts[0]) == set(scenarios)
