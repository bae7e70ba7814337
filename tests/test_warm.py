from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.build.repository import repository
from kitty_reliability.implementations.base import ImplementationError
from kitty_reliability.implementations.processes import clean_environment, run_to_end
from kitty_reliability.implementations.protocol import Materialize, OutcomeKind, State, Surface, Transition
from kitty_reliability.implementations.registry import connect
from kitty_reliability.implementations.released import default_directory
from kitty_reliability.implementations.spec_kitty import SpecKitty
from processes import is_gone

if sys.platform == "win32":
    pytest.skip("warm needs fork", allow_module_level=True)

from kitty_reliability.implementations.warm import Warm, interpreter_of

COMMAND = """#!{python}
import sys
from fake_released import main
if __name__ == '__main__':
    sys.exit(main())
"""
#: What the package does when it is imported, and when it runs.
PACKAGE = """
import atexit, json, os, signal, subprocess, sys, time
from pathlib import Path
with open({log!r}, 'a') as log:
    log.write(f'{{os.getpid()}}\\n')
print({said!r}, end='')
RUNS = 0
def main():
    global RUNS
    RUNS += 1
    if '--version' in sys.argv:
        import fake_lazily
        print('spec-kitty-cli version 9.8.7')
        return 0
    where = dict(argv=sys.argv, orig=sys.orig_argv, cwd=os.getcwd(), environ=dict(os.environ), path=sys.path,
                 executable=sys.executable, runs=RUNS, main=sys.modules['__main__'].__file__, flags=list(sys.flags),
                 terminal=[f.isatty() for f in (sys.stdin, sys.stdout, sys.stderr)], stdin=sys.stdin.read(),
                 fds=[n for n in range(3, 64) if is_open(n)], umask=os.umask(0o22), pipe=str(signal.getsignal(signal.SIGPIPE)))
    own = [os.getpgid(0) == os.getpid(), os.getsid(0) == os.getpid()]
{body}
def is_open(number):
    try:
        return bool(os.fstat(number))
    except OSError:
        return False
"""
LANES = "    print(json.dumps({'work_packages': [{'id': 'WP01', 'lane': 'genesis'}], 'pid': os.getpid()}))"


class Bench:
    """A command of a tiny package, and who imported it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "imports"
        self.command = folder / "bin" / "spec-kitty"
        self.command.parent.mkdir()

    def write(self, body: str = LANES, *, said: str = "") -> Path:
        self.command.write_text(COMMAND.format(python=sys.executable), encoding="utf-8")
        self.command.chmod(self.command.stat().st_mode | stat.S_IXUSR)
        beside = self.command.parent
        (beside / "fake_released.py").write_text(
            PACKAGE.format(log=str(self.log), said=said, body=body), encoding="utf-8"
        )
        (beside / "fake_lazily.py").write_text(f"open({str(self.log)!r}, 'a').write('lazily\\n')", encoding="utf-8")
        return self.command

    @property
    def imports(self) -> list[str]:
        return self.log.read_text(encoding="utf-8").splitlines() if self.log.is_file() else []

    @contextlib.contextmanager
    def warm(self, **variables: str) -> Iterator[Warm]:
        warm = Warm(self.command, clean_environment(variables), self.folder)
        try:
            yield warm
        finally:
            warm.close()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_run_is_as_if_it_had_been_started(bench: Bench, tmp_path: Path) -> None:
    bench.write("    print(json.dumps([where, own]), file=sys.stderr)\n    print('ü', sys.argv[-1])", said="hello\n")
    argv = [str(bench.command), "a b", "", "\udcff", "é"]
    (directory := tmp_path / "somewhere").mkdir()
    cold = run_to_end(argv, clean_environment({"SOME": "thing"}), directory, 60)
    with bench.warm(SOME="thing") as warm:
        started: list[int] = []
        for _ in range(2):
            run = warm.run(argv, directory, 60, started=started.append)
            assert (run.status, run.stdout, run.argv) == (cold.status, cold.stdout, cold.argv)
            assert json.loads(run.stderr) == json.loads(cold.stderr)
    assert json.loads(cold.stderr)[1] == [True, True]
    assert run.stdout.decode() == "hello\nü é\n"
    assert len(set(started)) == 2


def test_a_run_has_the_place_for_temporary_files_that_it_is_given(bench: Bench, tmp_path: Path) -> None:
    bench.write("    import tempfile\n    print(tempfile.gettempdir(), os.environ['TMPDIR'])")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with bench.warm(TMPDIR=str(tmp_path / "one")) as warm:
        for name in ("two", "one"):
            added = {"TMPDIR": str(tmp_path / name)} if name == "two" else None
            run = warm.run([str(bench.command)], bench.folder, 60, environment=added)
            assert run.stdout.decode().split() == [str(tmp_path / name)] * 2


def test_it_is_imported_once_with_what_every_run_imports(bench: Bench) -> None:
    bench.write(LANES + "\n    import fake_lazily")
    with bench.warm() as warm:
        for _ in range(3):
            assert warm.run([str(bench.command)], bench.folder, 60).status == 0
    # The second is written by the process that found out what a run imports.
    assert bench.imports[1:] == ["lazily", "lazily"]


@pytest.mark.parametrize(
    ("body", "status", "stdout", "last"),
    [
        ("    sys.exit(3)", 3, b"", ""),
        ("    sys.exit('no')", 1, b"", "no"),
        ("    raise OSError('no disk')", 1, b"", "OSError: no disk"),
        ("    os.kill(os.getpid(), signal.SIGKILL)", -9, b"", ""),
        ("    print('lost'); os._exit(7)", 7, b"", ""),
        ("    atexit.register(print, 'at the end')", 0, b"at the end\n", ""),
        ("    print('x' * 200_000)", 0, b"x" * 200_000 + b"\n", ""),
    ],
)
def test_it_ends_as_it_would(bench: Bench, body: str, status: int, stdout: bytes, last: str) -> None:
    bench.write(body)
    cold = run_to_end([str(bench.command)], clean_environment(), bench.folder, 60)
    with bench.warm() as warm:
        run = warm.run([str(bench.command)], bench.folder, 60)
    for done in (cold, run):
        assert (done.status, done.stdout) == (status, stdout)
        assert done.stderr.decode().strip().rpartition("\n")[2] == last


def test_a_run_that_hangs_is_killed_with_its_group_and_the_next_one_runs(bench: Bench) -> None:
    note = bench.folder / "child"
    bench.write(
        "    if len(sys.argv) > 1:\n"
        "        child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"        Path({str(note)!r}).write_text(str(child.pid))\n        time.sleep(60)\n" + LANES
    )
    with bench.warm() as warm:
        assert warm.run([str(bench.command), "hang"], bench.folder, 3).status is None
        assert is_gone(int(note.read_text()))
        assert warm.run([str(bench.command)], bench.folder, 60).status == 0


def test_a_server_that_dies_is_told_and_another_one_imports_the_command(bench: Bench) -> None:
    bench.write(f"    if Path({str(bench.folder / 'kill')!r}).exists(): os.kill(os.getppid(), signal.SIGKILL)\n{LANES}")
    question = State(root=str(bench.folder), mission="demo")
    with SpecKitty(bench.command, warm=True) as session:
        (bench.folder / "kill").touch()
        with pytest.raises(ImplementationError, match=r"spec-kitty ended with status -9; without warm:"):
            session.ask(question)
        (bench.folder / "kill").unlink()
        assert session.ask(question).ok


def test_what_cannot_be_imported_says_why(bench: Bench) -> None:
    bench.write()
    (bench.command.parent / "fake_released.py").write_text("raise ImportError('no such library')")
    with pytest.raises(ImplementationError, match=r"(?s)ended with status 1;.*ImportError: no such library"):
        Warm(bench.command, clean_environment(), bench.folder)
    (bench.command.parent / "fake_released.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nmain = print"
    )
    with pytest.raises(ImplementationError, match="importing it starts a thread"):
        Warm(bench.command, clean_environment(), bench.folder)


def test_only_the_session_itself_and_its_own_environment_is_warm(bench: Bench, monkeypatch: Any) -> None:
    bench.write()
    question = State(root=str(bench.folder), mission="demo")
    with SpecKitty(bench.command, spec="warm:spec-kitty", warm=True) as session:
        assert session.greeting.version == "9.8.7"

        def imports_by(ask: Any) -> int:
            before = len(bench.imports)
            assert ask().ok
            return len(bench.imports) - before

        assert (
            imports_by(lambda: session.ask(question)) == 3
        )  # the package; what is lazy by a run that tells, and for all
        assert imports_by(lambda: session.ask(question)) == 0
        assert imports_by(lambda: session.ask(Surface(request=question))) == 0
        with session.sibling() as other, session.sibling({"PYTHONPATH": "/x"}) as faulty:
            assert imports_by(lambda: other.ask(question)) == 1
            assert imports_by(lambda: faulty.ask(question)) == 1
        monkeypatch.setenv("SOMETHING", "else")
        assert imports_by(lambda: session.ask(question)) == 1
        monkeypatch.delenv("SOMETHING")
        assert imports_by(lambda: session.ask(question)) == 0
        missing = session.ask(State(root=str(bench.folder / "none"), mission="demo"))
        assert missing.kind is OutcomeKind.FAILED
        assert "cannot be started: [Errno 2]" in missing.value["message"]


def test_the_server_ends_with_its_session(bench: Bench) -> None:
    bench.write()
    with SpecKitty(bench.command, warm=True) as session:
        assert session.ask(State(root=str(bench.folder), mission="demo")).ok
        os.kill(server := int(bench.imports[0]), 0)
    assert is_gone(server)


@pytest.mark.parametrize("warm", [True, False])
def test_a_session_has_a_process_while_it_runs_only(bench: Bench, warm: bool) -> None:
    bench.write(f"    Path({str(bench.folder / 'runs')!r}).touch()\n    time.sleep(60)")
    with SpecKitty(bench.command, warm=warm) as session, ThreadPoolExecutor() as pool:
        asked = pool.submit(session.ask, State(root=str(bench.folder), mission="demo"), deadline=60)
        while not (bench.folder / "runs").exists() and not asked.done():
            time.sleep(0.01)
        assert session.process_id is not None
        os.kill(session.process_id, signal.SIGTERM)
        assert asked.result().value["message"] == "ended by SIGTERM"
        assert session.process_id is None


def test_the_name_of_a_warm_command(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write()
    with connect(f"warm:spec-kitty:{bench.command}") as session:
        assert session.spec == f"warm:spec-kitty:{bench.command}"
        assert session.ask(State(root=str(bench.folder), mission="demo")).ok
    with pytest.raises(ImplementationError, match="only the released command is run warm"):
        connect("warm:reference")
    bench.command.write_text("#!/bin/sh\nexit 0\n")
    with pytest.raises(ImplementationError, match=r"spec-kitty is no Python script"):
        connect(f"warm:spec-kitty:{bench.command}")
    monkeypatch.delattr(os, "fork")
    with pytest.raises(ImplementationError, match=r"warm needs os\.fork"):
        connect(f"warm:spec-kitty:{bench.command}")


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ("#!/opt/python3\n", ["/opt/python3"]),
        ("#! /usr/bin/python3 -sE\nx", ["/usr/bin/python3", "-sE"]),
        ("#!/usr/bin/env python3\n", ["/usr/bin/env", "python3"]),
        ("#!/bin/sh\n'''exec' /a/long/python \"$0\" \"$@\"\n' '''\n", ["/a/long/python"]),
        ("#!/bin/sh\n'''exec' \"/a b/python\" \"$0\" \"$@\"\n' '''\n", ["/a b/python"]),
    ],
)
def test_who_runs_a_script(tmp_path: Path, start: str, words: list[str]) -> None:
    (script := tmp_path / "script").write_text(start)
    assert interpreter_of(script) == words


def test_the_released_command_says_the_same_warm_and_cold(tmp_path: Path) -> None:
    command = default_directory() / "3.2.7" / "bin" / "spec-kitty"
    if not command.is_file():
        pytest.skip("spec-kitty 3.2.7 is not installed: make test installs it")
    told: list[list[Any]] = []
    for word in ("cold", "warm"):
        (root := tmp_path / word).mkdir()
        made = repository(root)
        mission = made.mission(None, bootstrap="planned", seed="same")
        made.commit("Prepare")
        where: dict[str, Any] = {"root": str(mission.root), "mission": mission.slug}
        with SpecKitty(command, warm=word == "warm") as session:
            outcomes = [
                session.ask(request, deadline=600)
                for request in (
                    Transition(work_package="WP01", to="claimed", actor="ann", **where),
                    Transition(work_package="WP01", to="done", actor="ann", **where),
                    Materialize(**where),
                    State(**{**where, "mission": "none"}),
                )
            ]
        told.append([_without_names(outcome, root, outcomes[0].value["event_id"]) for outcome in outcomes])
    assert [kind for kind, _ in told[0]] == ["ok", "refused", "ok", "refused"]
    assert told[0] == told[1]


def _without_names(outcome: Any, root: Path, event: str) -> tuple[str, str]:
    """Return what a command said, but for the names that each world has of its own, and the time."""
    value = {**outcome.value, "snapshot": {**outcome.value.get("snapshot", {}), "materialized_at": ""}}
    for entry in value["snapshot"].get("work_packages", {}).values():
        entry["last_transition_at"] = ""
    text = json.dumps([value, outcome.evidence["stderr"], outcome.evidence["exit_status"]], sort_keys=True)
    return str(outcome.kind), text.replace(str(root), "ROOT").replace(event, "EVENT")
