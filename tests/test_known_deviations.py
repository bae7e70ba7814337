"""Lists of known deviations: what they excuse, what is wrong with them, and how they are kept."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from kit import kitty_conform
from kitty_conformance.command import main
from kitty_conformance.known import KnownDeviations, KnownError, read_known, today
from pytest_kitty.report import ClauseReport, ClauseVerdict, ScenarioResult, Verdict

DAY = today()
SPEC = "mutant:timestamps-as-text"
RUN = ("run", SPEC, "--seed", "5", "--clause", "LOG-005", "--known", "known.toml")
NOTES = "test_annotations_are_ordered_by_instant"
ROWS = "test_rows_are_ordered_by_instant"
FAILING = [
    f"{ROWS}[{what}]"
    for what in ("Z before a fraction", "an earlier instant with a later hour", "the day before, by its date")
]


def entry(**keys: Any) -> str:
    """Return an entry that is right but for ``keys``; None leaves a key out."""
    values: dict[str, Any] = {
        "scenario": NOTES,
        "finding": "order-matters",
        "applies": "timestamps-as-text >=0.1,<0.2",
        "reason": "the index is built from text",
        "link": "https://example.org/issues/9",
        "expires": today() + timedelta(days=30),
        **keys,
    }
    lines = [
        f"{key} = {value.isoformat() if isinstance(value, date) else json.dumps(value)}"
        for key, value in values.items()
        if value is not None
    ]
    return "\n".join(["[[deviation]]", *lines, ""])


def full(**keys: Any) -> str:
    """Return a list that excuses every failure of the mutant; ``keys`` change the entry for the notes."""
    return entry(**keys) + "".join(entry(scenario=name, finding="lane-disagrees") for name in FAILING)


def known(tmp_path: Path, text: str, day: date = DAY) -> KnownDeviations:
    (tmp_path / "known.toml").write_text(text, encoding="utf-8")
    found = read_known(tmp_path / "known.toml", day)
    found.begin("timestamps-as-text", "0.1.0")
    return found


def failed(scenario: str = NOTES, finding: str = "order-matters", verdict: Verdict = Verdict.FAIL) -> ScenarioResult:
    return ScenarioResult(f"test_event_log.py::{scenario}", ("LOG-005",), verdict, finding)


def line(scenario: str, verdict: str, finding: str | None = None) -> dict[str, Any]:
    return {"scenario": scenario, "verdict": verdict, "finding": finding}


# --- a run


def test_a_run_that_deviates_only_as_known_ends_with_0_and_shows_it(tmp_path: Path) -> None:
    (tmp_path / "known.toml").write_text(full(), encoding="utf-8")
    forms = ["json", "html", "markdown", "junit"]
    done = kitty_conform(*RUN, *(f"--report-{form}=r.{form}" for form in forms), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"LOG-005   violated       \d passed, 4 known deviation", done.stdout)
    assert "known deviations:\n" in done.stdout
    assert "30 days left: the index is built from text (https://example.org/issues/9)" in done.stdout
    assert "violations:" not in done.stdout
    assert "0 of 1 clauses hold, 1 violated (1 of them as known)" in done.stdout
    for form in forms:
        text = (tmp_path / f"r.{form}").read_text(encoding="utf-8")
        assert "the index is built from text" in text, form
        assert "30 days left" in text or '"days_left": 30' in text, form
    footer = json.loads((tmp_path / "r.json").read_text(encoding="ascii").splitlines()[-1])
    assert (footer["exit_status"], footer["conforms"], footer["deviation_problems"]) == (0, False, [])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (full(expires=today() - timedelta(days=3)), f"{NOTES} (order-matters): expired 3 days ago"),
        (full(finding="counted-twice"), f"{NOTES} fails with order-matters"),
        (full() + entry(scenario=f"{ROWS}[a negative offset]", finding="lane-disagrees"), "passes; remove the entry"),
        (full() + entry(scenario="test_nothing_of_the_kind"), "test_nothing_of_the_kind (order-matters): matches no scenario"),
        (full() + entry(scenario=f"{ROWS}[no such case]"), "matches no scenario"),
        (full() + entry(scenario="test_annotations_are_ordered*"), "has two entries"),
    ],
    ids=["expired", "another finding", "passes", "no such scenario", "no such parameter", "twice"],
)  # fmt: skip
def test_a_list_that_is_wrong_ends_with_4(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "known.toml").write_text(text, encoding="utf-8")
    done = kitty_conform(*RUN, "--report-json=r.json", cwd=tmp_path)
    assert done.returncode == 4, done.stdout + done.stderr
    assert says in done.stdout
    footer = json.loads((tmp_path / "r.json").read_text(encoding="ascii").splitlines()[-1])
    assert footer["exit_status"] == 4
    assert any(says in problem for problem in footer["deviation_problems"])


def test_what_is_not_on_the_list_is_a_violation(tmp_path: Path) -> None:
    (tmp_path / "known.toml").write_text(entry(), encoding="utf-8")
    done = kitty_conform(*RUN, cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"\d passed, 3 failed, 1 known deviation", done.stdout)


def test_an_entry_for_another_version_excuses_nothing_and_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "known.toml").write_text(entry(applies="timestamps-as-text >=0.2"), encoding="utf-8")
    done = kitty_conform(*RUN, cwd=tmp_path)
    assert done.returncode == 1
    assert re.search(r"\d passed, 4 failed", done.stdout)


def test_a_list_is_the_same_from_several_workers(tmp_path: Path) -> None:
    (tmp_path / "known.toml").write_text(full(), encoding="utf-8")
    assert kitty_conform(*RUN, "-n", "2", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("text", "status", "says"),
    [(None, 3, "known.toml"), ("[[deviation]\n", 4, "known.toml"), (entry(reason=None), 4, "exactly the keys")],
)
def test_a_list_that_cannot_be_read_is_known_before_anything_runs(
    tmp_path: Path, text: str | None, status: int, says: str
) -> None:
    if text is not None:
        (tmp_path / "known.toml").write_text(text, encoding="utf-8")
    done = kitty_conform(*RUN, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (status, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


# --- what is no entry


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("deviation = 7\n", r"\[\[deviation\]\]"),
        ("[[deviations]]\n", "unknown: deviations"),
        ("deviation = [7]\n", "exactly the keys"),
        (entry(link=None), "exactly the keys"),
        (entry(owner="me"), "exactly the keys"),
        (entry(reason="  "), "reason is a text"),
        (entry(link=7), "link is a text"),
        (entry(expires="soon"), "expires is a date"),
        (entry(finding="flaky"), "no finding is called 'flaky'"),
        (entry(expires=DAY + timedelta(days=181)), "181 days from now; at most 180"),
        (entry(applies="it >=one"), "applies: "),
        (entry(applies=">=1.0"), "applies is a name and versions"),
        (entry(finding="hang", scenario="test_*"), "a hang is excused for one scenario"),
        (entry(finding="crash", scenario="test_*"), "a crash is excused for one scenario"),
        (entry(finding="protocol-violation", scenario="test_*"), "a protocol-violation is excused for one scenario"),
    ],
)
def test_an_entry_that_is_wrong_is_refused_by_its_number(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(KnownError, match=says):
        known(tmp_path, text)


def test_the_last_day_and_the_longest_time_count(tmp_path: Path) -> None:
    assert known(tmp_path, entry(expires=DAY + timedelta(days=180))).judge(failed()).verdict is Verdict.KNOWN
    last = known(tmp_path, entry(expires=DAY))
    assert last.judge(failed()).deviation is not None
    assert last.problems([line(NOTES, "known deviation", "order-matters")]) == []
    assert known(tmp_path, entry(expires=DAY - timedelta(days=1))).judge(failed()).verdict is Verdict.FAIL


# --- what is excused


@pytest.mark.parametrize("finding", ["hang", "crash", "protocol-violation"])
def test_a_hang_a_crash_and_a_protocol_violation_are_excused_by_name_only(tmp_path: Path, finding: str) -> None:
    assert known(tmp_path, entry(expires=DAY, scenario="test_*")).judge(failed(finding=finding)).verdict is Verdict.FAIL
    named = known(tmp_path, entry(expires=DAY, finding=finding))
    assert named.judge(failed(finding=finding)).verdict is Verdict.KNOWN


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.NOT_APPLICABLE, Verdict.ERROR])
def test_nothing_but_a_failure_is_excused(tmp_path: Path, verdict: Verdict) -> None:
    result = failed(verdict=verdict)
    assert known(tmp_path, entry(expires=DAY)).judge(result) is result


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("test_a[x]", "test_a[x]", True),
        ("test_a[x]", "test_ax", False),
        ("test_a", "test_a[x]", False),
        ("test_a*", "test_a[x]", True),
        ("test_a[*]", "test_a[x or [y]]", True),
        ("test_a[?]", "test_a[x]", False),
        ("test_a[.]", "test_a[x]", False),
        ("*_a", "test_a\n", False),
    ],
)
def test_only_a_star_stands_for_something_else(tmp_path: Path, pattern: str, name: str, matches: bool) -> None:
    (found,) = known(tmp_path, entry(expires=DAY, scenario=pattern)).entries
    assert found.matches(name) is matches


@pytest.mark.parametrize(
    ("applies", "version", "does"),
    [
        ("it", "3.2.7", True),
        ("it", "whatever", True),
        ("it >=3.2,<3.3", "3.2.7", True),
        ("it >=3.2.0a1", "3.2.0a8", True),
        ("it >=3.2", "3.1.10", False),
        ("other", "3.2.7", False),
        ("it ===of-today", "of-today", True),
        ("it >=1", "of-today", False),
    ],
)
def test_an_entry_is_about_versions_of_one_implementation(
    tmp_path: Path, applies: str, version: str, does: bool
) -> None:
    found = known(tmp_path, entry(expires=DAY, applies=applies))
    found.begin("it", version)
    assert bool(found.entries) is does


def test_what_was_not_run_is_not_judged(tmp_path: Path) -> None:
    found = known(tmp_path, entry(expires=DAY) + entry(expires=DAY, scenario="test_*", finding="wrong-row"))
    assert [text for _, text in found.problems([line("test_a_success_is_one_row", "fail", "wrong-row")])] == []
    assert found.problems([], [NOTES])[0][1].endswith("has two entries; keep one")


@pytest.mark.parametrize("verdict", ["inconclusive", "error"])
def test_what_was_not_decided_is_not_held_against_the_list(tmp_path: Path, verdict: str) -> None:
    assert known(tmp_path, entry(expires=DAY)).problems([line(NOTES, verdict)]) == []


def test_a_clause_with_a_known_deviation_does_not_hold() -> None:
    report = ClauseReport({"a": failed(verdict=Verdict.KNOWN), "b": failed("test_b", "", Verdict.PASS)})
    assert report.clauses == {"LOG-005": ClauseVerdict.VIOLATED}
    assert not report.conforms
    assert report.failed == set()


# --- keeping a list


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("report")
    kitty_conform("run", SPEC, "--seed", "5", "--clause", "LOG-005", "--report-json=r.json", cwd=directory)
    return directory / "r.json"


def test_failures_are_added_and_a_run_is_excused_by_them(tmp_path: Path, report: Path) -> None:
    said = ["--reason", 'it says "no"', "--link", "https://example.org/1", "--days", "30"]
    done = kitty_conform("known", "add", "known.toml", str(report), *said, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 4
    again = kitty_conform("known", "add", "known.toml", str(report), *said, cwd=tmp_path)
    assert (again.returncode, again.stdout) == (0, "")
    assert kitty_conform("known", "check", "known.toml", str(report), cwd=tmp_path).returncode == 0
    assert kitty_conform(*RUN, cwd=tmp_path).returncode == 0


def test_a_comment_outlives_what_is_added_and_pruned(tmp_path: Path, report: Path) -> None:
    list_ = tmp_path / "known.toml"
    stale = entry(scenario=f"{ROWS}[a negative offset]", finding="lane-disagrees")
    list_.write_text("# ours\n" + full() + stale, encoding="utf-8")
    checked = kitty_conform("known", "check", "known.toml", str(report), cwd=tmp_path)
    assert checked.returncode == 4
    assert (
        checked.stdout
        == f"{ROWS}[a negative offset] (lane-disagrees): {ROWS}[a negative offset] passes; remove the entry\n"
    )
    pruned = kitty_conform("known", "prune", "known.toml", str(report), cwd=tmp_path)
    assert (pruned.returncode, pruned.stdout) == (0, f"removed {ROWS}[a negative offset] (lane-disagrees)\n")
    assert list_.read_text(encoding="utf-8").startswith("# ours\n")
    assert list_.read_text(encoding="utf-8").count("[[deviation]]") == 4
    assert kitty_conform("known", "check", "known.toml", str(report), cwd=tmp_path).returncode == 0


def test_a_list_can_be_pruned_to_nothing(tmp_path: Path, report: Path) -> None:
    (tmp_path / "known.toml").write_text(entry(scenario="test_gone"), encoding="utf-8")
    assert kitty_conform("known", "prune", "known.toml", str(report), cwd=tmp_path).returncode == 0
    assert read_known(tmp_path / "known.toml", DAY).entries == []


def test_a_hang_is_added_by_name_only(tmp_path: Path, report: Path) -> None:
    lines = report.read_text(encoding="ascii").replace('"finding": "order-matters"', '"finding": "hang"')
    (tmp_path / "r.json").write_text(lines, encoding="ascii")
    said = ("known", "add", "known.toml", "r.json", "--reason", "r", "--link", "l")
    done = kitty_conform(*said, cwd=tmp_path)
    assert f"not added: {NOTES}: a hang is named with --scenario" in done.stdout
    assert "hang" not in (tmp_path / "known.toml").read_text(encoding="utf-8")
    assert kitty_conform(*said, "--scenario", NOTES, cwd=tmp_path).stdout == f"added {NOTES} (hang)\n"


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["check", "none.toml", "{report}"], 3, "none.toml"),
        (["check", "known.toml", "none.json"], 3, "none.json"),
        (["check", "known.toml", "part.json"], 3, "no footer"),
        (["check", "broken.toml", "{report}"], 4, "broken.toml"),
        (["add", "known.toml", "{report}", "--reason=r", "--link=l", "--days=181"], 3, "--days"),
        (["add", "known.toml", "{report}", "--reason", "r"], 3, "--link"),
        (
            ["add", "no/known.toml", "{report}", "--reason=r", "--link=l"],
            3,
            "no/known.toml: No such file or directory; ",
        ),
        (["add", "known.toml", "{report}", "--reason=r", "--link=l", "--scenario=test_x"], 3, "test_x did not fail"),
    ],
)
def test_what_cannot_be_kept_is_said(
    tmp_path: Path, report: Path, arguments: list[str], status: int, says: str
) -> None:
    (tmp_path / "known.toml").write_text(full(), encoding="utf-8")
    (tmp_path / "broken.toml").write_text("[[deviation]]\n", encoding="utf-8")
    (tmp_path / "part.json").write_text(report.read_text(encoding="ascii").splitlines(True)[0], encoding="ascii")
    done = kitty_conform("known", *(word.format(report=report) for word in arguments), cwd=tmp_path)
    assert done.returncode == status, done.stdout + done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "reason", "says"),
    [
        (b"\xff", "r", "can't decode"),
        (b"a =", "r", "Invalid value"),
        (b"deviation = 3", "r", "write [[deviation]] tables"),
        (
            b'deviation = [{scenario="x", finding="hang", applies="a", reason="r", link="l", expires=2026-01-01}]',
            "r",
            "an inline list is not added to",
        ),
        (b"deviation = [1]", "r", "deviation 1: it has exactly the keys"),
        (b"", "\udcff", "half of a character"),
    ],
)
def test_a_list_that_is_none_is_not_added_to(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, report: Path, text: bytes, reason: str, says: str
) -> None:
    path = tmp_path / "known.toml"
    path.write_bytes(text)
    assert main(["known", "add", str(path), str(report), "--reason", reason, "--link", "l"]) == 4
    assert says in capsys.readouterr().err
    assert path.read_bytes() == text


def test_the_entry_of_the_page_is_an_entry(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "reports.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    found = known(tmp_path, text, date(2026, 12, 1))
    found.begin("spec-kitty", "3.2.7")
    assert [entry.days_left(date(2026, 12, 1)) for entry in found.entries] == [62]
