"""A failure leaves a folder whose script repeats it, with nothing but Python, for as long as it is there."""

from __future__ import annotations

import ast
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kit import kitty_conform
from kitty_conformance.reproducing import script
from kitty_conformance.reproducing.trace import Trace
from kitty_reliability.implementations.protocol import Outcome, State

SERVE = [sys.executable, "-m", "kitty_reliability.implementations.serve"]
ADAPTER = """
import random
import sys
from pathlib import Path

from kitty_reliability.implementations.protocol import Outcome
from kitty_reliability.reference.adapter import Reference


class Mumbles(Reference):
    "What it refuses with is something else each time."

    def state(self, request):
        return Outcome.refused({"message": "".join(random.choices("ghijklmnop", k=20))})


class FailsOnce(Reference):
    def state(self, request):
        if not Path("failed").exists():
            Path("failed").touch()
            return Outcome.refused({"message": "not now"})
        return super().state(request)


class Raises(Reference):
    def state(self, request):
        raise RuntimeError("no")
"""


def conform(directory: Path, *arguments: str) -> dict[str, Any]:
    """Run the suite with reproductions and return what the footer says of them, by scenario."""
    (directory / "odd_adapter.py").write_text(ADAPTER, encoding="utf-8")
    reports = ("--report-json=r.json", "--report-html=r.html", "--reproductions=again")
    done = kitty_conform("run", *arguments, *reports, cwd=directory)
    assert done.returncode == 1, done.stdout + done.stderr
    footer = json.loads((directory / "r.json").read_text(encoding="ascii").splitlines()[-1])
    return dict(footer["reproductions"])


def play(folder: Path, *program: str, isolated: bool = True) -> subprocess.CompletedProcess[str]:
    flags = ["-I", "-S"] if isolated else []
    return subprocess.run(
        [sys.executable, *flags, str(folder / "reproduce.py"), *program],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("made")
    conform(directory, "mutant:timestamps-as-text", "--clause=LOG-005", "--seed=5")
    return directory


def test_every_failure_has_a_folder_with_everything_in_it(made: Path) -> None:
    report = [json.loads(line) for line in (made / "r.json").read_text(encoding="ascii").splitlines()]
    failed = {line["scenario"] for line in report if line.get("verdict") == "fail"}
    found = report[-1]["reproductions"]
    assert found.keys() == failed
    assert len(failed) == 4
    for one in found.values():
        folder = made / "again" / one["folder"]
        assert {file.name for file in folder.iterdir()} == {
            "README.md", "expected.txt", "observed.txt", "recipe.json", "reproduce.py", "seen.json",
        }  # fmt: skip
        assert (folder / "README.md").read_text(encoding="utf-8").count(".") >= 3
        assert one["folder"] in (made / "r.html").read_text(encoding="utf-8")


def folder_of(made: Path) -> Path:
    return next(iter(sorted((made / "again").iterdir())))


def test_the_script_sees_the_failure_again(made: Path) -> None:
    done = play(folder_of(made))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "SEEN AGAIN: order-matters: " in done.stdout
    assert "Expected: Rows are ordered by instant" in done.stdout


def test_the_script_does_not_see_it_in_what_is_right(made: Path) -> None:
    done = play(folder_of(made), *SERVE, "reference")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NOT SEEN AGAIN: step " in done.stdout


def test_the_script_says_what_cannot_be_started(made: Path) -> None:
    done = play(folder_of(made), "./there/is/nothing")
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout.startswith("cannot be played: ")


def test_the_script_needs_nothing_but_python(made: Path) -> None:
    source = (folder_of(made) / "reproduce.py").read_text(encoding="utf-8")
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(source))
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module] if isinstance(node, ast.ImportFrom) else [])
        if name
    }  # fmt: skip
    assert imported <= sys.stdlib_module_names


def test_no_path_of_this_machine_is_in_a_folder(made: Path) -> None:
    for file in folder_of(made).iterdir():
        text = file.read_text(encoding="utf-8")
        assert "pytest-of-" not in text
        assert sys.executable not in text


def test_what_a_program_does_is_repeated_in_any_language(tmp_path: Path) -> None:
    command = ["exec:" + shlex.join([*SERVE, "mutant:timestamps-as-text"])]
    found = conform(tmp_path, *command, "--clause=LOG-005", "--seed=5")
    assert all("folder" in one for one in found.values()), found


def test_an_exception_is_a_crash_of_the_session_that_serves_it(tmp_path: Path) -> None:
    found = conform(tmp_path, "python:odd_adapter:Raises", "--clause=LOG-012", "--seed=5")
    assert found
    for one in found.values():
        assert "folder" in one, found


def test_what_comes_to_something_else_each_time_has_no_folder(tmp_path: Path) -> None:
    found = conform(tmp_path, "python:odd_adapter:Mumbles", "--clause=LOG-012", "--seed=5")
    assert found
    assert {one["reason"].partition(",")[0] for one in found.values()} == {"played by the script"}
    assert not (tmp_path / "again").exists()


def test_what_failed_once_has_no_folder(tmp_path: Path) -> None:
    found = conform(tmp_path, "python:odd_adapter:FailsOnce", "--clause=LOG-012", "--seed=5")
    assert [one["reason"] for one in found.values()] == ["it failed once; run again, it came to pass"]


def test_a_fault_is_no_part_of_a_script(tmp_path: Path) -> None:
    found = conform(tmp_path, "mutant:no-readback", "--clause=STA-002", "--seed=5")
    assert "a fault (lost) is in place" in {one.get("reason") for one in found.values()}


# --- what is noted


def test_a_change_between_two_steps_is_played_where_it_was(tmp_path: Path) -> None:
    base = tmp_path / "base"
    (base / "locked").mkdir(parents=True)
    (base / "gone").write_text("1", encoding="utf-8")
    (base / "bytes").write_bytes(b"\xff\x00")
    (base / "link").symlink_to(base / "gone")
    (base / "locked" / "file").write_text(f"in {base}", encoding="utf-8")
    (base / "locked").chmod(0o555)
    trace = Trace(base)
    request = State(root=str(base), mission="m")
    trace.asking()
    trace.asked(request, Outcome.refused({"message": f"no {base}"}), 5)
    (base / "gone").unlink()
    (base / "new").write_text("2", encoding="utf-8")
    trace.asking()
    trace.asked(request, Outcome.refused({"message": "no"}), 5)
    (base / "locked").chmod(0o755)

    assert trace.obstacle is None
    assert trace.steps[0]["ask"]["root"] == "@BASE@"
    assert trace.seen[0] == {"observed": {"refused": {"message": "no @BASE@"}}, "changed": {}}
    assert trace.steps[1]["change"].keys() == {"gone", "new"}
    again = tmp_path / "again"
    again.mkdir()
    script.put(again, trace.before)
    assert (again / "bytes").read_bytes() == b"\xff\x00"
    assert (again / "link").readlink() == again / "gone"
    assert (again / "locked" / "file").read_text(encoding="utf-8") == f"in {again}"
    assert (again / "locked").stat().st_mode & 0o777 == 0o555
    script.put(again, trace.steps[1]["change"])
    assert not (again / "gone").exists()
    assert (again / "new").read_text(encoding="utf-8") == "2"
    (again / "locked").chmod(0o755)


def test_what_no_two_runs_have_alike_does_not_count(tmp_path: Path) -> None:
    one = "event 01E2D7JDT0A5G8AJNFQWWFKV7F at 2026-11-22T16:53:10.5+00:00 by process 4711, after 0.31 s"
    other = "event 01E2D7P2T0A5G8AJNFQWWFKV7F at 2027-01-01T00:00:00Z by process 12, after 12 s"
    assert script.alike(one, tmp_path, "@P@") == script.alike(other, tmp_path, "@P@")
    assert script.alike("WP01 is done", tmp_path, "@P@") != script.alike("WP02 is done", tmp_path, "@P@")
