"""``kitty-conform`` and the plugin, used wrongly: a sentence that names the thing, and never green for nothing."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kitty_conformance.command import main

COMMAND = [sys.executable, "-m", "kitty_conformance.command"]


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    """Return the exit status of the command, and the last line on stderr."""
    try:
        status = main(argv)
    except SystemExit as end:
        status = int(end.code or 0)
    return status, capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize("argv", [["run", ""], ["run", " "], ["run", "reference", "--profile", ""]])
def test_a_variable_that_is_not_set_does_not_have_the_reference_judged(
    capsys: pytest.CaptureFixture[str], argv: list[str]
) -> None:
    status, text = said(capsys, *argv)
    assert (status, text.partition(": it ")[2]) == (3, "names nothing; is a variable empty?")


@pytest.mark.parametrize("option", ["implementation", "profile", "clause", "audit", "audit-baseline", "audit-html"])
def test_an_option_that_names_nothing_is_refused(pytester: pytest.Pytester, option: str) -> None:
    with pytest.raises(pytest.UsageError, match=f"argument --kitty-{option}: it names nothing"):
        pytester.parseconfig(f"--kitty-{option}=")


def test_whoever_names_nobody_has_his_own_judged(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for text, named in (('"exec:./mine"', "'./mine' cannot be started"), ("3", "implementation is a text")):
        (tmp_path / "pyproject.toml").write_text(f"[tool.kitty]\nimplementation = {text}\n")
        assert main(["run"]) == 3
        assert named in capfd.readouterr().err


#: Says who it is, and no more.
SILENT = """read line
echo '{"id": 1, "ok": {"name": "silent", "version": "1", "protocol": 1, "profile": "contract-320"}}'
read line
touch asked
sleep 600
"""


@pytest.mark.skipif(os.name == "nt", reason="a process of Windows is not told to end, it ends")
def test_a_run_that_is_told_to_end_writes_its_reports_and_leaves_nobody(tmp_path: Path) -> None:
    (tmp_path / "silent.sh").write_text(SILENT)
    (temporary := tmp_path / "temporary").mkdir()
    reports = ["--report-json", "run.jsonl", "--report-html", "run.html"]
    command = [*COMMAND, "run", "exec:sh silent.sh", "--clause", "LOG-001", *reports]
    options = {
        "cwd": tmp_path,
        "env": {**os.environ, "TMPDIR": str(temporary)},
        "text": True,
        "start_new_session": True,
        # Whoever runs the tests in the background of a shell has it ignored, and so would the run.
        "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    }
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options) as run:
        while not (tmp_path / "asked").exists():
            assert run.poll() is None
            time.sleep(0.01)
        # As a terminal does it; what was started for the run is told as well.
        os.killpg(run.pid, signal.SIGINT)
        text, _ = run.communicate()
    assert (run.returncode, "Traceback" in text) == (3, False), text
    footer = json.loads((tmp_path / "run.jsonl").read_text().splitlines()[-1])
    assert (footer["exit_status"], len(footer["not_decided"])) == (3, 4)
    assert sorted(path.name for path in tmp_path.glob("run.*")) == ["run.html", "run.jsonl"]
    # Where tests have their directories, pytest keeps the last three.
    assert [path.name.startswith("pytest-of-") for path in temporary.iterdir()] == [True]


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.is_char_device(), reason="there is no disk that is always full")
def test_a_full_disk_and_a_reader_who_left_are_told_in_a_sentence() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with FULL.open("wb") as full, os.fdopen(writing, "wb") as left:
        ended = [
            subprocess.run([*COMMAND, "schema"], stdout=stream, stderr=subprocess.PIPE, text=True, check=False)
            for stream in (full, left)
        ]
    assert [(one.returncode, one.stderr.count("\n")) for one in ended] == [(3, 1), (3, 1)]
    assert [one.stderr.split(";")[0] for one in ended] == [
        "kitty-conform: what is printed here: No space left on device",
        "kitty-conform: nobody reads any more what is printed here",
    ]


@pytest.mark.skipif(os.name == "nt", reason="there is no sh")
def test_a_run_without_stdout_is_a_run() -> None:
    words = shlex.join([*COMMAND, "run", "exec:./nothing"])
    ended = subprocess.run(f"{words} >&-", shell=True, capture_output=True, text=True, check=False)
    assert ended.returncode == 3
    assert ended.stderr.startswith("ERROR: kitty: './nothing' cannot be started")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is nowhere where nobody can write")
def test_a_report_that_cannot_be_begun_ends_the_run_with_a_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "reference", "--clause", "LOG-001", "--report-json", "/proc/nothing"]) == 3
    shown = capfd.readouterr()
    assert "/proc/nothing" in shown.err
    assert "Traceback" not in shown.out + shown.err


def test_a_run_goes_by_nothing_of_the_project_it_is_run_in_nor_of_whoever_runs_it(tmp_path: Path) -> None:
    for name in ("conftest.py", "json.py"):
        (tmp_path / name).write_text("raise SystemExit(7)\n")
    signs = tmp_path / "gitconfig"
    signs.write_text("[commit]\n\tgpgsign = true\n[gpg]\n\tprogram = false\n")
    theirs = {"GIT_CONFIG_GLOBAL": str(signs), "GIT_DIR": "/nowhere", "PYTEST_ADDOPTS": "--nonsense"}
    # As the script does it, to which the directory that it is run in is nothing.
    command = [sys.executable, "-P", *COMMAND[1:], "run", "reference", "--clause", "STA-006"]
    only = ["--", "-k", "test_a_transition_after_a_refused_one_succeeds"]
    ended = subprocess.run(
        [*command, *only], cwd=tmp_path, env=os.environ | theirs, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
