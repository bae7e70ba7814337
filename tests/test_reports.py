"""What a run writes: JSON lines, JUnit, Markdown, page and badge; and what is said of it afterwards."""

from __future__ import annotations

import copy
import json
import re
from argparse import Namespace
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator
from junitparser import Error, Failure, JUnitXml, Skipped

from kit import kitty_conform
from kitty_conformance import catalogue, schemas
from kitty_conformance.reporting.badge import badge
from kitty_conformance.reporting.comparing import compare
from kitty_conformance.reporting.document import Document, ReportError, line, read_report
from kitty_conformance.reporting.explaining import explain
from kitty_conformance.reporting.junit import junit
from kitty_conformance.reporting.markdown import markdown
from kitty_conformance.reporting.options import write
from kitty_conformance.reporting.page import page
from kitty_conformance.reporting.shape import fits
from kitty_conformance.reporting.view import View
from kitty_reliability.formats.diagnostics import TABLE
from kitty_reliability.formats.visible import visible
from pytest_kitty.scenarios import Finding

VALIDATOR = Draft202012Validator(schemas.schema("report"))
EVIL = (
    "<script>alert(1)</script> \"x' \x1b[2J\u202e`gnp` |a| ![i](//evil.example/x.png) ]]> &amp; \x00 \ud800 {{ 7 * 7 }}"
)
FORMS: dict[str, Callable[[Document], str]] = {
    "html": page,
    "markdown": markdown,
    "junit": junit,
    "badge": badge,
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with every report of one run that violates a clause."""
    directory = tmp_path_factory.mktemp("reports")
    where = [f"--report-{name}=run.{name}" for name in ("json", *FORMS)]
    clauses = ["--clause", "LOG-005", "--clause", "LOG-012"]
    done = kitty_conform("run", "mutant:timestamps-as-text", "--seed", "5", *clauses, *where, cwd=directory)
    assert done.returncode == 1, done.stdout + done.stderr
    return directory


@pytest.fixture
def document(written: Path) -> Document:
    return copy.deepcopy(read_report(written / "run.json"))


@pytest.fixture
def every(document: Document) -> Document:
    """The run as if every verdict had been given, and everything been said by somebody hostile."""
    failed = [one for one in document.results if one["verdict"] == "fail"]
    passed = [one for one in document.results if one["verdict"] == "pass"]
    change(failed[0], detail=EVIL, story=[EVIL, EVIL])
    excuse = {"reason": EVIL, "link": "https://example.org/9", "expires": "2027-01-01", "days_left": 40}
    change(failed[1], verdict="known deviation", deviation=excuse)
    change(passed[0], verdict="inconclusive", detail=EVIL)
    change(passed[1], verdict="not applicable", detail=EVIL)
    change(passed[2], verdict="error", detail=EVIL)
    said = document.header["implementation"]
    claimed = [one for one in said["capabilities"] if one not in ("guard", "preflight")]
    change(said, name=EVIL, version=EVIL, spec=EVIL, capabilities=claimed)
    assert document.footer is not None
    change(document.footer, not_decided=["test_lost"], collected=document.footer["collected"] + 1, not_run=["STA-001"])
    return document


def change(value: Any, **keys: Any) -> None:
    value.update(keys)


def valid(document: Document) -> None:
    for value in (document.header, *document.results, document.footer):
        VALIDATOR.validate(value)


# --- JSON lines


def test_the_schema_of_a_line_is_a_schema_and_is_printed(tmp_path: Path) -> None:
    Draft202012Validator.check_schema(schemas.schema("report"))
    assert kitty_conform("schema", "report", cwd=tmp_path).stdout == schemas.text("report")


def test_a_run_leaves_its_reports_and_nothing_else(written: Path) -> None:
    assert sorted(path.name for path in written.iterdir()) == sorted(f"run.{name}" for name in ("json", *FORMS))


def test_a_report_is_header_results_and_footer(written: Path) -> None:
    lines = [json.loads(text) for text in (written / "run.json").read_bytes().splitlines()]
    for value in lines:
        VALIDATOR.validate(value)
    assert [value["type"] for value in lines] == ["header", *["result"] * (len(lines) - 2), "footer"]
    header, *results, footer = lines
    assert (header["implementation"]["name"], header["profile"], header["seed"]) == (
        "timestamps-as-text",
        "contract-320",
        5,
    )
    assert header["selected"] == ["LOG-005", "LOG-012"]
    assert header["contract"]["clauses"] == len(catalogue.clauses())
    assert footer["clauses"] == {"LOG-005": "violated", "LOG-012": "holds"}
    assert footer["collected"] == footer["results"] == len(results) == len({one["scenario"] for one in results})
    assert (footer["exit_status"], footer["conforms"], footer["not_decided"], footer["not_run"]) == (1, False, [], [])
    (failure,) = [one for one in results if one["scenario"] == "test_annotations_are_ordered_by_instant"]
    assert (failure["verdict"], failure["finding"]) == ("fail", "order-matters")
    assert failure["story"][0].startswith("built: mission ")


@pytest.mark.parametrize("broken", [{"type": "result"}, {"type": "header", "format": 2}, {"verdict": "pass"}, [], 7])
def test_the_schema_refuses_what_is_no_line(broken: object) -> None:
    assert not VALIDATOR.is_valid(broken)


def test_the_schema_demands_a_finding_of_a_failure_and_of_nothing_else(document: Document) -> None:
    failed = next(one for one in document.results if one["verdict"] == "fail")
    passed = next(one for one in document.results if one["verdict"] == "pass")
    assert not VALIDATOR.is_valid({**failed, "finding": None})
    assert not VALIDATOR.is_valid({**passed, "finding": "hang"})


def test_a_line_is_ascii_whatever_was_said(every: Document) -> None:
    valid(every)
    text = line(every.results[0])
    assert text.isascii()
    assert text.endswith("}\n")
    assert text.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it is empty"),
        ("prose\n", "line 1"),
        ('{"type": "result", "scenario": "x"}\n', "line 1"),
        ('{"type": "header", "format": 2}\n', "format 1"),
        ('{"type": "header", "format": 1}\n', "line 1"),
    ],
)
def test_what_is_no_report_is_refused_by_its_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "it").write_text(text, encoding="utf-8")
    with pytest.raises(ReportError, match=says):
        read_report(tmp_path / "it")


def test_a_line_of_a_wrong_shape_is_believed_nowhere(written: Path, tmp_path: Path) -> None:
    lines = (written / "run.json").read_text(encoding="ascii").splitlines()
    for number in (0, 1, len(lines) - 1):
        value = json.loads(lines[number])
        assert fits(value["type"], value)
        wrong = [{**value, key: {"no": [3]}} for key in value]
        optional = ("deviation_problems", "reproductions")
        missing = [{name: value[name] for name in value if name != key} for key in value if key not in optional]
        for broken in (*wrong, *missing):
            said = [*lines[:number], json.dumps(broken), *lines[number + 1 :], "{}"]
            (tmp_path / "it").write_text("\n".join(said), encoding="ascii")
            with pytest.raises(ReportError, match=f": line {number + 1} is no line of a report"):
                read_report(tmp_path / "it")
    (tmp_path / "it").write_text("\n".join([*lines, lines[1], "{}"]), encoding="ascii")
    with pytest.raises(ReportError, match=f": line {len(lines) + 1} is no line of a report"):
        read_report(tmp_path / "it")


def test_a_line_that_was_cut_off_is_no_footer(written: Path, tmp_path: Path) -> None:
    data = (written / "run.json").read_bytes()
    (tmp_path / "part").write_bytes(data[:-40])
    part = read_report(tmp_path / "part")
    assert part.footer is None
    assert len(part.results) == len(read_report(written / "run.json").results)


@pytest.mark.parametrize("form", ["html", "markdown", "junit", "badge"])
def test_a_part_of_a_run_does_not_pass_for_the_whole(document: Document, form: str) -> None:
    document.footer = None
    document.results = [one for one in document.results if one["verdict"] == "pass"]
    text = FORMS[form](document)
    assert "no result" in text.lower() or "did not come to its end" in text
    assert "conforms." not in text.lower()


# --- JUnit


def test_junit_reads_back(written: Path) -> None:
    read = JUnitXml.fromfile(str(written / "run.junit"))
    results = read_report(written / "run.json").results
    cases = {case.name: case for suite in read for case in suite}
    assert {suite.name for suite in read} == {"LOG-005", "LOG-012"}
    assert cases.keys() == {one["scenario"] for one in results}
    assert (read.tests, read.failures, read.errors, read.skipped) == (len(results), 4, 0, 0)
    (failure,) = cases["test_annotations_are_ordered_by_instant"].result
    assert isinstance(failure, Failure)
    assert failure.type == "order-matters"
    assert failure.message.startswith("expected the notes")
    assert "asked: " in failure.text


def test_junit_has_an_error_for_what_was_not_decided(every: Document) -> None:
    read = JUnitXml.fromstring(junit(every).encode())
    found = {case.name: case.result for suite in read for case in suite}
    by_verdict = {one["verdict"]: one["scenario"] for one in every.results}
    assert isinstance(found["test_lost"][0], Error)
    assert isinstance(found[by_verdict["inconclusive"]][0], Error)
    assert isinstance(found[by_verdict["error"]][0], Error)
    assert isinstance(found[by_verdict["not applicable"]][0], Skipped)
    assert "40 days left" in found[by_verdict["known deviation"]][0].message
    assert not found[by_verdict["pass"]]
    assert (read.errors, read.skipped, read.failures) == (3, 2, 3)


# --- hostile text


@pytest.mark.parametrize("form", FORMS)
def test_nothing_that_was_said_acts(every: Document, form: str) -> None:
    text = FORMS[form](every)
    assert not [char for char in text if char != "\n" and not char.isprintable()]
    if form in ("junit", "badge"):
        ET.fromstring(text)
        assert "<script" not in text
    if form != "badge":
        assert "{{ 7 * 7 }}" in text


def test_in_markdown_everything_that_was_said_stands_in_code(every: Document) -> None:
    text = markdown(every)
    fence = re.compile(r"^(`{3,})text\n.*?^\1$", re.DOTALL | re.MULTILINE)
    assert fence.search(text)
    rest = fence.sub("", text)
    rest = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", rest)
    assert "script" not in rest
    assert "evil" not in rest
    # A bar would end the cell of a table.
    for row in [row for row in text.splitlines() if row.startswith("|")]:
        assert len(re.findall(r"(?<!\\)\|", row)) in (3, 5), row


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read_page(document: Document) -> _Page:
    read = _Page()
    read.feed(page(document))
    assert read.open == []
    return read


def test_the_page_asks_for_nothing_and_runs_nothing(every: Document) -> None:
    read = read_page(every)
    assert not {tag for tag, _ in read.tags} & {"script", "img", "link", "iframe", "object", "form", "base"}
    for tag, attributes in read.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "srcset", "style")]
        assert tag != "a" or str(attributes["href"]).startswith("#")
    assert "url(" not in page(every)
    policies = [attributes["content"] for tag, attributes in read.tags if "http-equiv" in attributes]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_the_page_has_every_part_in_order(every: Document) -> None:
    read = read_page(every)
    ids = [str(attributes.get("id")) for tag, attributes in read.tags if tag == "section"]
    assert ids == ["claims", "clauses", "violations", "known", "undecided", "untested", "environment"]
    assert {str(attributes["href"])[1:] for tag, attributes in read.tags if tag == "a"} == {"main", *ids}
    for said in (
        "40 days left",
        "test_lost",
        "not run to its end",
        "no scenario of it was run",
        catalogue.findings()["order-matters"],
        "guard, preflight",
        "kitty-conform run",
        visible(EVIL),
    ):
        assert said in read.text, said


def test_the_page_can_be_used_with_keyboard_alone(every: Document) -> None:
    tags = read_page(every).tags
    assert ("html", {"lang": "en"}) in tags
    assert next(attributes for tag, attributes in tags if tag == "a") == {"class": "skip", "href": "#main"}
    assert all(
        attributes.get("tabindex") == "0" and attributes.get("aria-label") for tag, attributes in tags if tag == "pre"
    )
    assert any(tag == "main" and attributes.get("id") == "main" for tag, attributes in tags)


def test_the_badge_counts(written: Path) -> None:
    read = ET.parse(written / "run.badge").getroot()
    assert read.get("aria-label") == "timestamps-as-text 0.1.0, contract-320: 1 of 2 hold, 1 violated"
    assert "%" not in (written / "run.badge").read_text(encoding="utf-8")


def test_what_is_hostile_does_not_act_on_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "hostile_adapter.py").write_text(
        "from kitty_reliability.implementations.protocol import HelloAnswer, Outcome\n\n\n"
        "class Adapter:\n"
        "    def answer(self, request):\n"
        "        if request.operation == 'hello':\n"
        "            name = 'x\\x1b[2J\\u202e\\nLOG-001   holds\\n' + 9999 * 'y'\n"
        "            return Outcome.success(HelloAnswer(name=name, version='1\\x07', protocol=1, profile='contract-320'))\n"
        "        return Outcome.refused({'message': '\\x1b]0;pwned\\x07 \\u202e \\ud800'})\n",
        encoding="utf-8",
    )
    done = kitty_conform(
        "run", "python:hostile_adapter:Adapter", "--clause", "LOG-001", "--details",
        "--report-json=r.json", "--report-html=r.html", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    said = done.stdout + done.stderr
    assert "\\x1b]0;pwned\\x07" in said
    assert [line for line in said.splitlines() if line.startswith("LOG-001   holds") or len(line) > 999] == []
    assert "\n" not in View(read_report(tmp_path / "r.json")).subject
    assert not {"\x1b", "\x07", "\u202e"} & set(said)
    valid(read_report(tmp_path / "r.json"))


# --- the options


def test_a_report_is_about_one_implementation(tmp_path: Path) -> None:
    done = kitty_conform("run", "reference", "null:echo", "--report-json=r.json", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert "a report is about one implementation" in done.stderr


@pytest.mark.parametrize("form", ["json", *FORMS])
def test_a_report_that_cannot_be_written_is_an_error(tmp_path: Path, form: str) -> None:
    done = kitty_conform("run", "null:echo", "--clause=LOG-012", f"--report-{form}=no/such/r", cwd=tmp_path)
    assert done.returncode == 3
    assert "no/such/r" in done.stderr
    assert "Traceback" not in done.stderr


# --- compare


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="there is no disk that is always full")
def test_a_form_that_cannot_be_written_is_named_and_the_others_are_written(document: Document, tmp_path: Path) -> None:
    forms = {f"report_{name}": tmp_path / name for name in FORMS} | {"report_junit": Path("/dev/full")}
    said = write(Namespace(**forms), document)
    assert said == ["--report-junit: /dev/full: No space left on device; name a file that can be written"]
    assert {path.name for path in tmp_path.iterdir()} == FORMS.keys() - {"junit"}


def test_a_report_is_like_itself(written: Path) -> None:
    done = kitty_conform("compare", "run.json", "run.json", cwd=written)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "no clause and no scenario came to anything else"


def test_what_got_worse_is_named_and_ends_with_1(document: Document) -> None:
    old = copy.deepcopy(document)
    assert old.footer is not None
    change(old.footer["clauses"], **{"LOG-005": "holds"})
    for one in old.results:
        change(one, verdict="pass", finding=None)
    lines, worse = compare(old, document)
    assert worse
    assert "  worse  LOG-005: holds -> violated" in lines
    assert "  worse  test_annotations_are_ordered_by_instant: pass -> fail (order-matters)" in lines
    lines, worse = compare(document, old)
    assert not worse
    assert "         LOG-005: violated -> holds" in lines


def test_another_finding_a_lost_and_a_new_scenario_are_differences(document: Document) -> None:
    new = copy.deepcopy(document)
    failed = next(one for one in new.results if one["verdict"] == "fail")
    change(failed, finding="hang")
    gone = next(one for one in new.results if one["verdict"] == "pass")
    new.results.remove(gone)
    new.results.append({**gone, "scenario": "test_new"})
    lines, worse = compare(document, new)
    assert worse
    assert f"  worse  {gone['scenario']}: pass -> not run" in lines
    assert "         test_new: not run -> pass" in lines
    assert any(text.endswith("-> fail (hang)") for text in lines)


def test_what_was_judged_differently_is_noted(document: Document) -> None:
    new = copy.deepcopy(document)
    change(new.header, profile="spec-kitty-3.2", faults={**new.header["faults"], "strace": "it is not installed"})
    lines, worse = compare(document, new)
    assert not worse
    assert "note: judged by different profiles, contract-320 and spec-kitty-3.2" in lines
    assert any(text.startswith("note: faults of the level strace") for text in lines)


def test_a_part_of_a_run_is_compared_with_nothing(written: Path, tmp_path: Path) -> None:
    lines = (written / "run.json").read_text(encoding="ascii").splitlines(keepends=True)
    (tmp_path / "part.json").write_text("".join(lines[:-1]), encoding="ascii")
    done = kitty_conform("compare", str(written / "run.json"), "part.json", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert "NEW has no footer" in done.stderr


# --- explain


@pytest.mark.parametrize("name", ["STA-001", "test_a_success_is_one_row", "test_a_no_op_reports_no_event[doing]"])
def test_a_clause_and_a_scenario_are_explained(tmp_path: Path, name: str) -> None:
    done = kitty_conform("explain", name, cwd=tmp_path)
    assert done.returncode == 0
    assert " ".join(catalogue.clauses()["STA-001"]["promise"].split()) in " ".join(done.stdout.split())


def test_everything_that_has_a_name_is_explained() -> None:
    for name in [*catalogue.clauses(), *catalogue.scenarios(), *catalogue.findings(), *TABLE]:
        text = explain(name)
        assert text is not None, name
        assert text.startswith(name)
        assert len(text.splitlines()) > 1


def test_what_has_no_name_ends_with_3_and_what_is_near(tmp_path: Path) -> None:
    done = kitty_conform("explain", "glued-lines", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert "did you mean glued-line" in done.stderr


def test_every_finding_has_a_meaning() -> None:
    assert catalogue.findings().keys() == {*map(str, Finding), "unnamed"}, (
        "see conformance/kitty_conformance/findings.toml"
    )


def test_the_name_of_a_scenario_is_its_own() -> None:
    suite = Path(catalogue.__file__).parent
    names = [
        name
        for module in suite.glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", module.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert sorted(names) == sorted(catalogue.scenarios())
    assert all(scenario.clauses for scenario in catalogue.scenarios().values())
