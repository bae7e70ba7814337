"""Faults at one counted call, a write that claims more than it did, a process that ends in the middle of a write."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kitty_reliability.faults.calls import CallFault
from kitty_reliability.implementations.program import Program
from kitty_reliability.implementations.registry import connect

STEPS = """\
import os, sys
folder = sys.argv[1]
log = os.path.join(folder, "log")
descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(descriptor, b"a row")
os.fsync(descriptor)
os.close(descriptor)
with open(log, "rb") as file:
    file.read()
with open(os.path.join(folder, "new"), "w") as file:
    file.write("text")
os.replace(os.path.join(folder, "new"), os.path.join(folder, "snapshot"))
os.unlink(log)
"""
CALLS = ["open log", "write log", "fsync log", "open log", "open new", "write new", "rename snapshot", "unlink log"]
WRITING = [call for number, call in enumerate(CALLS) if number != 3]


def steps(folder: Path) -> None:
    argv, sys.argv = sys.argv, ["", str(folder)]
    try:
        exec(STEPS, {})
    finally:
        sys.argv = argv


def in_a_process(fault: CallFault, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **fault.environment()}
    words = [sys.executable, "-c", STEPS, str(folder)]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=60)


def fault_in(tmp_path: Path, mode: str, **options: int) -> CallFault:
    folder = tmp_path / "mission"
    folder.mkdir()
    return CallFault(folder, mode, tmp_path / "marker", **options)  # type: ignore[arg-type]


def said(fault: CallFault) -> str:
    name, _, path = fault.what.partition(" ")
    return f"{name} {Path(path).name}"


@pytest.mark.parametrize("number", range(1, len(CALLS) + 1))
def test_one_call_fails_and_is_named(tmp_path: Path, number: int) -> None:
    fault = fault_in(tmp_path, "fail", number=number)
    with fault.here(), pytest.raises(OSError) as caught:
        steps(fault.path)
    assert said(fault) == CALLS[number - 1]
    assert fault.acted == 1
    assert caught.value.errno == (errno.ENOSPC if CALLS[number - 1].startswith("write") else errno.EIO)


def test_beyond_the_last_call_nothing_happens(tmp_path: Path) -> None:
    fault = fault_in(tmp_path, "fail", number=len(CALLS) + 1)
    with fault.here():
        steps(fault.path)
    assert (fault.acted, fault.what) == (0, "")
    assert (fault.path / "snapshot").read_text(encoding="utf-8") == "text"


def test_files_elsewhere_are_left_alone(tmp_path: Path) -> None:
    fault = fault_in(tmp_path, "fail-on", number=1)
    (tmp_path / "mission-of-another").mkdir()
    with fault.here():
        steps(tmp_path / "mission-of-another")
    assert fault.acted == 0


def test_from_a_call_on_all_fail(tmp_path: Path) -> None:
    fault = fault_in(tmp_path, "fail-on", number=2)
    with fault.here():
        for _ in range(2):
            with pytest.raises(OSError, match=r"No space left|Input/output"):
                steps(fault.path)
    assert said(fault) == "write log"
    assert fault.acted == 2


@pytest.mark.parametrize("number", range(1, len(WRITING) + 1))
def test_a_process_ends_before_a_call_that_writes(tmp_path: Path, number: int) -> None:
    fault = fault_in(tmp_path, "stop", number=number)
    done = in_a_process(fault, fault.path)
    assert (done.returncode, done.stderr) == (137, "")
    assert said(fault) == WRITING[number - 1]
    assert (fault.path / "log").exists() is (number > 1)


def test_a_process_ends_when_some_bytes_are_written(tmp_path: Path) -> None:
    fault = fault_in(tmp_path, "cut", bytes_through=3)
    log = CallFault(fault.path / "log", "cut", fault.marker, bytes_through=3)
    done = in_a_process(log, fault.path)
    assert (done.returncode, log.acted) == (137, 1)
    assert (fault.path / "log").read_bytes() == b"a r"


def test_a_short_write_claims_what_it_did_not_do(tmp_path: Path) -> None:
    log = tmp_path / "log"
    fault = CallFault(log, "short", tmp_path / "marker", bytes_through=2)
    with fault.here():
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT)
        rest = b"a row"
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.close(descriptor)
    assert log.read_bytes() == b"row"
    assert fault.acted == 1


# --- reaching the process of a session


def test_a_session_has_a_process_once_it_was_asked() -> None:
    with connect("served:reference") as session:
        assert session.process_id is None
        _ = session.greeting
        assert session.process_id is not None
        os.kill(session.process_id, 0)
    assert session.process_id is None
    with connect("reference") as here:
        _ = here.greeting
        assert here.process_id is None


def test_a_sibling_is_started_by_its_wrapper(tmp_path: Path) -> None:
    wrapper = [sys.executable, "-c", f"import os, sys; open({str(tmp_path / 'seen')!r}, 'w'); os.execv(sys.argv[1], sys.argv[1:])"]  # fmt: skip
    with connect("served:reference") as session, session.sibling(wrapper=wrapper) as wrapped:
        assert isinstance(wrapped, Program)
        assert wrapped.greeting.name == "reference"
    assert (tmp_path / "seen").exists()
