from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from kitty_reliability.faults import moments
from kitty_reliability.faults.moments import (
    CrashPoint,
    Moment,
    NoEffect,
    after,
    appears,
    changes_size,
    crash_points,
    disappears,
    holds,
    kill_when,
    ref_moves,
    suspend_when,
)
from kitty_reliability.faults.process import NotSupportedHere, Ran, Running, Sandbox

PUPPETS = Path(__file__).parent / "puppets_process"
PATIENT = 60.0
HANG = [sys.executable, "-c", "import time; time.sleep(120)"]

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals, groups and limits of POSIX")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the environment of a process")


def puppet(name: str, *arguments: object) -> list[str]:
    return [sys.executable, str(PUPPETS / f"{name}.py"), *map(str, arguments)]


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "sandbox") as sandbox:
        yield sandbox


# --- the sandbox


def test_what_a_command_printed_and_how_it_ended_is_told(sandbox: Sandbox) -> None:
    ran = sandbox.run(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"))
    assert (ran.status, ran.signal, ran.late) == (3, None, False)
    assert (ran.text.strip(), ran.stderr.strip(), ran.ending) == ("out", b"err", "exit status 3")
    assert 0 < ran.seconds < PATIENT


def test_a_command_sees_nothing_of_the_environment_outside(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_DIR", "SPEC_KITTY_TOKEN", "FORCE_COLOR", "PYTHONPATH", "AWS_SECRET", "NO_PROXY", "EDITOR"):
        monkeypatch.setenv(name, "/outside")
    seen = Sandbox(sandbox.base).run(python("import json, os; print(json.dumps(dict(os.environ)))")).one_json()
    assert "/outside" not in seen.values()
    assert seen["PATH"] == os.environ["PATH"]


def test_the_folders_of_a_command_are_its_own_and_there(sandbox: Sandbox) -> None:
    xdg = [f"XDG_{name}_HOME" for name in ("CONFIG", "CACHE", "DATA", "STATE")]
    names = ["HOME", "SPEC_KITTY_HOME", *xdg, "XDG_RUNTIME_DIR", "TMPDIR"]
    said = sandbox.run(python("import os, sys; [print(os.environ[name]) for name in sys.argv[1:]]", *names))
    assert len(said.text.splitlines()) == len(names)
    for folder in said.text.splitlines():
        assert Path(folder).is_dir()
        assert Path(folder).is_relative_to(sandbox.base)
    asked = python("import os, tempfile; print(os.getcwd(), tempfile.gettempdir(), os.path.expanduser('~'))")
    assert sandbox.run(asked).text.split() == [str(sandbox.work), str(sandbox.temporary), str(sandbox.home)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SPEC_KITTY_ENABLE_SAAS_SYNC", "0"),
        ("SPEC_KITTY_SAAS_URL", "http://127.0.0.1:9"),
        ("SPEC_KITTY_NON_INTERACTIVE", "1"),
        ("SPEC_KITTY_NO_UPGRADE_CHECK", "1"),
        ("HTTPS_PROXY", "http://127.0.0.1:9"),
        ("NO_COLOR", "1"),
        ("TERM", "dumb"),
        ("COLUMNS", "200"),
        ("CI", "1"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_COMMITTER_EMAIL", "kitty@example.invalid"),
    ],
)
def test_a_command_is_kept_offline_and_quiet(sandbox: Sandbox, name: str, value: str) -> None:
    assert sandbox.environment[name] == value


def test_sync_can_be_on(tmp_path: Path) -> None:
    assert Sandbox(tmp_path, sync=True).environment["SPEC_KITTY_ENABLE_SAAS_SYNC"] == "1"


def test_variables_are_given_for_all_commands_or_for_one(sandbox: Sandbox) -> None:
    sandbox.environment["FOR_ALL"] = "1"
    shown = python("import os; print(os.environ.get('FOR_ALL'), os.environ.get('FOR_ONE'))")
    assert sandbox.run(shown, env={"FOR_ONE": "2"}).text.split() == ["1", "2"]
    assert sandbox.run(shown).text.split() == ["1", "None"]


def test_git_commits_with_the_identity_of_the_sandbox_and_finds_nothing_above_it(sandbox: Sandbox) -> None:
    assert sandbox.run(["git", "init", "--quiet", "repository"]).status == 0
    repository = sandbox.work / "repository"
    assert sandbox.run(["git", "commit", "--allow-empty", "--message", "x"], cwd=repository).status == 0
    shown = sandbox.run(["git", "log", "--format=%an %ce %D"], cwd=repository)
    assert shown.text == "Kitty Sandbox kitty@example.invalid HEAD -> main\n"
    configured = sandbox.run(["git", "config", "--list", "--show-origin", "--name-only"], cwd=repository).text
    origins = {line.split()[0] for line in configured.splitlines()}
    assert origins == {f"file:{sandbox.home / '.gitconfig'}", "file:.git/config"}
    sandbox.run(["git", "init", "--quiet", str(sandbox.base.parent)])
    assert sandbox.run(["git", "rev-parse", "--show-toplevel"]).status == 128


def test_a_sandbox_in_the_users_own_home_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    with pytest.raises(ValueError, match="the user's own home"):
        Sandbox(tmp_path)
    assert [*(tmp_path / "home").iterdir()] == []


def test_a_command_that_is_not_there_is_an_error(sandbox: Sandbox) -> None:
    with pytest.raises(FileNotFoundError):
        sandbox.run([str(sandbox.work / "nothing")])


@pytest.mark.parametrize(
    ("stdin", "read"), [(None, b""), (b"", b""), (b"two\nlines", b"two\nlines"), (b"x" * 300_000, None)]
)
def test_a_command_reads_what_it_is_given_and_no_more(
    sandbox: Sandbox, stdin: bytes | None, read: bytes | None
) -> None:
    ran = sandbox.run(python("import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"), stdin=stdin)
    assert ran.stdout == (stdin if read is None else read)


def test_input_that_nobody_reads_blocks_nobody(sandbox: Sandbox) -> None:
    assert sandbox.run(python(""), stdin=b"x" * 3_000_000).status == 0


def test_output_of_any_size_blocks_nobody(sandbox: Sandbox) -> None:
    code = "import sys; sys.stdout.write('o' * 3_000_000); sys.stderr.write('e' * 3_000_000)"
    ran = sandbox.run(python(code))
    assert (ran.stdout, ran.stderr) == (b"o" * 3_000_000, b"e" * 3_000_000)


@pytest.mark.parametrize(
    ("stdout", "why"),
    [
        (b"", "Expecting value"),
        (b"{} {}", "Extra data"),
        (b"saved\n{}", "Expecting value"),
        (b"NaN", "NaN is not JSON"),
        (b'"\xff"', "can't decode byte 0xff"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_output_that_is_not_one_json_value_is_refused(stdout: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        Ran(("x",), 7, None, stdout, b"a traceback", 0.1).one_json()
    assert "exit status 7" in str(caught.value)
    assert "a traceback" in str(caught.value)


def test_output_that_is_one_json_value_is_that_value() -> None:
    assert Ran(("x",), 0, None, b' {"a": [1]}\n', b"", 0.1).one_json() == {"a": [1]}


def test_output_that_is_not_utf_8_is_shown() -> None:
    assert Ran(("x",), 0, None, b"a\xff", b"", 0.1).text == "a\\xff"


# --- ending


def test_a_command_whose_time_is_up_is_killed(sandbox: Sandbox) -> None:
    ran = sandbox.run(python("import time; print('begun', flush=True); time.sleep(120)"), seconds=1.0)
    assert ran.late
    assert ran.ending == "not over after 1 s"
    assert ran.seconds < PATIENT


@posix_only
def test_a_killed_command_says_which_signal_ended_it(sandbox: Sandbox) -> None:
    with sandbox.start(HANG) as running:
        assert running.alive
        ran = running.kill()
    assert (ran.status, ran.signal, ran.late, ran.ending) == (None, 9, False, "ended by signal 9")
    assert not running.alive
    assert running.wait() is ran


def test_killing_what_has_ended_changes_nothing(sandbox: Sandbox) -> None:
    with sandbox.start(python("")) as running:
        ran = running.wait()
        assert running.kill() is ran
    assert ran.status == 0


@posix_only
def test_a_command_can_be_asked_to_end(sandbox: Sandbox) -> None:
    code = (
        "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(5)); print('on', flush=True); time.sleep(120)"
    )
    with sandbox.start(python(code)) as running:
        until(lambda: running.stdout)
        running.terminate()
        assert running.wait().status == 5


@posix_only
@pytest.mark.parametrize("end", ["kill", "block", "leaves", "sandbox"])
def test_grandchildren_die_too(sandbox: Sandbox, tmp_path: Path, end: str) -> None:
    lock, held = tmp_path / "lock", tmp_path / "held"
    with sandbox.start(puppet("parent", lock, held, end)) as running:
        until(lambda: held.exists())
        if end == "kill":
            running.kill()
        elif end == "leaves":
            assert running.wait().status == 0
        elif end == "sandbox":
            sandbox.close()
        else:
            with pytest.raises(Timeout):
                FileLock(lock).acquire(timeout=0)
    with FileLock(lock, timeout=0):
        assert not running.alive


@linux_only
def test_a_daemon_that_left_its_group_ends_with_the_sandbox(sandbox: Sandbox, tmp_path: Path) -> None:
    lock, held = tmp_path / "lock", tmp_path / "held"
    ran = sandbox.run(puppet("daemon", lock, held))
    assert (ran.status, ran.text) == (0, "started\n")
    with pytest.raises(Timeout):
        FileLock(lock).acquire(timeout=0)
    sandbox.close()
    with FileLock(lock, timeout=PATIENT):
        assert held.exists()


def test_input_can_be_given_bit_by_bit(sandbox: Sandbox) -> None:
    code = "import sys\nfor line in sys.stdin: print(line.upper(), end='', flush=True)\nprint('end')"
    with sandbox.start(python(code), stdin=subprocess.PIPE) as running:
        running.write(b"one\n")
        until(lambda: b"ONE" in running.stdout)
        running.write(b"two\n")
        running.close_stdin()
        assert running.wait().text.split() == ["ONE", "TWO", "end"]


def test_writing_to_a_command_without_a_pipe_is_refused(sandbox: Sandbox) -> None:
    with sandbox.start(HANG) as running, pytest.raises(ValueError, match="there is no pipe"):
        running.write(b"x")


# --- suspending


@posix_only
def test_a_suspended_command_stands_still_and_goes_on(sandbox: Sandbox, tmp_path: Path) -> None:
    count = tmp_path / "count"
    with sandbox.start(puppet("counts", count), stdin=subprocess.PIPE) as running:
        until(lambda: count.exists() and count.stat().st_size)
        assert running.suspend()
        assert running.alive
        size = count.stat().st_size
        time.sleep(0.3)
        assert count.stat().st_size == size
        running.resume()
        until(lambda: count.stat().st_size > size)
        assert running.suspend()
        running.resume()
        assert running.wait().status == 0


@posix_only
def test_a_suspended_command_keeps_its_lock_until_it_is_killed(sandbox: Sandbox, tmp_path: Path) -> None:
    lock, held = tmp_path / "lock", tmp_path / "held"
    with sandbox.start(puppet("holds_lock", lock, held)) as running:
        assert suspend_when(running, appears(held))
        with pytest.raises(Timeout):
            FileLock(lock).acquire(timeout=0.1)
        running.kill()
        with FileLock(lock, timeout=0):
            assert running.wait().signal == signal.SIGKILL


@posix_only
def test_what_has_ended_cannot_be_suspended(sandbox: Sandbox) -> None:
    with sandbox.start(python("")) as running:
        running.wait()
        assert not running.suspend()
        running.resume()
        running.terminate()
    assert running.wait().status == 0


def test_windows_is_told_what_it_cannot(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with sandbox.start(HANG) as running:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "platform", "win32")
            for what in (running.suspend, running.resume, lambda: sandbox.run(HANG, file_size_limit=1)):
                with pytest.raises(NotSupportedHere, match="Windows has no"):
                    what()
        assert running.alive


# --- limiting the size of files


@posix_only
def test_a_write_is_torn_at_the_very_byte(sandbox: Sandbox, tmp_path: Path) -> None:
    before, row = b"an earlier row\n" * 3, bytes(33 + number % 90 for number in range(120))
    assert len(set(row)) == 90
    log = tmp_path / "log"
    argv = ["/bin/sh", "-c", 'printf %s "$2" >> "$1"', "sh", str(log), row.decode()]
    for through in range(121):
        log.write_bytes(before)
        ran = sandbox.run(argv, file_size_limit=len(before) + through, file_size_signal="ignored")
        assert (through, log.read_bytes()) == (through, before + row[:through])
        assert (through, ran.status == 0) == (through, through == 120)


@posix_only
@pytest.mark.parametrize(("disposition", "number"), [("default", signal.SIGXFSZ), ("ignored", None)])
def test_a_write_that_fails_kills_or_is_an_error(sandbox: Sandbox, disposition: str, number: int | None) -> None:
    argv = ["/bin/sh", "-c", "printf 0123456789 > file && printf whole"]
    ran = sandbox.run(argv, file_size_limit=4, file_size_signal=disposition)  # type: ignore[arg-type]
    assert ran.signal == number
    assert ran.stdout == b""
    assert ran.status != 0
    assert (sandbox.work / "file").read_bytes() == b"0123"


@posix_only
def test_python_is_told_of_a_write_that_fails(sandbox: Sandbox) -> None:
    ran = sandbox.run(puppet("appends", "file", "0123456789"), file_size_limit=4)
    assert (ran.status, ran.stdout) == (3, b"")
    assert (sandbox.work / "file").read_bytes() == b"0123"


@posix_only
def test_output_is_not_limited(sandbox: Sandbox) -> None:
    ran = sandbox.run(python("import sys; print('o' * 9000); print('e' * 9000, file=sys.stderr)"), file_size_limit=0)
    assert (ran.status, len(ran.stdout), len(ran.stderr)) == (0, 9001, 9001)


@posix_only
def test_a_limit_leaves_no_torn_compiled_files(sandbox: Sandbox) -> None:
    (sandbox.work / "module.py").write_text("value = 'x' * 1\n" * 500)
    argv = python("import sys; sys.path[:0] = ['.']; import module; print(module.value)")
    assert sandbox.run(argv, file_size_limit=100).text == "x\n"
    assert not (sandbox.work / "__pycache__").exists()
    assert sandbox.run(argv).text == "x\n"


@posix_only
def test_a_command_with_a_limit_is_not_waited_for(sandbox: Sandbox) -> None:
    with sandbox.start(HANG, file_size_limit=4) as running:
        assert time.monotonic() - running.started < PATIENT
        assert running.alive


@posix_only
def test_what_cannot_be_started_with_a_limit_is_an_error(sandbox: Sandbox) -> None:
    with pytest.raises(FileNotFoundError, match="nothing, limited to 5 bytes"):
        sandbox.run([str(sandbox.work / "nothing")], file_size_limit=5)
    with pytest.raises(OSError, match="limited to 1267650600228229401496703205376 bytes"):
        sandbox.run(HANG, file_size_limit=2**100)
    with pytest.raises(ValueError, match="a limit of -1 bytes"):
        sandbox.run(HANG, file_size_limit=-1)


# --- moments


def test_a_path_appears(tmp_path: Path) -> None:
    moment = appears(tmp_path / "link")
    assert not moment.came()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert moment.came()


def test_a_path_disappears_after_it_was_there(tmp_path: Path) -> None:
    moment = disappears(tmp_path / "file")
    assert not moment.came()
    (tmp_path / "file").touch()
    assert not moment.came()
    (tmp_path / "file").unlink()
    assert moment.came()


def test_a_file_changes_its_size(tmp_path: Path) -> None:
    moment = changes_size(tmp_path / "file")
    assert not moment.came()
    (tmp_path / "file").touch()
    assert moment.came()
    moment = changes_size(tmp_path / "file")
    assert not moment.came()
    (tmp_path / "file").write_bytes(b"1")
    assert moment.came()


def test_a_file_holds_bytes(tmp_path: Path) -> None:
    moment = holds(tmp_path / "file", b"needle")
    assert not moment.came()
    (tmp_path / "file").write_bytes(b"a need")
    assert not moment.came()
    (tmp_path / "file").write_bytes(b"a needle")
    assert moment.came()


def test_time_passes() -> None:
    assert after(0).came()
    assert not after(3600).came()


def test_a_ref_moves(sandbox: Sandbox) -> None:
    def git(*arguments: str) -> None:
        assert sandbox.run(["git", *arguments]).status == 0

    git("init", "--quiet")
    begun = ref_moves(sandbox.work)
    assert not begun.came()
    git("commit", "--allow-empty", "--message", "1")
    assert begun.came()
    head, main, other = (ref_moves(sandbox.work, name) for name in ("HEAD", "refs/heads/main", "refs/heads/other"))
    git("pack-refs", "--all")
    assert not any(moment.came() for moment in (head, main, other))
    git("worktree", "add", "--quiet", "-b", "other", "../linked")
    assert (head.came(), main.came(), other.came()) == (False, False, True)
    linked = sandbox.base / "linked"
    linked_head, linked_main = ref_moves(linked), ref_moves(linked, "refs/heads/main")
    assert sandbox.run(["git", "commit", "--allow-empty", "--message", "2"], cwd=linked).status == 0
    assert (head.came(), linked_head.came(), linked_main.came()) == (False, True, False)
    git("checkout", "--quiet", "--detach", "other")
    assert (head.came(), main.came()) == (True, False)


def test_a_ref_of_no_repository_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a checkout"):
        ref_moves(tmp_path)


def test_a_command_is_killed_at_a_moment(sandbox: Sandbox) -> None:
    moment = appears(sandbox.work / "file")
    with sandbox.start(python("import time; open('file', 'w').close(); time.sleep(120)")) as running:
        assert kill_when(running, moment)
        assert not running.alive
    assert running.wait().seconds < PATIENT


def test_a_moment_that_did_not_come_is_told(sandbox: Sandbox) -> None:
    with sandbox.start(python("print('unharmed')")) as running:
        assert not kill_when(running, appears(sandbox.work / "file"))
        assert (running.wait().status, running.wait().text.strip()) == (0, "unharmed")


def test_a_moment_that_came_too_late_is_told(sandbox: Sandbox) -> None:
    with sandbox.start(python("")) as running:
        # It comes when the program has ended, and not before.
        assert not kill_when(running, Moment("it ended", lambda: not running.alive))
        assert running.wait().status == 0


def test_a_moment_is_not_waited_for_for_ever(sandbox: Sandbox) -> None:
    with sandbox.start(HANG) as running:
        assert not kill_when(running, appears(sandbox.work / "file"), seconds=0.05)
        assert running.alive


# --- every moment


def three_files(sandbox: Sandbox, folder: Path) -> Iterator[tuple[CrashPoint, str]]:
    """Each crash point of writes_three.py, and which files were there; the program waits until it was looked at."""
    turn, counted = sandbox.base / "turn", 0

    def prepare() -> None:
        nonlocal counted
        counted = 0
        turn.unlink(missing_ok=True)
        for file in folder.iterdir():
            file.unlink()

    def look() -> list[str]:
        nonlocal counted
        # It may go on after what the look before this one saw: by then the blow would have fallen.
        turn.write_bytes(b"." * counted)
        names = sorted(file.name for file in folder.iterdir())
        counted = len(names)
        return names

    folder.mkdir()
    for point in crash_points(puppet("writes_three", folder, turn), [look], sandbox=sandbox, prepare=prepare):
        yield point, "".join(sorted(file.name for file in folder.iterdir()))


def test_every_crash_point_of_a_program_is_seen(sandbox: Sandbox, tmp_path: Path) -> None:
    points = [*three_files(sandbox, tmp_path / "files")]
    assert [(point.number, point.struck, names) for point, names in points] == [
        (1, True, "a"),
        (2, True, "ab"),
        (3, True, "abc"),
        (4, False, "abc"),
    ]
    assert points[1][0].changes == ("value 0 changed from [] to ['a']", "value 0 changed from ['a'] to ['a', 'b']")
    assert points[3][0].ran.status == 0


def test_crash_points_are_found_by_watching_paths(sandbox: Sandbox, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    command = puppet("writes_three", folder)

    def prepare() -> None:
        for file in folder.iterdir():
            file.unlink()

    points = []
    for point in crash_points(lambda: sandbox.start(command), [folder], prepare=prepare):
        names = "".join(sorted(file.name for file in folder.iterdir()))
        assert names in ("a", "ab", "abc")
        assert all((folder / name).read_text() == name for name in names)
        points.append((point, names))
    assert points[0][0].struck
    assert points[0][0].changes[0].startswith(f"{folder / 'a'} appeared")
    last, names = points[-1]
    assert (last.struck, last.ran.status, names) == (False, 0, "abc")


def test_a_written_and_a_removed_file_are_told(sandbox: Sandbox) -> None:
    file = sandbox.work / "file"
    code = "import os, time; open('file', 'ab').write(b'12'); time.sleep(0.5); os.remove('file'); time.sleep(0.5)"
    points = [*crash_points(python(code), [file], sandbox=sandbox, prepare=lambda: file.write_bytes(b"1"))]
    assert points[0].changes == (f"{file} was written (1 -> 3 bytes)",)
    assert points[-1].changes[-1] == f"{file} disappeared"


def test_crash_points_that_are_none_prove_nothing(sandbox: Sandbox) -> None:
    with pytest.raises(NoEffect, match="never killed at a change: exit status 3; changes seen: none"):
        next(crash_points(python("raise SystemExit(3)"), [sandbox.work], sandbox=sandbox))


def test_crash_points_without_end_are_an_error(sandbox: Sandbox) -> None:
    code = "import itertools\nfor number in itertools.count(): open('file', 'w').write('x' * number)"
    with pytest.raises(NoEffect, match="more than 3 crash points"):
        list(crash_points(python(code), [sandbox.work], sandbox=sandbox, most=3))


def test_a_run_that_gets_nowhere_is_an_error(sandbox: Sandbox) -> None:
    with pytest.raises(TimeoutError, match="neither ended nor made change 1"):
        next(crash_points(HANG, [sandbox.work], sandbox=sandbox, seconds=0.1))


def test_words_need_a_sandbox() -> None:
    with pytest.raises(ValueError, match="need a sandbox"):
        next(crash_points(HANG, []))


def test_a_blow_that_came_too_late_is_tried_again(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    kill, blows = moments._kill, []

    def late_once(running: Running) -> bool:
        blows.append(running)
        if len(blows) == 1:
            running.wait()
        return kill(running)

    monkeypatch.setattr(moments, "_kill", late_once)
    file = sandbox.work / "file"
    code = "import time; open('file', 'w').close(); time.sleep(1)"
    points = crash_points(python(code), [file], sandbox=sandbox, prepare=lambda: file.unlink(missing_ok=True))
    first = next(points)
    points.close()  # type: ignore[attr-defined]
    assert (first.number, first.struck, len(blows)) == (1, True, 2)
