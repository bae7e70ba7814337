"""``kitty_xfail``: a failure that is known, by clause and link, counted as known; what it cannot excuse fails."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

MARK = '@pytest.mark.kitty_xfail("LOG-003", link="https://example.org/951", reason="the log is cut")'
TESTS = f"""
import pytest
from pytest_kitty.scenarios import Finding, ScenarioFailure

{MARK}
def test_that_fails_as_known():
    raise ScenarioFailure(Finding.BYTES_LOST, "the last row is gone")

{MARK}
def test_that_expected_a_failure_that_did_not_come():
    with pytest.raises(ValueError):
        pass

@pytest.mark.kitty_clause("LOG-004")
@pytest.mark.kitty_xfail("LOG-004", link="https://example.org/7", reason="rows are glued")
class TestOfAClause:
    def test_in_a_class(self):
        assert "one" == "two", "two rows on one line"

{MARK.replace("003", "005")}
def test_that_passes(): pass

{MARK.replace("003", "006")}
def test_that_errs():
    raise KeyError("lane")

@pytest.mark.kitty_clause("LOG-007")
@pytest.mark.xfail
def test_that_nobody_answers_for():
    assert not "known"
"""
TABLE = [
    "*XPASS(strict)*LOG-005: the log is cut (https://example.org/951)*",
    "*= clauses*=*",
    "LOG-003   violated       2 known deviation   bytes-lost",
    "LOG-004   violated       1 known deviation   unnamed",
    "LOG-005   holds          1 passed",
    "LOG-006   undecided      1 errors",
    "LOG-007   violated       1 failed   unnamed",
    "known deviations:",
    "  LOG-004 TestOfAClause::test_in_a_class",
    "      unnamed: two rows on one line",
    "      rows are glued (https://example.org/7)",
    "  LOG-003 test_that_fails_as_known",
    "      bytes-lost: the last row is gone",
    "      the log is cut (https://example.org/951)",
    "1 of 5 clauses hold, 3 violated (2 of them as known), 1 undecided, 0 not applicable",
    "XFAIL *::test_that_fails_as_known - LOG-003: the log is cut (https://example.org/951)",
]


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    for name in os.environ:
        if name.startswith(("PYTEST_XDIST", "KITTY_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return pytester


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-p", "kitty", "-p", "no:cacheprovider", "-rxX", *arguments)


@pytest.mark.parametrize("arguments", [(), ("-p", "xdist", "-n", "2")], ids=["alone", "two workers"])
def test_a_known_failure_is_counted_as_known(pytester: pytest.Pytester, arguments: tuple[str, ...]) -> None:
    pytester.makepyfile(TESTS)
    result = run(pytester, "--strict-markers", *arguments)
    result.assert_outcomes(xfailed=4, failed=2)
    result.stdout.fnmatch_lines(TABLE[:1])
    result.stdout.fnmatch_lines(TABLE[1:-1])
    result.stdout.fnmatch_lines(TABLE[-1:])


def test_a_known_failure_fails_when_expectations_are_switched_off(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    result = run(pytester, "--runxfail", "-k", "fails_as_known")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["LOG-003   violated       1 failed   bytes-lost", "*, 1 violated, *"])


def test_a_known_failure_is_selected_by_its_clause(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    run(pytester, "--kitty-clause", "LOG-003").assert_outcomes(xfailed=2, deselected=4)


def test_the_example_of_the_page_is_expected_to_fail(pytester: pytest.Pytester) -> None:
    page = Path(__file__).parents[1].joinpath("docs", "reports.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    reader = "class my_reader:\n    rows = 0\n    def __init__(self, directory): pass\n\n"
    pytester.makepyfile(reader + example)
    run(pytester).assert_outcomes(xfailed=1)


@pytest.mark.parametrize(
    ("mark", "word"),
    [
        ("kitty_xfail", "write @pytest.mark.kitty_xfail("),
        ("kitty_xfail('LOG-003')", "write @pytest.mark.kitty_xfail("),
        ("kitty_xfail('LOG-003', link='https://example.org/1')", "write @pytest.mark.kitty_xfail("),
        ("kitty_xfail('LOG-003', link='https://example.org/1', reason=' ')", "write @pytest.mark.kitty_xfail("),
        ("kitty_xfail(3, link='https://example.org/1', reason='r')", "write @pytest.mark.kitty_xfail("),
        ("kitty_xfail('LOG-003', link='#951', reason='r')", "'#951' is no link; name the page that tracks LOG-003"),
        ("kitty_xfail('LGO-003', link='https://e.org/1', reason='r')", "no clause is called 'LGO-003'; near: LOG-"),
        ("kitty_xfail('LOG-3', link='https://e.org/1', reason='r')", "no clause is called 'LOG-3'; near: LOG-"),
        ("kitty_xfail('-', link='https://e.org/1', reason='r')", "near: STA-..., LOG-..., RPM-..., DIF-..., OWN-"),
        (
            "kitty_xfail('LOG-003', link='https://e.org/1', reason='r')\n@pytest.mark.kitty_clause('LOG-004')",
            "the test decides LOG-004, not 'LOG-003'",
        ),
    ],
)
def test_a_wrong_mark_is_a_usage_error(pytester: pytest.Pytester, mark: str, word: str) -> None:
    pytester.makepyfile(f"import pytest\n@pytest.mark.{mark}\ndef test_mine(): pass\n")
    result = run(pytester)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = (line for line in result.errlines if line.startswith("ERROR: "))
    assert "::test_mine: " in line
    assert word in line
