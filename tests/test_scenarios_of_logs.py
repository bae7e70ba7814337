"""What people wrote by hand in hundreds of files, in one line each (scenarios 4.5, sketches 1 to 3)."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from kitty_reliability.faults.log import damage
from kitty_reliability.formats.diagnostics import DiagnosticError
from kitty_reliability.formats.events import read_rows, recover_rows
from kitty_reliability.formats.identifiers import is_ulid
from kitty_reliability.formats.lanes import EDGES, Lane
from kitty_reliability.formats.mission import read_meta, validate_meta
from kitty_reliability.formats.rows import LaneRow
from pytest_kitty.facade import Kitty

# --- sketch 1: one work package at a lane


def test_one_work_package_at_a_lane(kitty: Kitty) -> None:
    m = kitty.mission({"WP01": "approved"})

    rows = [row for row in read_rows(m.log.path.read_bytes()) if isinstance(row, LaneRow)]
    route = ["genesis", "planned", "claimed", "in_progress", "for_review", "in_review", "approved"]
    assert [(row.from_lane, row.to_lane) for row in rows] == list(pairwise(route))
    assert all((Lane(row.from_lane), Lane(row.to_lane)) in EDGES and not row.data["force"] for row in rows)
    assert all(is_ulid(row.event_id) for row in rows)
    assert rows[-1].data["review_result"]["verdict"] == "approved"


# --- sketch 2: metadata of a mission


def test_metadata_is_complete_and_valid(kitty: Kitty) -> None:
    m = kitty.mission(slug="demo", meta={"target_branch": "dev"})

    assert m.directory.name == "demo"
    assert validate_meta(json.loads(m.paths.meta.read_bytes())) == []
    assert read_meta(m.paths.meta).mission_id == m.mission_id
    assert json.loads(m.paths.meta.read_bytes())["target_branch"] == "dev"


def test_a_key_of_the_metadata_is_left_out(kitty: Kitty) -> None:
    m = kitty.mission(slug="demo", meta_drop=("mission_id",))

    assert "mission_id" not in json.loads(m.paths.meta.read_bytes())


# --- sketch 3: rows of every kind, and half a row


def test_rows_of_every_kind_and_half_a_row(kitty: Kitty) -> None:
    m = kitty.mission({"WP01": "planned"})
    m.log.lane("WP01", "claimed").decision("D1").note("WP01", "hi").retro("Captured")
    m.log.raw(b'{"half')

    data = m.log.path.read_bytes()
    with pytest.raises(DiagnosticError, match="ROW_TORN: line 6"):
        read_rows(data)
    rows, left_out = recover_rows(data)
    assert [row.kind for row in rows] == ["lane", "lane", "decision", "annotation", "retrospective"]
    assert [item.code for item in left_out] == ["ROW_TORN"]


def test_both_families_of_retrospective_rows_have_the_short_name(kitty: Kitty) -> None:
    log = kitty.mission().log.retro().retro("retrospective.completed")

    assert log.rows[-2]["type"] == "RetrospectiveCaptured"
    assert log.rows[-1]["event_name"] == "retrospective.completed"


# --- the verbs of damage, on the log of a mission


def test_a_log_is_damaged_in_one_line_and_whole_again_in_another(kitty: Kitty) -> None:
    m = kitty.mission({"WP01": "in_review"})
    healthy = m.log.path.read_bytes()

    broken = damage(m.log).duplicated_row().conflicting_duplicate(to_lane="blocked").crlf().torn_tail(at=40)
    with pytest.raises(DiagnosticError, match="ROW_TORN: line 7"):
        read_rows(m.log.path.read_bytes())

    broken.undo()
    assert m.log.path.read_bytes() == healthy
