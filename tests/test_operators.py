"""A slip that is made by rule in a copy of the reference is noticed, or is not, by scenarios that run against the copy."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from kitty_conformance.operators import LEFT_ALONE, Copy, main, sites

REFERENCE = Path(__file__).parent.parent / "src" / "kitty_reliability" / "reference"
#: What takes away what is there.
_REMOVES = {"unlink", "rmtree", "rmdir", "ftruncate", "truncate", "rename", "cut", "kill", "killpg", "terminate"}


def test_one_slip_is_noticed_and_one_that_changes_nothing_survives(tmp_path: Path) -> None:
    """The scenarios run against the slip, and the next one begins with a copy that is as it was."""
    slip = next(site for site in sites("transitions") if site.new.startswith("(not (") and "force" not in site.old)
    copy = Copy(tmp_path)
    assert "(STA-007" in copy.judge(slip, ["STA-007"]).noticed
    assert copy.judge(replace(slip, new=f"({slip.old})"), ["LOG-002"]).noticed == ""


def test_slips_are_other_programs_and_none_removes_anything() -> None:
    """Each slip changes what the source means, in a function that takes nothing away."""
    for path in REFERENCE.glob("[!_]*.py"):
        source = path.read_bytes()
        removing = {
            function.name
            for function in ast.walk(ast.parse(source))
            if isinstance(function, ast.FunctionDef)
            for node in ast.walk(function)
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in _REMOVES
        }
        assert {f"{path.stem}.{name}" for name in removing} <= LEFT_ALONE
        for site in sites(path.stem):
            assert source[site.start :].startswith(site.old.encode())
            # An expression may go on behind the end of its line where it stands.
            old, new = (text if site.new == "pass" else f"({text})" for text in (site.old, site.new))
            assert ast.dump(ast.parse(old)) != ast.dump(ast.parse(new))
            assert site.function.rpartition(".")[2] not in removing


def test_a_module_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback for a name that is mistyped."""
    with pytest.raises(SystemExit):
        main(["--module", "nothing"])
    assert "no such module of the reference" in capsys.readouterr().err
