"""The final sync of the reference, where the suite does not reach: codes, streams that are closed, addresses that are none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.build.mission import Mission, mission
from kitty_reliability.faults.shutdown import run_during_shutdown
from kitty_reliability.faults.sync_script import SyncScript
from kitty_reliability.faults.sync_service import SyncService
from kitty_reliability.formats.profiles import CONTRACT_320, SPEC_KITTY_32, Profile
from kitty_reliability.implementations.protocol import Transition
from kitty_reliability.observe.output import Output
from kitty_reliability.reference.adapter import Reference
from kitty_reliability.reference.commands import main
from kitty_reliability.reference.syncing import FinalSync, SyncDiagnostic
from kitty_reliability.reference.workflow import Workflow

Run = Callable[..., tuple[int, Output, Output]]


@pytest.fixture
def built(tmp_path: Path) -> Mission:
    return mission(tmp_path / "repo", {"WP01": "planned", "WP02": "planned"})


@pytest.fixture
def run(built: Mission, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process against an address."""

    def command(address: str, *words: str, profile: Profile = CONTRACT_320, switch: str = "1") -> Any:
        monkeypatch.setenv("SPEC_KITTY_ENABLE_SAAS_SYNC", switch)
        monkeypatch.setenv("SPEC_KITTY_SAAS_URL", address)
        words = words or ("transition", "--work-package=WP01", "--to=claimed", "--actor=me")
        place = [f"--root={built.root}", f"--mission={built.slug}", "--format=json"]
        status = main([words[0], *place, *words[1:]], Reference(profile))
        out, err = capfd.readouterr()
        return status, Output(out.encode()), Output(err.encode())

    return command


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("401", "sync.server_auth_failure"),
        ("403", "sync.server_auth_failure"),
        ("429", "sync.server_failure"),
        ("500", "sync.server_failure"),
        ("reset", "sync.transport_failure"),
        ("refused", "sync.transport_failure"),
        ("malformed", "sync.answer_invalid"),
        ("oversized", "sync.answer_invalid"),
        ("truncated", "sync.answer_invalid"),
        ("unknown", "sync.unknown_failure"),
    ],
)
def test_a_failure_has_the_code_of_its_kind(run: Run, fault: str, code: str) -> None:
    with SyncService(SyncScript(default=fault)) as service:
        status, out, err = run(service.url)
    assert status == 0
    assert out.one_json()["to_lane"] == "claimed"
    (told,) = err.diagnostics(code=code, count=1)
    assert len(told["message"]) < 400


@pytest.mark.parametrize("switch", ["1", " TRUE ", "yes", "Y", "on"])
def test_what_is_sent_is_the_event_and_nothing_of_this_machine(run: Run, built: Mission, switch: str) -> None:
    with SyncService() as service:
        status, out, err = run(f"{service.url}/base/", switch=switch)
    assert (status, err) == (0, b"")
    (asked,) = service.requests
    assert (asked.method, asked.path) == ("POST", "/base/api/v1/events/batch/")
    assert asked.json() == {
        "event_id": out.one_json()["event_id"],
        "from_lane": "planned",
        "mission_slug": built.slug,
        "operation": "transition",
        "to_lane": "claimed",
        "work_package_id": "WP01",
    }


def test_what_changes_nothing_is_not_told(run: Run) -> None:
    with SyncService() as service:
        assert run(service.url)[0] == 0
        assert run(service.url)[1].one_json()["changed"] is False
        assert run(service.url, "state")[0] == 0
        assert run(service.url, "repair")[1].one_json()["changed"] is False
        assert len(service.requests) == 1


@pytest.mark.parametrize("address", ["", "file:///etc/hostname", "http://", "http://127.0.0.1:port", "127.0.0.1:80"])
def test_an_address_that_is_none_is_told_and_not_shown(run: Run, address: str) -> None:
    status, out, err = run(address)
    assert (status, out.one_json()["changed"]) == (0, True)
    (told,) = err.diagnostics(count=1)
    assert not address or address not in told["message"]


def test_the_profile_of_released_versions_has_room_for_one_line(run: Run) -> None:
    moves = [{"work_package": name, "to": "claimed", "actor": "me"} for name in ("WP01", "WP02")]
    with SyncService(SyncScript("401", default="500")) as service:
        status, _, err = run(service.url, "batch", f"--moves={json.dumps(moves)}", profile=SPEC_KITTY_32)
        assert len(service.requests) == 2
    assert status == 0
    err.diagnostics(code="sync.server_auth_failure", count=1)


def test_equal_diagnostics_are_those_of_one_code_phase_and_message() -> None:
    sync = FinalSync(Workflow())
    one = SyncDiagnostic("a", "The tide\nis out")
    others = [
        SyncDiagnostic("a", "the  tide is out"),
        SyncDiagnostic("b", "the tide is out"),
        SyncDiagnostic("a", "the tide is in"),
        SyncDiagnostic("a", "the tide is out", sync_phase="first_sync"),
    ]
    assert sync.distinct([one, *others, one]) == [one, *others[1:]]
    pages = [SyncDiagnostic("a", f"<html>{' ' * number}{'x' * 1000}{number}") for number in (1, 2)]
    assert sync.distinct(pages) == pages[:1], "one line would stand there twice"


def test_a_lock_that_cannot_be_made_is_told(run: Run, built: Mission) -> None:
    (built.root / ".kittify" / "locks").mkdir(parents=True)
    (built.root / ".kittify" / "locks" / "sync.lock").mkdir()
    with SyncService() as service:
        status, out, err = run(service.url)
    assert (status, out.one_json()["changed"]) == (0, True)
    (told,) = err.diagnostics(code="sync.final_sync_lock_unavailable", count=1)
    assert str(built.root) not in told["message"]


def words(built: Mission) -> list[str]:
    return [
        "transition",
        f"--root={built.root}",
        f"--mission={built.slug}",
        "--work-package=WP01",
        "--to=claimed",
        "--actor=me",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="a shell closes the stream")
@pytest.mark.parametrize("stream", ["2>&-", pytest.param("2>/dev/full", marks=pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="no device that is full"))])  # fmt: skip
def test_a_diagnostic_that_cannot_be_shown_is_no_failure(built: Mission, stream: str) -> None:
    with SyncService(SyncScript(default="401")) as service:
        done = subprocess.run(
            ["sh", "-c", f'exec "$@" {stream}', "sh", sys.executable, "-m", "kitty_reliability.reference",
             *words(built), "--format=json"],
            env={**os.environ, **service.environment()}, stdout=subprocess.PIPE, check=False, timeout=60,
        )  # fmt: skip
        assert service.acted
    assert done.returncode == 0
    assert Output(done.stdout).one_json()["to_lane"] == "claimed"


def test_the_end_of_the_interpreter_is_told_where_it_stops_threads(built: Mission) -> None:
    program = "import runpy; runpy.run_module('kitty_reliability.reference', run_name='__main__', alter_sys=True)"
    with SyncService() as service:
        done = run_during_shutdown(program, *words(built), environment={**os.environ, **service.environment()})
        sent = len(service.requests)
    assert done.returncode == 0, done.stderr
    told = Output(done.stderr.encode()).diagnostics()
    if sys.version_info >= (3, 12):
        assert [one["diagnostic_code"] for one in told] == ["sync.final_sync_shutdown_unavailable"]
        assert sent == 0
    else:
        assert (told, sent) == ([], 1)


def test_a_session_contacts_nobody(built: Mission, monkeypatch: pytest.MonkeyPatch) -> None:
    with SyncService() as service:
        for name, value in service.environment().items():
            monkeypatch.setenv(name, value)
        asked = Transition(root=str(built.root), mission=built.slug, work_package="WP01", to="claimed", actor="me")
        assert Reference().answer(asked).ok
        assert not service.connections
