"""The first adapter in each language, the page about it, and an implementation that only reads."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kitty_conformance.command import main
from kitty_conformance.new_adapter import LANGUAGES, how_to_run, write_adapter

PAGE = Path(__file__).parent.parent / "docs" / "first-adapter.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
STATUS = re.compile(r" +# exit status (\d)$")

VIEWER = """
from kitty_reliability.implementations import protocol
from kitty_reliability.implementations.protocol import Outcome
from kitty_reliability.reference.adapter import Reference

READS = {"hello", "open", "state", "events"}


class Viewer(Reference):
    def answer(self, request):
        if request.operation not in READS:
            return Outcome.unsupported("it only reads")
        outcome = super().answer(request)
        if isinstance(request, protocol.Hello):
            return Outcome.success(protocol.HelloAnswer(**{**outcome.value, "capabilities": ["events"]}))
        return outcome
"""


def shell(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run one line as a user would who has the command on the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        ["sh", "-c", line],
        cwd=cwd,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.mark.parametrize("language", sorted(LANGUAGES.keys() - {"python"}))
def test_a_first_adapter_is_asked_and_decides_nothing(tmp_path: Path, language: str) -> None:
    """That in Python is run by the page below."""
    if shutil.which(language) is None:
        pytest.skip(f"{language} is not installed")
    file = write_adapter(language, tmp_path / "a folder")
    done = shell(f"{how_to_run(language, file)} --clause LOG-012 --clause SEC-004", tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "clauses: my-implementation 0.1" in done.stdout
    assert "0 of 2 clauses hold, 0 violated, 1 undecided, 1 not applicable" in done.stdout


def test_an_adapter_that_is_there_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "adapter.sh"
    mine.write_text("mine\n", encoding="utf-8")
    assert main(["new-adapter", "sh", str(tmp_path)]) == 3
    assert mine.read_text(encoding="utf-8") == "mine\n"
    told = capsys.readouterr().err
    assert str(mine) in told
    assert "move it away" in told


def test_the_command_says_how_its_adapter_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new-adapter", "node", str(tmp_path / "it's here")]) == 0
    command = capsys.readouterr().out.splitlines()[-1]
    program, *arguments = shlex.split(command)
    assert program == "kitty-conform"
    assert shlex.split(arguments[1].removeprefix("exec:")) == ["node", str(tmp_path / "it's here" / "adapter.mjs")]


def test_the_page_leads_to_a_clause_that_holds(tmp_path: Path) -> None:
    said = ""
    code = tmp_path / "first" / "adapter.py"
    runs = 0
    for kind, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if kind == "python":
            # The second block takes the place of one function of the first: the later definition counts.
            code.write_text(text if "class Adapter" in text else code.read_text(encoding="utf-8") + text, "utf-8")
        elif kind == "sh":
            for line in text.splitlines():
                found = STATUS.search(line)
                done = shell(STATUS.sub("", line), tmp_path)
                assert done.returncode == int(found[1] if found else 0), done.stdout + done.stderr
                runs, said = runs + 1, done.stdout
        elif "make" not in text:
            assert text.strip() in said
    assert runs == 4


def test_an_implementation_that_only_reads_can_conform(tmp_path: Path) -> None:
    """Whoever claims no write is not kept undecided by scenarios that would have to write first."""
    (tmp_path / "viewer.py").write_text(VIEWER, encoding="utf-8")
    clauses = " ".join(f"--clause SEC-00{number}" for number in range(1, 5))
    done = shell(f"kitty-conform run python:viewer:Viewer {clauses}", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 4 clauses hold, 0 violated, 0 undecided, 1 not applicable" in done.stdout
