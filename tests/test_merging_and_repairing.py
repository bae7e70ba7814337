"""The reference's merge driver and its repair, where the suite does not look: order, bytes, errors, real git."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from kitty_reliability.build.event_log import EventLog
from kitty_reliability.build.mission import Mission, mission
from kitty_reliability.faults.log import conflicting_duplicate, damage, diverged
from kitty_reliability.formats.diagnostics import DiagnosticError
from kitty_reliability.formats.events import read_rows
from kitty_reliability.formats.profiles import CONTRACT_320
from kitty_reliability.reference.merging import Merger
from kitty_reliability.reference.repairing import rows_in
from kitty_reliability.reference.workflow import Workflow
from pytest_kitty.facade import Kitty


@pytest.fixture
def built(tmp_path: Path) -> Mission:
    return mission(tmp_path / "repo", {"WP01": "planned", "WP02": "in_review"})


def first(log: EventLog) -> object:
    return log.lane("WP01", "claimed").note("WP01", "one")


def second(log: EventLog) -> object:
    return log.lane("WP02", "approved").decision("D1")


def merge(folder: Path, base: bytes, ours: bytes, theirs: bytes) -> bytes:
    folder.mkdir()
    paths = [folder / name for name in ("base", "ours", "theirs")]
    for path, data in zip(paths, (base, ours, theirs), strict=True):
        path.write_bytes(data)
    Merger().merge(*paths)
    return paths[1].read_bytes()


# --- merging


def test_both_directions_give_the_same_bytes(built: Mission, tmp_path: Path) -> None:
    sides = diverged(built.log, first, second, duplicate=True)
    one = merge(tmp_path / "one", sides.base, sides.ours, sides.theirs)
    other = merge(tmp_path / "other", sides.base, sides.theirs, sides.ours)
    assert one == other
    rows = [row.data for row in read_rows(one)]
    assert len(rows) == len(read_rows(sides.ours)) + 2
    assert one.startswith(sides.base)


def test_a_row_keeps_every_byte_it_had(built: Mission, tmp_path: Path) -> None:
    odd = b'{"to_lane": "claimed",   ' + built.log.data.splitlines()[-1].replace(b"{", b"", 1)
    odd = odd.replace(b', "to_lane": "in_review"', b"").replace(
        built.log.last["event_id"].encode(), b"01JNDKQJ00000000000000000Z"
    )
    assert odd + b"\n" in merge(tmp_path / "m", built.log.data, built.log.data, built.log.data + odd + b"\n")


def test_a_deleted_row_is_back(built: Mission, tmp_path: Path) -> None:
    sides = diverged(built.log, first, second, deletion=True)
    merged = merge(tmp_path / "m", sides.base, sides.ours, sides.theirs)
    assert sides.base.splitlines()[0] in merged.splitlines()


def test_a_conflict_names_both_lines_and_leaves_ours_alone(built: Mission, tmp_path: Path) -> None:
    sides = diverged(built.log, first, second, conflicting=True)
    with pytest.raises(DiagnosticError, match="EVENT_ID_CONFLICT") as raised:
        merge(tmp_path / "m", sides.base, sides.ours, sides.theirs)
    assert [Path(path).name for path in raised.value.diagnostic.fields["paths"]] == ["ours", "theirs"]
    assert (tmp_path / "m" / "ours").read_bytes() == sides.ours


def test_a_line_that_cannot_be_read_names_its_file(built: Mission, tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError, match="ROW_NOT_JSON: line 1 ") as raised:
        merge(tmp_path / "m", b"", built.log.data, b"oops\n")
    assert raised.value.diagnostic.fields["path"].endswith("theirs")


def test_the_driver_in_a_real_rebase(kitty: Kitty) -> None:
    repo = kitty.repo()
    built = repo.mission(wps={"WP01": "planned", "WP02": "in_review"})
    sides = diverged(built.log, first, second)
    driver = f"'{sys.executable}' -m kitty_reliability.reference merge_logs --base=%O --ours=%A --theirs=%B"
    repo.git("config", "merge.kitty-log.driver", driver)
    (repo.root / ".gitattributes").write_text("kitty-specs/**/status.events.jsonl merge=kitty-log\n", encoding="utf-8")
    repo.git("add", ".gitattributes")
    repo.git("commit", "--quiet", "--message", "Attributes")
    repo.git("branch", "theirs")
    built.log.path.write_bytes(sides.ours)
    repo.git("commit", "--quiet", "--all", "--message", "Ours")
    repo.git("checkout", "--quiet", "theirs")
    built.log.path.write_bytes(sides.theirs)
    repo.git("commit", "--quiet", "--all", "--message", "Theirs")
    repo.git("rebase", "--quiet", "main")
    assert repo.status == ""
    assert kitty.state(built) == {"WP01": "claimed", "WP02": "approved"}


# --- repairing


def test_a_byte_order_mark_zeros_and_glue_cost_no_row(built: Mission) -> None:
    before = read_rows(built.log.data)
    damage(built.log).byte_order_mark().glued_rows(2).nul_padding()
    repaired = Workflow().repair(str(built.root), built.slug)
    assert [item.fields["line"] for item in repaired.findings]
    assert read_rows(built.log.path.read_bytes()) == before
    assert repaired.file is not None
    assert b"\xef\xbb\xbf" in repaired.file.read_bytes()


def test_a_second_repair_finds_nothing(built: Mission) -> None:
    built.log.raw(b"oops\n")
    first_time = Workflow().repair(str(built.root), built.slug)
    bytes_then = built.log.path.read_bytes()
    assert len(first_time.findings) == 1
    assert Workflow().repair(str(built.root), built.slug).findings == []
    assert built.log.path.read_bytes() == bytes_then


def test_a_repair_does_not_choose_between_two_rows_of_one_id(built: Mission) -> None:
    conflicting_duplicate(built.log, to_lane="blocked")
    before = built.log.path.read_bytes()
    with pytest.raises(DiagnosticError, match="EVENT_ID_CONFLICT"):
        Workflow().repair(str(built.root), built.slug)
    assert built.log.path.read_bytes() == before


def test_a_repair_writes_a_damaged_snapshot_anew(built: Mission) -> None:
    built.paths.snapshot.write_bytes(b"<<<<<<< HEAD\n{}")
    Workflow().repair(str(built.root), built.slug)
    assert json.loads(built.paths.snapshot.read_bytes())["work_packages"]["WP02"]["lane"] == "in_review"


@pytest.mark.parametrize("line", [b"", b"oops", b"[1]", b'{"a": 1} oops', b'{"a": 1}[2]', b"\xff{}", b"{" * 100_000])
def test_what_is_not_made_of_rows_gives_none(line: bytes) -> None:
    assert rows_in(line, CONTRACT_320) == []
