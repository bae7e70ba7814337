"""``kitty-conform completion``: bash is asked what it would offer; the other shells where they are there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kitty_conformance.command import main
from kitty_conformance.completion import SHELLS

#: What is typed, one more letter of the last word not yet -> what is offered.
OFFERS = {
    "kitty-conform co": ["compare", "completion"],
    "kitty-conform run --cl": ["--clause"],
    "kitty-conform run --clause LOG-01": ["LOG-010", "LOG-011", "LOG-012", "LOG-013"],
    "kitty-conform run ref": ["reference"],
    "kitty-conform run reference --kn": ["--known"],
    "kitty-conform run --profile ": ["contract-320", "spec-kitty-3.2"],
    "kitty-conform run --report-junit repo": ["report.xml"],
    "kitty-conform explain glue": ["glued-line"],
    "kitty-conform known ": ["check", "prune", "add"],
    "kitty-conform known add --re": ["--reason"],
    "kitty-conform new-adapter ": ["python", "node", "sh"],
    "kitty-conform new-adapter python fol": ["folder"],
    "kitty-conform nothing-of-this-name": [],
}
#: Sets what bash sets before it asks a completion function, and prints what that offers.
ASK = """
ask() {
  read -ra COMP_WORDS <<< "$1"; [ "${1: -1}" = " " ] && COMP_WORDS+=("")
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_LINE=$1; COMP_POINT=${#1}; COMPREPLY=()
  registered=$(complete -p kitty-conform); registered=${registered#*-F }
  "${registered%% *}" kitty-conform "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
  echo "${COMPREPLY[@]}"
}
for typed; do ask "$typed"; done
"""


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


def test_bash_offers_what_can_be_typed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    (tmp_path / "report.xml").touch()
    (tmp_path / "folder").mkdir()
    done = subprocess.run(
        [bash, "--norc", "-c", script("bash", capsys) + ASK, "bash", *OFFERS],
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
    assert dict(zip(OFFERS, map(str.split, done.stdout.splitlines()), strict=True)) == OFFERS


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_has_every_command_and_its_shell_can_read_it(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = script(shell, capsys)
    for word in ("certify", "schema", "compare", "explain", "known", "new-adapter", "completion", "run", "LOG-013"):
        assert word in text
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"there is no {shell} to read it")
    subprocess.run([program, "-n"], input=text, text=True, check=True, timeout=60)


def test_without_shtab_the_remedy_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "zsh"]) == 3
    said = capsys.readouterr()
    assert (said.out, "pip install 'pytest-kitty[completion]'" in said.err) == ("", True)
