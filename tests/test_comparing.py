"""What an assertion on rows or snapshots says when it fails."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kitty_conformance.vectors.row_cases import annotation, lane
from kitty_reliability.build.mission import Mission, mission
from kitty_reliability.formats.events import encode_row, read_rows
from kitty_reliability.formats.snapshot import read_snapshot
from kitty_reliability.reference.workflow import Workflow
from pytest_kitty.comparing import compare

WIDE = 200


@pytest.fixture
def built(tmp_path: Path) -> Mission:
    return mission(tmp_path, {"WP01": "in_progress"})


def explained(left: Any, right: Any, width: int = WIDE) -> list[str]:
    lines = compare(left, right, width)
    assert lines is not None
    assert all("\n" not in line and line.isascii() for line in lines)
    # The table fits; a detail of a row may be as long as what it says.
    assert [line for line in lines[1:] if len(line) > width and not line.startswith("    ")] == []
    return lines


def test_rows_stand_side_by_side_and_what_differs_is_marked() -> None:
    left = [lane(1), lane(2, from_lane="planned", to_lane="claimed"), lane(3, wp_id="WP02")]
    right = [lane(1), lane(2, from_lane="planned", to_lane="blocked", reason="r"), lane(3, wp_id="WP02")]
    assert explained(left, right) == [
        "rows differ: 3 on the left, 3 on the right, 2 equal and not shown",
        "  line id       wp   lanes              actor at        |  line id       wp   lanes              actor at",
        "! 2    ..000002 WP01 planned -> claimed ann   09:02:00  |  2    ..000002 WP01 planned -> blocked ann   09:02:00",
        "                     ^^^^^^^^^^^^^^^^^^                                       ^^^^^^^^^^^^^^^^^^",
        '    reason: null | "r"',
    ]  # fmt: skip


def test_rows_that_only_one_side_has_stand_alone() -> None:
    lines = explained([lane(1), lane(2)], [lane(2), annotation(3)])
    assert [line[:1] for line in lines[2:]] == ["-", "+"]
    assert "..000001" in lines[2].partition("|")[0]
    assert "annotation" in lines[3].partition("|")[2]
    assert lines[0] == "rows differ: 2 on the left, 2 on the right, 1 equal and not shown"


def test_a_narrow_terminal_has_one_row_below_the_other() -> None:
    left, right = [lane(1)], [lane(1, actor="somebody", wp_id="WP02")]
    for width, columns in (
        (60, "line id wp lanes actor at"),
        (55, "line id wp lanes actor"),
        (45, "line id wp lanes"),
        (38, "id wp lanes"),
    ):
        lines = explained(left, right, width)
        assert lines[1].split() == columns.split()
        assert [line[:4] for line in lines[2:4]] == ["! < ", "! > "]
        assert lines[4].index("^") == lines[3].index("WP02")
    assert lines[5] == "    actor: ann | somebody"


def test_rows_as_a_reader_gives_them_have_their_own_lines(built: Mission) -> None:
    data = built.log.path.read_bytes()
    left, right = read_rows(b"\n\n" + data), read_rows(data)
    assert left == right
    lines = explained(left, right[:-1])
    assert lines[2].split()[:2] == ["-", str(2 + len(right))]
    assert explained(left[0], right[1])[0] == "rows differ: 1 on the left, 1 on the right, 0 equal and not shown"


def test_a_single_row_is_a_table_too() -> None:
    assert explained(lane(1), lane(1, force=True))[-1] == "    force: false | true"


@pytest.mark.parametrize(
    ("left", "right", "line"),
    [
        ({"actor": {"role": "r", "profile": None, "tool": "t", "model": None}}, {"actor": "t"}, '    actor: {"model": null, "profile": null, "role": "r", "tool": "t"} | "t"'),
        ({"event_id": "A" * 26}, {"event_id": "B" + "A" * 25}, f'    event_id: "{"A" * 26}" | "B{"A" * 25}"'),
        ({"from_lane": None}, {"from_lane": ""}, '    from_lane: null | ""'),
        ({"reason": "x\x1b[2J\n"}, {"reason": ...}, '    reason: "x\\u001b[2J\\n" | (not there)'),
        ({"mood": {1: 2, "a": 3}}, {}, "    mood: {1: 2, 'a': 3} | (not there)"),
    ],
)  # fmt: skip
def test_what_no_column_shows_is_listed(left: dict[str, Any], right: dict[str, Any], line: str) -> None:
    assert line in explained([lane(1, **left)], [lane(1, **right)])


def test_control_characters_do_not_reach_the_terminal() -> None:
    lines = explained([lane(1, actor="\x1b[2J\u202e", wp_id="a\nb")], [lane(1, actor="\ud800")])
    assert any("\\x1b[2J\\u202e" in line and "a\\nb" in line and "\\ud800" in line for line in lines)


def test_snapshots_are_compared_by_work_package(built: Mission) -> None:
    Workflow().materialize(str(built.root), built.slug)
    left = read_snapshot(built.paths.snapshot)
    right = copy.deepcopy(left)
    right["event_count"] = 7
    right["summary"]["done"] = 1
    right["work_packages"]["WP01"] |= {"lane": "done", "notes": ["seen"]}
    right["work_packages"]["WP02"] = right["work_packages"]["WP01"]
    lines = explained(left, right)
    assert lines[:4] == [
        "snapshots differ",
        f"    event_count: {left['event_count']} | 7",
        "    summary.done: 0 | 1",
        "work packages: 1 on the left, 2 on the right, 0 equal and not shown",
    ]
    assert [line[:1] for line in lines[5:]] == ["!", " ", " ", "+"]
    assert lines[7] == '    notes: (not there) | ["seen"]'
    assert explained(left, {**left, "mission_slug": "x"}) == [
        "snapshots differ",
        f'    mission_slug: "{left["mission_slug"]}" | "x"',
    ]


@pytest.mark.parametrize(
    ("left", "right"),
    [([], []), ([1], [2]), ({"event_id": 1}, {"event_id": 2}), ([{"a": 1}], [lane(1)]), ("rows", [lane(1)]), ({"summary": {}}, {})],
)  # fmt: skip
def test_anything_else_is_left_to_pytest(left: Any, right: Any) -> None:
    assert compare(left, right, WIDE) is None


def test_an_expectation_of_no_rows_is_explained() -> None:
    assert explained([lane(1)], [])[0] == "rows differ: 1 on the left, 0 on the right, 0 equal and not shown"


def test_many_rows_are_compared_and_only_what_differs_is_shown() -> None:
    rows = [lane(1, event_id=f"{number:026d}") for number in range(3000)]
    assert len(explained(rows, [*rows[:1500], *rows[1501:]])) == 3


FAILING = """
from kitty_reliability.build.mission import mission
from kitty_reliability.formats.events import read_rows

def test_rows(tmp_path):
    log = mission(tmp_path, {"WP01": "claimed"}).log
    assert log.rows == log.rows[:-1]

def test_read_rows(tmp_path):
    log = mission(tmp_path, {"WP01": "claimed"}).log
    rows = read_rows(log.path.read_bytes())
    assert rows != rows[1:]
    assert rows == rows[1:]

def test_other_things():
    assert [{"a": 1}] == [{"a": 2}]
"""


@pytest.mark.parametrize(("columns", "row"), [("200", "E * - 2 *claimed*|"), ("60", "E * - < 2 *claimed*")])
def test_pytest_shows_it(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, columns: str, row: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.delenv("CI", raising=False)
    pytester.makepyfile(FAILING)
    result = pytester.runpytest_inprocess("-p", "kitty", "-p", "no:randomly", "-p", "no:xdist", "--color=no")
    result.assert_outcomes(failed=3)
    first = "E *assert rows differ: 2 on the left, 1 on the right, 1 equal and not shown"
    result.stdout.fnmatch_lines(
        [first, "E * line id*", row.replace("- 2", "- ?"), first, "E *line id*", "E *assert ?{'a': 1}? == ?{'a': 2}?"]
    )


def test_nothing_is_loaded_for_what_is_not_of_the_library(
    monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    from pytest_kitty.plugin import pytest_assertrepr_compare

    hook: Callable[..., list[str] | None] = pytest_assertrepr_compare
    assert hook(pytestconfig, "==", [lane(1)], [lane(2)]) is not None
    assert hook(pytestconfig, "!=", [lane(1)], [lane(2)]) is None
    monkeypatch.delitem(sys.modules, "kitty_reliability")
    monkeypatch.delitem(sys.modules, "pytest_kitty.comparing")
    assert hook(pytestconfig, "==", [lane(1)], [lane(2)]) is None
    assert "pytest_kitty.comparing" not in sys.modules


def test_the_rows_of_the_examples_are_rows() -> None:
    assert [row.kind for row in read_rows(encode_row(lane(1)) + encode_row(annotation(2)))] == ["lane", "annotation"]
