"""``kitty-conform`` and the plugin, used wrongly: a sentence that names the thing, and never green for nothing."""

from __future__ import annotations

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
