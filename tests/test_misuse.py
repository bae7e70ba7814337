"""``kitty-conform`` and the plugin, used wrongly: a sentence that names the thing, and never green for nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kitty_conformance.command import main


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
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_a_run_that_is_told_to_end_writes_its_reports_and_leaves_nobody(tmp_path: Path, number: str) -> None:
    (tmp_path / "silent.sh").write_text(SILENT)
    (temporary := tmp_path / "temporary").mkdir()
    command = [sys.executable, "-m", "kitty_conformance.command", "run", "exec:sh silent.sh", "--clause", "LOG-001"]
    command += ["--report-json", "run.jsonl", "--report-html", "run.html"]
    options = {
        "cwd": tmp_path,
        "env": {**os.environ, "TMPDIR": str(temporary)},
        "text": True,
        "start_new_session": True,
    }
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options) as run:
        while not (tmp_path / "asked").exists():
            assert run.poll() is None
            time.sleep(0.01)
        # As a terminal does it; what was started for the run is told as well.
        os.killpg(run.pid, getattr(signal, number))
        text, _ = run.communicate()
    assert (run.returncode, "Traceback" in text) == (3, False), text
    footer = json.loads((tmp_path / "run.jsonl").read_text().splitlines()[-1])
    assert (footer["exit_status"], len(footer["not_decided"])) == (3, 4)
    assert sorted(path.name for path in tmp_path.glob("run.*")) == ["run.html", "run.jsonl"]
    # Where tests have their directories, pytest keeps the last three.
    assert [path.name.startswith("pytest-of-") for path in temporary.iterdir()] == [True]
