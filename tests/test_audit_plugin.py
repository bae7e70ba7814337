"""``--kitty-audit``: items, flags, baselines, reports, and a repository that is left as it was."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from junitparser import JUnitXml, Properties

from kitty_reliability.audit.rules import RULES
from kitty_reliability.build.mission import mission

USAGE_ERROR = 4
Audit = Callable[..., pytest.RunResult]


@pytest.fixture
def specs(pytester: pytest.Pytester) -> Path:
    """A repository with a sound mission, and one of which a line is broken and a reference dangles."""
    mission(pytester.path, {"WP01": "done"}, slug="sound")
    broken = mission(pytester.path, {"WP01": "in_review"}, slug="broken").directory
    log = broken / "status.events.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    last = {**json.loads(lines[-1]), "review_ref": f"review-cycle://{broken.name}/WP01-x/review-cycle-3.md"}
    log.write_bytes(b"".join([*lines[:-1], json.dumps(last).encode() + b"\n", b"<<<<<<< HEAD\n"]))
    return broken.parent


@pytest.fixture
def run(pytester: pytest.Pytester, specs: Path, monkeypatch: pytest.MonkeyPatch) -> Audit:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    # In CI pytest repeats the whole text of a failure in its summary.
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("BUILD_NUMBER", raising=False)

    def run(*arguments: str | Path, path: Path | str = specs, apart: bool = False) -> pytest.RunResult:
        words = ["-p", "kitty", "--kitty-audit", str(path), *map(str, arguments)]
        return pytester.runpytest_subprocess(*words) if apart else pytester.runpytest_inprocess(*words)

    return run


def told(result: pytest.RunResult) -> str:
    return "\n".join([*result.outlines, *result.errlines])


def tree(root: Path) -> dict[str, tuple[int, str]]:
    return {
        str(path.relative_to(root)): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        if path.is_file()
        else (stat.S_IFMT(path.lstat().st_mode), "")
        for path in sorted(root.rglob("*"))
    }


def test_each_mission_and_rule_is_an_item_and_findings_name_the_remedy(run: Audit, specs: Path) -> None:
    result = run("-v")
    assert result.ret == 1
    result.assert_outcomes(failed=1, passed=2 * len(RULES) - 5, skipped=4)
    (name,) = [path.name for path in specs.iterdir() if path.name.startswith("broken")]
    result.stdout.fnmatch_lines(
        [
            f"kitty-specs/{name}::log-integrity FAILED*",
            f"kitty-specs/{name}::lane-chain SKIPPED (the log cannot be relied on:*",
            f"kitty-specs/{name}/status.events.jsonl:*: line * is not JSON: * [[]LOG-007[]]",
            "    remedy: restore the line from git",
            "*= kitty audit =*",
            f"2 missions, {2 * len(RULES)} items, 2 findings, 0 of them in the baseline",
            "  log-integrity             1 error in 1 mission",
            "  unresolvable-references   1 warning in 1 mission",
            f"  warning unresolvable-references kitty-specs/{name}/status.events.jsonl:*, which is not there; restore *",
        ]
    )


def test_several_workers_find_what_one_does(
    pytester: pytest.Pytester, run: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(
        noting="""
        import json, os

        class Noting:
            def pytest_runtest_logreport(self, report):
                told = [report.nodeid, report.when, report.outcome, report.location, str(report.longrepr)]
                findings = report.kitty_audit["findings"] if report.when == "call" else None
                with open(os.environ["NOTED"], "a") as file:
                    file.write(json.dumps([*told, report.user_properties, findings]) + "\\n")

        def pytest_configure(config):
            if not hasattr(config, "workerinput"):
                config.pluginmanager.register(Noting())

        def pytest_collection_modifyitems(items):
            items.reverse()
        """
    )
    pytester.syspathinsert()
    noted = {number: tmp_path / f"noted-{number}" for number in (1, 2)}
    monkeypatch.setenv("NOTED", str(noted[1]))
    run("-p", "noting").assert_outcomes(failed=1, passed=2 * len(RULES) - 5, skipped=4)
    monkeypatch.setenv("NOTED", str(noted[2]))
    result = run(
        "-p", "noting", "-p", "xdist", "-n", "2", "-v", f"--junitxml={tmp_path / 'junit.xml'}", apart=True
    )  # fmt: skip
    result.assert_outcomes(failed=1, passed=2 * len(RULES) - 5, skipped=4)
    one, two = ([json.loads(line) for line in file.read_text().splitlines()] for file in noted.values())
    assert sorted(one, key=lambda told: told[:2]) == sorted(two, key=lambda told: told[:2])
    # A percentage is one of all items.
    result.stdout.fnmatch_lines(["[[]gw?[]] [[]100%[]] *"])
    assert told(result).count("[100%]") == 1
    result.stdout.fnmatch_lines([f"2 missions, {2 * len(RULES)} items, 2 findings, 0 of them in the baseline"])
    suites = JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    assert (suites.tests, suites.failures, suites.errors, suites.skipped) == (2 * len(RULES), 1, 0, 4)
    cases = [case for suite in suites for case in suite]
    (failed,) = [case for case in cases if case.result and type(case.result[0]).__name__ == "Failure"]
    assert failed.name == "log-integrity"
    assert "remedy: restore the line from git" in failed.result[0].text
    properties = {one.name: one.value for case in cases for group in case.iterchildren(Properties) for one in group}
    assert list(properties) == ["kitty-warning"]
    assert "which is not there; restore what it names" in properties["kitty-warning"]


def test_a_mission_is_read_in_one_process_and_collecting_opens_no_file(
    pytester: pytest.Pytester, run: Audit, specs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for number in range(6):
        mission(pytester.path, {"WP01": "done"}, slug=f"more-{number}")
    pytester.makepyfile(
        watching="""
        import os, sys

        def watch(event, arguments):
            if event == "open" and "kitty-specs" in str(arguments[0]):
                with open(os.environ["OPENED"], "a") as file:
                    file.write(f"{os.getpid()} {arguments[0]}\\n")

        sys.addaudithook(watch)
        """
    )
    opened = tmp_path / "opened"
    opened.touch()
    monkeypatch.setenv("OPENED", str(opened))
    run("-p", "watching", "--collect-only", "-q", apart=True).stdout.fnmatch_lines(["*::log-integrity"])
    assert opened.read_text() == ""
    run("-p", "watching", "-p", "xdist", "-n", "2", apart=True)
    lines = [line.split(" ", 1) for line in opened.read_text().splitlines()]
    files = [path for _, path in lines]
    assert len(files) == len(set(files)), files
    assert len(files) >= 8 * 3
    # Both had something to do.
    assert len({process for process, _ in lines}) == 2


@pytest.mark.parametrize("workers", [(), ("-p", "xdist", "-n", "1")], ids=["none", "one"])
def test_a_run_that_is_to_stop_stops_within_a_mission(run: Audit, workers: tuple[str, ...]) -> None:
    # The first item of the first mission fails.
    result = run("-x", *workers, apart=bool(workers))
    result.assert_outcomes(failed=1)
    assert "stopping after 1 failures" in told(result)


def test_a_worker_that_dies_fails_the_mission_that_it_read_and_no_other(
    pytester: pytest.Pytester, run: Audit, specs: Path
) -> None:
    mission(pytester.path, {"WP01": "done"}, slug="deadly")
    pytester.makepyfile(
        dying="""
        import os, sys

        def watch(event, arguments):
            if event == "open" and "kitty-specs/deadly" in str(arguments[0]):
                os._exit(1)

        sys.addaudithook(watch)
        """
    )
    result = run("-p", "dying", "-p", "xdist", "-n", "2", apart=True)
    assert result.ret == 1
    result.assert_outcomes(failed=2, passed=2 * len(RULES) - 5, skipped=4)
    result.stdout.fnmatch_lines(["worker 'gw?' crashed while running 'kitty-specs/deadly*::log-integrity'"])


# --- choosing


def test_rules_and_severities_are_chosen_by_flag_and_ini(pytester: pytest.Pytester, run: Audit) -> None:
    run("--kitty-audit-rules", "lane-chain,unsafe-identifiers").assert_outcomes(passed=3, skipped=1)
    run("--kitty-audit-severity=log-integrity=warning").assert_outcomes(passed=2 * len(RULES) - 4, skipped=4)
    run("--kitty-audit-severity", "unresolvable-references=error,log-integrity=off").assert_outcomes(
        failed=1, passed=2 * (len(RULES) - 1) - 5, skipped=4
    )
    pytester.makeini(
        "[pytest]\nkitty_audit_rules = log-integrity mission-files\nkitty_audit_severity = log-integrity=info\n"
    )
    run().assert_outcomes(passed=4)
    # A flag wins.
    run("--kitty-audit-severity=log-integrity=error").assert_outcomes(passed=3, failed=1)
    run("--kitty-audit-rules=unsafe-identifiers").assert_outcomes(passed=2)
    # A rule of which no item ran found nothing because nobody asked it.
    run("--kitty-audit-rules=log-integrity,mission-files", "-k", "log").stdout.fnmatch_lines(
        ["  log-integrity*1 info*", "  mission-files*not asked"]
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--kitty-audit-rules", "lane-chian"],
            "*--kitty-audit-rules: no rule 'lane-chian'; the rules are log-integrity, *",
        ),
        (["--kitty-audit-severity", "lane-chain"], "*'lane-chain' has no severity; write lane-chain=LEVEL, *"),
        (["--kitty-audit-severity", "lane-chain=fatal"], "*LEVEL one of error, warning, info, off*"),
        (["--kitty-audit-severity", "x=off"], "*--kitty-audit-severity: no rule 'x'*"),
        (["--kitty-audit-baseline", "gone.json"], "*no such file; write one with --kitty-audit-write-baseline *"),
        (["--kitty-audit-html", "no/where.html"], "*--kitty-audit-html: *no is no directory; make it first*"),
        (["--kitty-audit-write-baseline", "/dev/null"], "*--kitty-audit-write-baseline: * is no regular file*"),
        (["--kitty-audit-baseline", "/dev/zero"], "*--kitty-audit-baseline: /dev/zero: no regular file; write one *"),
        (["--kitty-audit-write-baseline", "."], "*--kitty-audit-write-baseline: * is a directory; name a file in it*"),
    ],
    ids=["rule", "no level", "level", "rule of level", "baseline", "page", "device", "endless", "directory"],
)
def test_a_wrong_flag_is_a_usage_error_with_a_remedy(run: Audit, arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.ret == USAGE_ERROR
    result.stderr.fnmatch_lines([said])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("kitty_audit_rules = [3]", "*kitty_audit_rules*3*"),
        ('kitty_audit_baseline = ["x"]', "*kitty_audit_baseline*['x']*"),
        ('kitty_implementation = ["x"]', "*kitty_implementation*['x']*"),
    ],
)
def test_an_ini_value_of_the_wrong_type_is_a_usage_error(
    pytester: pytest.Pytester, run: Audit, line: str, said: str
) -> None:
    pytester.makepyprojecttoml(f"[tool.pytest.ini_options]\n{line}")
    result = run("-W", "ignore::DeprecationWarning")
    assert result.ret == USAGE_ERROR
    result.stderr.fnmatch_lines([said])


def test_a_wrong_path_is_a_usage_error_with_a_remedy(pytester: pytest.Pytester, run: Audit, specs: Path) -> None:
    (pytester.path / "empty").mkdir()
    for path in ("gone", "empty"):
        result = run(path=path)
        assert result.ret == USAGE_ERROR
        result.stderr.fnmatch_lines([f"*{path}: no *; name a kitty-specs folder, a repository that has one, or *"])
    result = run(path=next(specs.glob("broken*/meta.json")))
    result.stderr.fnmatch_lines(["*meta.json: no directory; name a kitty-specs folder, *"])
    (broken,) = specs.glob("broken*")
    result = run(path=f"{broken}::log-integrity")
    assert result.ret == USAGE_ERROR
    result.stderr.fnmatch_lines([f"*: no such directory; ask {broken} --kitty-audit-rules log-integrity"])
    result = pytester.runpytest_inprocess("-p", "kitty", "--kitty-audit-baseline", "known.json")
    assert result.ret == USAGE_ERROR
    result.stderr.fnmatch_lines(["*--kitty-audit-baseline: there is no audit to be about; add --kitty-audit PATH"])
    result = pytester.runpytest_inprocess("-p", "kitty", "empty", "--kitty-audit", str(specs))
    assert result.ret == USAGE_ERROR
    result.stderr.fnmatch_lines(["*--kitty-audit runs alone, not with empty; name what to audit behind --kitty-audit*"])


def test_a_repository_a_folder_and_a_mission_can_be_named(pytester: pytest.Pytester, run: Audit, specs: Path) -> None:
    sound = next(specs.glob("sound*"))
    run(path=sound).assert_outcomes(passed=len(RULES))
    run(path=pytester.path).assert_outcomes(failed=1, passed=2 * len(RULES) - 5, skipped=4)
    # Each mission once.
    run(sound, specs).assert_outcomes(failed=1, passed=2 * len(RULES) - 5, skipped=4)


# --- baselines


def test_a_baseline_lets_an_old_repository_start_green(run: Audit, specs: Path) -> None:
    result = run("--kitty-audit-write-baseline", "known.json")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["baseline: 1 errors written to *known.json"])
    entries = json.loads(Path("known.json").read_text())["findings"]
    broken = next(specs.glob("broken*"))
    assert [(one["mission"], one["rule"]) for one in entries] == [(f"kitty-specs/{broken.name}", "log-integrity")]

    result = run("--kitty-audit-baseline", "known.json")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*2 findings, 1 of them in the baseline"])
    assert "stale entries" not in told(result)

    # One more of the same kind is new, although the other is known.
    log = broken / "status.events.jsonl"
    log.write_bytes(log.read_bytes() + b">>>>>>> other\n")
    result = run("--kitty-audit-baseline", "known.json")
    result.assert_outcomes(failed=1, passed=2 * len(RULES) - 5, skipped=4)
    assert told(result).count("remedy: ") == 1


def test_a_stale_entry_is_told_and_does_not_fail(pytester: pytest.Pytester, run: Audit, specs: Path) -> None:
    run("--kitty-audit-write-baseline", "known.json")
    pytester.makeini("[pytest]\nkitty_audit_baseline = known.json\n")
    broken = next(specs.glob("broken*"))
    log = broken / "status.events.jsonl"
    log.write_bytes(log.read_bytes().replace(b"<<<<<<< HEAD\n", b""))
    result = run()
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["baseline: 1 stale entries; remove them from *known.json:", f"  kitty-specs/{broken.name} log-integrity: *"]
    )
    # What was not asked is not called stale.
    assert "stale entries" not in told(run("--kitty-audit-rules", "lane-chain"))
    assert "stale entries" not in told(run(path=next(specs.glob("sound*"))))
    shutil.rmtree(broken)
    run("--kitty-audit-rules", "lane-chain").stdout.fnmatch_lines(["baseline: 1 stale entries; *"])


# --- the page


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "action", "data", "srcset")]


def test_the_page_asks_nobody_and_takes_no_text_for_markup(run: Audit, specs: Path) -> None:
    hostile = specs / "<img src=x onerror=alert(1)>"
    (hostile / "tasks").mkdir(parents=True)
    (hostile / "status.events.jsonl").write_text('{"kind": "<script>alert(2)</script>"}\n')
    run("--kitty-audit-html", "page.html")
    text = Path("page.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert not {"script", "img", "iframe", "object", "link", "form"} & set(page.tags)
    assert page.links == ["#main"]
    assert "url(" not in text and "@import" not in text  # noqa: PT018
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    assert "&lt;script&gt;alert(2)&lt;/script&gt;" in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    for needed in ("prefers-color-scheme: dark", 'name="viewport"', "log-integrity", "Remedy: ", "Not decided"):
        assert needed in text


# --- a repository as it comes


def test_what_the_repository_says_of_its_own_tests_does_not_matter(
    pytester: pytest.Pytester, run: Audit, specs: Path
) -> None:
    pytester.makeconftest("raise SystemExit('the conftest of the repository was run')")
    pytester.makepyfile(test_own="def test_own(): raise SystemExit('a test of the repository was run')")
    pytester.makeini(
        "[pytest]\naddopts = --no-such-option --cov=src\ntestpaths = .\nkitty_audit_rules = mission-files\n"
    )
    run().assert_outcomes(passed=2)
    shutil.rmtree(specs / next(specs.glob("broken*")).name)
    run("-p", "xdist", "-n", "1", apart=True).assert_outcomes(passed=1)


def test_nothing_is_written_in_the_repository(
    pytester: pytest.Pytester, specs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", raising=False)  # other plugins may write, too
    root = pytester.mkdir("repository")
    shutil.move(specs, root)
    before = tree(root)
    folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        monkeypatch.chdir(root)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "kitty", "--kitty-audit", "."],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert f"1 failed, {2 * len(RULES) - 5} passed, 4 skipped" in done.stdout
    assert tree(root) == before


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_a_link_to_itself_is_a_finding_and_not_the_end(run: Audit, specs: Path) -> None:
    (specs / "circle").symlink_to("circle")
    result = run("--kitty-audit-rules", "mission-files")
    assert result.parseoutcomes()["passed"] == 2
    result.stdout.fnmatch_lines(["kitty-specs/circle/.: *is a link; it was not followed*"])


def test_a_name_cannot_reach_the_terminal(pytester: pytest.Pytester, run: Audit, specs: Path) -> None:
    for name in (
        "evil\x1b[2J\x1b]0;owned\x07",
        "bidi\u202egnp.exe",
        "two\nlines",
        "a::b[c]",
        os.fsdecode(b"not\xffutf8"),
    ):
        (specs / name).mkdir()
    result = run("-v")
    assert result.ret == 1
    said = told(result)
    assert "evil\\x1b[2J\\x1b]0;owned\\x07::unsafe-identifiers FAILED" in said
    assert "bidi\\u202egnp.exe::unsafe-identifiers FAILED" in said
    assert "two\\nlines::unsafe-identifiers FAILED" in said
    assert "a::b[c]::unsafe-identifiers FAILED" in said
    assert "\x1b[2J" not in said
    assert "\u202e" not in said
    assert "Traceback" not in said
    assert "INTERNALERROR" not in said
    # A worker's report is sent as UTF-8.
    told_of = pytester.inline_run("-p", "kitty", "--kitty-audit", str(specs)).getreports("pytest_runtest_logreport")
    assert all(report.location[0].encode() for report in told_of)
