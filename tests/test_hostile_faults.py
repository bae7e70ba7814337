"""Ways past a fault, or around it, that were found by looking for them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.build.errors import BuildError
from kitty_reliability.build.event_log import EventLog
from kitty_reliability.faults.disk import DiskFault
from kitty_reliability.faults.finalizer import run_with_finalizer
from kitty_reliability.faults.log import VERBS, Diverged
from kitty_reliability.faults.network import only_loopback
from kitty_reliability.faults.process import Ran, Sandbox
from kitty_reliability.faults.race import Race, race
from kitty_reliability.faults.sync import run_during_shutdown
from kitty_reliability.faults.sync_script import ScriptError, SyncScript
from kitty_reliability.faults.sync_service import SyncService
from kitty_reliability.formats.quiet import private
from kitty_reliability.observe.leaks import mark_leaks
from kitty_reliability.observe.rows import mark_log

# --- a disk fault: every name that a file has, and every call that writes


@contextmanager
def descriptor_of(path: Path, flags: int = os.O_WRONLY | os.O_APPEND) -> Iterator[int]:
    descriptor = os.open(path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def bytes_path(log: Path) -> None:
    with open(os.fsencode(log), "ab") as file:  # noqa: PTH123
        file.write(b"new")


def opener(log: Path) -> None:
    with open(log, "ab", opener=os.open) as file:
        file.write(b"new")


def number_of_a_file(log: Path) -> None:
    with log.open("ab") as file:
        os.write(file.fileno(), b"new")


def writev(log: Path) -> None:
    with descriptor_of(log) as descriptor:
        os.writev(descriptor, [b"n", b"ew"])


def pwrite(log: Path) -> None:
    with descriptor_of(log, os.O_WRONLY) as descriptor:
        os.pwrite(descriptor, b"new", 4)


def pwritev(log: Path) -> None:
    with descriptor_of(log, os.O_WRONLY) as descriptor:
        os.pwritev(descriptor, [b"n", b"ew"], 4)


def second_number(log: Path) -> None:
    with descriptor_of(log) as descriptor:
        second = os.dup(descriptor)
        try:
            os.write(second, b"new")
        finally:
            os.close(second)


def open_folder(log: Path) -> None:
    with descriptor_of(log.parent, os.O_RDONLY) as folder:
        descriptor = os.open(log.name, os.O_WRONLY | os.O_APPEND, dir_fd=folder)
        os.write(descriptor, b"new")
        os.close(descriptor)


def linked_folder(log: Path) -> None:
    link = log.parent.parent / "link"
    link.symlink_to(log.parent)
    with (link / log.name).open("ab") as file:
        file.write(b"new")


def link(log: Path) -> None:
    other = log.with_name("link")
    other.symlink_to(log)
    with other.open("ab") as file:
        file.write(b"new")


def copied(log: Path) -> None:
    source = log.with_name("source")
    source.write_bytes(b"old\nnew")
    shutil.copyfile(source, log)


def sent(log: Path) -> None:
    source = log.with_name("source")
    source.write_bytes(b"old\nnew")
    with descriptor_of(source, os.O_RDONLY) as reading, descriptor_of(log, os.O_WRONLY) as writing:
        os.lseek(writing, 4, os.SEEK_SET)
        os.sendfile(writing, reading, 4, 3)


def copied_by_the_kernel(log: Path) -> None:
    source = log.with_name("source")
    source.write_bytes(b"old\nnew")
    with descriptor_of(source, os.O_RDONLY) as reading, descriptor_of(log, os.O_WRONLY) as writing:
        os.copy_file_range(reading, writing, 3, 4, 4)


def replaced_in_an_open_folder(log: Path) -> None:
    log.with_name("temporary").write_bytes(b"old\nnew")
    with descriptor_of(log.parent, os.O_RDONLY) as folder:
        os.replace("temporary", log.name, src_dir_fd=folder, dst_dir_fd=folder)


APPENDING: list[Callable[[Path], None]] = [
    *(bytes_path, opener, number_of_a_file, writev, pwrite, second_number, open_folder, linked_folder, link)
]
OTHERS: list[Callable[[Path], None]] = [copied, replaced_in_an_open_folder]
if sys.platform == "linux":  # others send to sockets only
    APPENDING.append(sent)
if hasattr(os, "pwritev"):
    APPENDING.append(pwritev)
if hasattr(os, "copy_file_range"):
    APPENDING.append(copied_by_the_kernel)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "mission" / "status.events.jsonl"
    path.parent.mkdir()
    path.write_bytes(b"old\n")
    return path


@pytest.mark.parametrize("way", [*APPENDING, *OTHERS])
def test_without_a_fault_it_is_a_write(log: Path, way: Callable[[Path], None]) -> None:
    way(log)
    assert log.read_bytes() == b"old\nnew"


@pytest.mark.parametrize("way", [*APPENDING, *OTHERS])
def test_no_way_of_writing_goes_past_a_fault(log: Path, tmp_path: Path, way: Callable[[Path], None]) -> None:
    fault = DiskFault(log, "lost", tmp_path / "marker")
    with fault.here():
        way(log)
    assert (log.read_bytes(), fault.acted) == (b"old\n", 1)


@pytest.mark.parametrize("way", APPENDING)
def test_every_way_of_writing_is_torn_at_the_byte(log: Path, tmp_path: Path, way: Callable[[Path], None]) -> None:
    # Whoever asks once is told how much, whoever goes on is told why.
    with DiskFault(log, "torn", tmp_path / "marker", bytes_through=1).here(), suppress(OSError):
        way(log)
    assert log.read_bytes() == b"old\nn"


@pytest.mark.parametrize("way", APPENDING)
def test_every_way_of_writing_is_altered(log: Path, tmp_path: Path, way: Callable[[Path], None]) -> None:
    with DiskFault(log, "altered", tmp_path / "marker").here():
        way(log)
    assert log.read_bytes() == b"old\n   "


def test_an_altered_replacement_is_lost_and_destroys_no_earlier_row(log: Path, tmp_path: Path) -> None:
    fault = DiskFault(log, "altered", tmp_path / "marker")
    with fault.here():
        replaced_in_an_open_folder(log)
    assert (log.read_bytes(), fault.acted) == (b"old\n", 1)
    assert not log.with_name("temporary").exists()


@pytest.mark.parametrize("mode", ["lost", "full"])
def test_a_namesake_in_another_folder_is_another_file(
    log: Path, tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "elsewhere" / log.name
    other.parent.mkdir()
    fault = DiskFault(log, mode, tmp_path / "marker")  # type: ignore[arg-type]
    monkeypatch.chdir(log.parent)
    with fault.here():
        other.write_bytes(b"")
        open_folder(other)
        replaced_in_an_open_folder(other)
    assert (other.read_bytes(), log.read_bytes(), fault.acted) == (b"old\nnew", b"old\n", 0)


def test_a_link_that_is_replaced_is_not_the_file_it_led_to(log: Path, tmp_path: Path) -> None:
    fault, other = DiskFault(log, "full", tmp_path / "marker"), log.with_name("link")
    other.symlink_to(log)
    log.with_name("temporary").write_bytes(b"new")
    with fault.here():
        log.with_name("temporary").replace(other)
    assert (other.read_bytes(), log.read_bytes(), fault.acted) == (b"new", b"old\n", 0)


def test_a_number_that_means_another_file_by_now_is_that_file(log: Path, tmp_path: Path) -> None:
    fault, other = DiskFault(log, "lost", tmp_path / "marker"), log.with_name("other")
    with fault.here(), descriptor_of(log) as descriptor:
        elsewhere = os.open(other, os.O_WRONLY | os.O_CREAT)
        os.dup2(elsewhere, descriptor)
        os.close(elsewhere)
        os.write(descriptor, b"new")
    assert (other.read_bytes(), fault.acted) == (b"new", 0)


def test_a_file_that_was_not_there_is_met_by_a_fault_through_a_dangling_link(log: Path, tmp_path: Path) -> None:
    fault, link = DiskFault(log, "full", tmp_path / "marker"), log.with_name("link")
    log.unlink()
    link.symlink_to(log)
    with fault.here(), pytest.raises(OSError, match="No space left"):
        link.write_bytes(b"new")
    assert (log.read_bytes(), fault.acted) == (b"", 1)


def test_an_empty_write_is_no_write(log: Path, tmp_path: Path) -> None:
    fault = DiskFault(log, "full", tmp_path / "marker")
    with fault.here(), descriptor_of(log) as descriptor:
        assert os.write(descriptor, b"") == 0
    assert fault.acted == 0


# --- damage to a log: refused by name, or done as it says


def rows(count: int = 3) -> bytes:
    row = b'{"at": "2026-01-01T00:00:00.120Z", "event_id": "E%d", "mission_id": "M", "mission_slug": "demo", "to_lane": "done"}'
    return b"".join(row % number + b"\n" for number in range(count))


REFUSED: list[tuple[str, bytes, dict[str, Any], str]] = [
    ("reordered", rows(), {"order": "reverse"}, "names each number from 1 to 3 once"),
    ("reordered", rows(), {"order": 5}, "names each number from 1 to 3 once"),
    ("reordered", rows(), {"order": ["a", 1, 2]}, "names each number from 1 to 3 once"),
    ("lost_row", rows(), {"line": 1.5}, "a line has a number"),
    ("unknown_kind", rows(), {"kind": "annotation"}, "everybody knows"),
    ("skewed_clock", rows(), {"by": timedelta(0)}, "moved by nothing"),
    ("repeated_key", rows(), {"place": "middle"}, "before or after, not 'middle'"),
    ("glued_rows", rows(1) + b"\n" + rows(1), {}, "blank, so no rows would be glued"),
    ("glued_rows", rows(1) + b"\n" + rows(1), {"line": 2}, "blank, so no rows would be glued"),
    ("invalid_utf8", rows(), {"data": b"\xff\n\xff"}, "one line holds no newline"),
    ("conflict_markers", rows(), {"names": ("a\nb", "c")}, "a name of one line"),
    ("conflict_markers", rows(), {"names": ("\ud800", "c")}, "a name of one line"),
    ("foreign_row", rows(), {"reason": {1}}, "makes no row"),
    ("foreign_mission", rows(), {"other": rows(2)}, "none is of another mission"),
    ("merged", rows(), {"sides": Diverged(rows(), rows(), rows()), "how": "lined"}, "not 'lined'"),
    ("stray_line", rows(), {"line": 0}, "there is no line 0"),
    ("stray_line", rows(), {"line": -5}, "there is no line -5"),
]


@pytest.mark.parametrize(("verb", "data", "keys", "why"), REFUSED, ids=[f"{case[0]}-{case[3]}" for case in REFUSED])
def test_what_a_verb_cannot_do_is_refused_by_name(
    log: Path, verb: str, data: bytes, keys: dict[str, Any], why: str
) -> None:
    log.write_bytes(data)
    with pytest.raises(BuildError, match=why) as caught:
        VERBS[verb](log, **keys)
    assert str(caught.value).startswith(f"{verb} of {log}: ")
    assert log.read_bytes() == data


def test_a_log_that_cannot_be_written_is_named(log: Path, tmp_path: Path) -> None:
    log.write_bytes(rows())
    with (
        DiskFault(log, "full", tmp_path / "marker").here(),
        pytest.raises(BuildError, match=r"torn_tail of .* written"),
    ):
        VERBS["torn_tail"](log)


@pytest.mark.parametrize(("line", "place"), [(1, 1), (2, 2), (4, 4), (None, 4), (-1, 4), (-2, 3), (-4, 1)])
def test_a_stray_line_is_the_line_that_was_asked_for(log: Path, line: int | None, place: int) -> None:
    log.write_bytes(rows())
    damage = VERBS["stray_line"](log, line, data=b"stray")
    assert damage.line == place
    assert log.read_bytes().split(b"\n")[place - 1] == b"stray"


@pytest.mark.parametrize(
    ("spelled", "moved"),
    [
        ("2026-01-01T00:00:00.120Z", "2026-01-01T01:00:00.120Z"),
        ("2026-01-01T00:00:00.000000+00:00", "2026-01-01T01:00:00.000000+00:00"),
        ("2026-01-01T00:00:00+02:00", "2026-01-01T01:00:00+02:00"),
        ("2026-01-01T00:00:00.123456789Z", "2026-01-01T01:00:00.123456789Z"),
    ],
)
def test_a_clock_that_is_moved_keeps_its_spelling(log: Path, spelled: str, moved: str) -> None:
    log.write_bytes(b'{"at": "%s", "event_id": "E"}\n' % spelled.encode())
    VERBS["skewed_clock"](log)
    assert log.read_bytes() == b'{"at": "%s", "event_id": "E"}\n' % moved.encode()


def test_a_clock_that_is_moved_gets_the_digits_that_it_needs(log: Path) -> None:
    log.write_bytes(b'{"at": "2026-01-01T00:00:00.1Z", "event_id": "E"}\n')
    VERBS["skewed_clock"](log, by=timedelta(microseconds=10))
    assert b"00:00:00.10001Z" in log.read_bytes()


def test_rows_that_another_log_still_keeps_in_memory_are_mixed_in(log: Path) -> None:
    log.write_bytes(rows())
    other = EventLog(log.with_name("other"), mission_slug="other", mission_id=None).defer().lane("WP01", "planned")
    VERBS["foreign_mission"](log, other)
    assert other.data in log.read_bytes()


def test_a_row_that_differs_in_type_alone_conflicts(log: Path) -> None:
    log.write_bytes(b'{"event_id": "E", "force": true}\n')
    VERBS["conflicting_duplicate"](log, force=1)
    assert log.read_bytes().endswith(b'{"event_id": "E", "force": 1}\n')


# --- sync: what cannot be put on a wire, and requests that never arrived


@pytest.mark.parametrize(
    ("fault", "parameters"),
    [
        ("429", {"retry_after": "sp\u00e4ter"}),
        ("ok", {"text": "\ud800"}),
        ("oversized", {"status": 204}),
        ("oversized", {"status": 304}),
    ],
)
def test_a_step_that_no_answer_can_be_made_of_is_refused(fault: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(ScriptError, match=f"{fault}: {next(iter(parameters))} is "):
        SyncScript((fault, parameters))


def said_to(service: SyncService, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", service.port), 30) as client, suppress(ConnectionError):
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))
    return b""


@pytest.mark.parametrize(
    "cut_off",
    [
        b"Content-Length: 10\r\n\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-5\r\nab",
        b"Transfer-Encoding: chunked\r\n\r\nfive\r\nabcde",
    ],
)
def test_a_request_that_was_cut_off_takes_no_step(cut_off: bytes) -> None:
    with SyncService(SyncScript("500")) as service:
        assert said_to(service, b"POST /x HTTP/1.1\r\n" + cut_off) == b""
        assert (service.requests, service.acted) == ([], [])
        assert said_to(service, b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc").startswith(b"HTTP/1.1 500 ")
        assert [request.body for request in service.requests] == [b"abc"]


def test_a_program_that_hangs_at_the_end_leaves_no_child_behind(tmp_path: Path) -> None:
    child = tmp_path / "child"
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(child)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    with pytest.raises(subprocess.TimeoutExpired):
        run_during_shutdown(program, seconds=5)
    stat = Path("/proc", child.read_text(), "stat")
    if sys.platform == "linux":
        assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] in "ZX"


# --- processes


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "sandbox") as sandbox:
        yield sandbox


def test_nothing_of_the_users_environment_gets_into_a_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["PYTHONPATH", "PYTHONSTARTUP", "PYTHONWARNINGS", "FORCE_COLOR", "GIT_DIR", "GIT_WORK_TREE", "SSH_ASKPASS"]
    names += ["GIT_CONFIG_COUNT", "XDG_CONFIG_DIRS", "SPEC_KITTY_SYNC_MINIMAL_IMPORT", "EDITOR", "NO_PROXY", "LC_ALL"]
    for name in names:
        monkeypatch.setenv(name, "the user's")
    with Sandbox(tmp_path / "sandbox") as sandbox:
        ran = sandbox.run([sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"])
    assert [name for name, value in ran.one_json().items() if "the user's" in value] == []


def test_every_private_place_is_below_the_base(tmp_path: Path) -> None:
    variables, folders = private(tmp_path, sync=True)
    assert variables["SPEC_KITTY_ENABLE_SAAS_SYNC"] == "1"
    assert all(folder.is_relative_to(tmp_path) for folder in folders)
    assert {"HOME", "TMPDIR", "XDG_RUNTIME_DIR", "SPEC_KITTY_HOME"} <= {
        name for name, value in variables.items() if value.startswith(str(tmp_path))
    }


def test_a_sandbox_reaches_the_loopback_past_its_dead_proxy(sandbox: Sandbox) -> None:
    program = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=30).read().decode())"
    with SyncService(SyncScript(("ok", {"text": "[1]"}))) as service:
        assert sandbox.run([sys.executable, "-c", program, service.url]).one_json() == [1]


def test_a_race_of_one_is_none(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="a race of 1 proves nothing"):
        race(1, lambda _: [sys.executable, "-c", ""], sandbox)


def test_each_end_is_seen_when_it_comes(sandbox: Sandbox, tmp_path: Path) -> None:
    process = tmp_path / "process"
    early = f"import os; open({str(process)!r} + '~', 'w').write(str(os.getpid())); os.rename({str(process)!r} + '~', {str(process)!r})"
    # Who has ended is there until somebody looks at it.
    late = (
        f"import os, time\nwhile not os.path.exists({str(process)!r}): time.sleep(0.01)\n"
        f"number = int(open({str(process)!r}).read())\n"
        "try:\n  while True: os.kill(number, 0); time.sleep(0.01)\n"
        "except ProcessLookupError: pass\n"
    )
    out = race(2, lambda number: [sys.executable, "-S", "-c", early if number else late], sandbox, seconds=60)
    assert [ran.status for ran in out.runs] == [0, 0]
    assert out.runs[1].seconds < out.runs[0].seconds


def test_a_row_nested_without_end_is_named_and_not_an_error_of_ours(log: Path) -> None:
    log.write_bytes(b'{"a": ' * 200_000 + b"{}" + b"}" * 200_000 + b"\n")
    with pytest.raises(AssertionError, match="line 1 is not a JSON object"):
        Race((Ran(("x",), 1, None, b"", b"", 0.1),)).assert_log_equals_successes(log)


def test_a_program_of_the_current_folder_is_not_on_the_path(sandbox: Sandbox) -> None:
    (sandbox.work / "here").write_text("#!/bin/sh\n")
    (sandbox.work / "here").chmod(0o755)
    with pytest.raises(Exception, match="here is not there, or is no program"):
        race(2, lambda _: ["here"], sandbox)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="Windows has no signals")
def test_who_is_suspended_twice_still_stands_still(sandbox: Sandbox) -> None:
    with sandbox.start([sys.executable, "-S", "-c", "import time; time.sleep(600)"]) as running:
        assert [running.suspend(), running.suspend()] == [True, True]
        running.resume()
        assert running.suspend()
        assert running.kill().signal == signal.SIGKILL


# --- leaks


def test_a_file_of_the_same_size_and_time_is_told_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    file.write_bytes(b"planned")
    then = file.stat()
    before = mark_leaks(checkout=tmp_path)
    file.write_bytes(b"claimed")
    os.utime(file, ns=(then.st_atime_ns, then.st_mtime_ns))
    assert [leak.name for leak in before.left()] == ["checkout/status.json"]


def test_what_a_commit_and_its_taking_back_left_in_the_reflog_is_named(sandbox: Sandbox) -> None:
    def git(*words: str) -> None:
        assert sandbox.run(["git", *words]).status == 0

    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message", "First")
    before = mark_leaks(checkout=sandbox.work)
    git("commit", "--quiet", "--allow-empty", "--message", "Second")
    git("reset", "--quiet", "--soft", "HEAD~1")
    assert [leak.name for leak in before.left()] == ["reflog"]


def test_a_head_without_a_commit_accuses_no_branch(sandbox: Sandbox) -> None:
    def git(*words: str) -> None:
        assert sandbox.run(["git", *words]).status == 0

    git("init", "--quiet")
    before = mark_leaks(checkout=sandbox.work)
    assert before.left() == []
    git("commit", "--quiet", "--allow-empty", "--message", "First")
    assert [leak.name for leak in before.left()] == ["refs/heads/main"]
    before = mark_leaks(checkout=sandbox.work)
    git("checkout", "--quiet", "--orphan", "other")
    assert [leak.name for leak in before.left()] == ["HEAD"]
    git("branch", "--quiet", "left", "main")
    assert [leak.name for leak in before.left()] == ["HEAD", "refs/heads/left"]


# --- what was seen to go unnoticed when a line was broken


def test_a_log_that_was_spelled_anew_keeps_its_rows(log: Path) -> None:
    log.write_bytes(b'{"event_id": "A"}\n{"event_id": "B"}\n')
    mark = mark_log(log)
    log.write_bytes(b'{"event_id":"A"}\n{"event_id":"B"}\n{"event_id":"C"}\n')
    assert (mark.intact, mark.kept) == (False, True)
    assert mark.added().rows == [{"event_id": "C"}]


def test_a_log_whose_torn_end_was_moved_aside_is_intact(log: Path) -> None:
    log.write_bytes(b'{"event_id": "A"}\n{"event')
    mark = mark_log(log)
    log.write_bytes(b'{"event_id": "A"}\n')
    assert mark.intact
    assert (mark.added().rows, mark.added().debris) == ([], [])


def test_a_line_can_be_one_byte_longer_than_it_is(log: Path) -> None:
    log.write_bytes(b'{"reason": "x"}\n')
    VERBS["oversized_line"](log, size=16)
    assert log.read_bytes() == b'{"reason": "xx"}\n'


def test_a_command_that_was_killed_leaves_no_pipe_to_write_to(sandbox: Sandbox) -> None:
    running = sandbox.start([sys.executable, "-S", "-c", "import time; time.sleep(600)"], stdin=subprocess.PIPE)
    running.kill()
    with pytest.raises(ValueError, match="closed"):
        running.write(b"more")


def test_less_than_a_byte_a_second_is_a_trickle() -> None:
    assert SyncScript(("trickle", {"bytes_per_second": 0.5})).steps[0].bytes_per_second == 0.5


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="what is open is told by /proc only")
def test_a_guard_leaves_nothing_open() -> None:
    before = len([*Path("/proc/self/fd").iterdir()])
    with only_loopback() as guard:
        guard.environment()
    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_a_program_that_hangs_while_the_interpreter_exits_is_late_as_any_other(sandbox: Sandbox) -> None:
    argv = [sys.executable, "-c", "import time; print('begun', flush=True); time.sleep(600)"]
    done = run_with_finalizer(sandbox, argv, "interpreter-shutdown", seconds=5)
    assert (done.ran.late, done.ran.text, done.ran.argv) == (True, "begun\n", tuple(argv))
