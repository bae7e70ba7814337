"""The line that says where a run is: there on a terminal, and nowhere else."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kitty_conformance.progress import Progress

RUN = [sys.executable, "-m", "kitty_conformance.command", "run", "reference", "--clause", "LOG-012"]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def progress(*, typical: float = 0.0, scenarios: int = 10, jobs: int = 1) -> tuple[Progress, Clock]:
    clock = Clock()
    made = Progress(io.StringIO(), jobs, clock)
    made._typical = typical
    made.collected(f"test_x.py::test_{number}" for number in range(scenarios))
    return made, clock


def test_the_line_names_the_scenario_and_for_how_long_it_has_run() -> None:
    made, clock = progress()
    made.begin("test_x.py::test_3[a case]")
    clock.now += 12
    assert made.line(200).startswith("[0/10] test_3[a case]  12 s, about ")


def test_the_estimate_begins_with_what_is_declared_and_goes_over_to_what_is_seen() -> None:
    made, clock = progress(typical=1.0, scenarios=100)
    assert made.line(200).endswith(", about 10 min left")
    alone = made._left(clock.now)
    assert progress(typical=1.0, scenarios=100, jobs=2)[0]._left(clock.now) == alone / 2
    for _ in range(95):
        clock.now += 0.1
        made.end()
    assert made._left(clock.now) < 5 * 0.1 * 5
    for _ in range(5):
        made.end()
    assert made._left(clock.now) == 0


@pytest.mark.parametrize("width", [0, 10, 30, 60])
def test_the_line_is_as_wide_as_the_terminal_at_most(width: int) -> None:
    made, _ = progress()
    made.begin("test_x.py::test_" + "x" * 200)
    assert len(made.line(width)) <= width


def test_nothing_in_a_name_acts() -> None:
    made, _ = progress()
    made.begin("test_x.py::test_3[\x1b[2J\u202e]")
    assert "test_3[\\x1b[2J\\u202e]" in made.line(200)


def test_a_run_that_nobody_watches_has_no_line(tmp_path: Path) -> None:
    done = subprocess.run(RUN, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not {"\r", "\x1b"} & set(done.stdout + done.stderr)
    assert "left" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal: POSIX")
@pytest.mark.parametrize("jobs", [[], ["-n", "2"]], ids=["alone", "workers"])
def test_on_a_terminal_the_line_is_drawn_over_and_gone_before_the_table(tmp_path: Path, jobs: list[str]) -> None:
    import pty

    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [*RUN, *jobs], cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "NO_COLOR": "1"},
    )  # fmt: skip
    os.close(theirs)
    said = b""
    try:
        while chunk := os.read(ours, 4096):
            said += chunk
    except OSError:
        pass  # that is how Linux says that the other end is closed
    os.close(ours)
    assert child.wait(60) == 0, said
    text = said.decode()
    before, table = text.split("clauses: reference")[0], text.split("clauses: reference")[1]
    assert "[1/" in before
    assert "test_" in before
    assert " left" in before
    assert before.rindex("\r\x1b[K") > before.rindex(" left")
    assert "\x1b[K" not in table
    assert "...." not in before.replace("\x1b[K", "").replace("... ", "")
