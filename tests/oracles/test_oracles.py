"""What the real package computed from real missions, and what we compute from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.formats.diagnostics import DiagnosticError
from kitty_reliability.formats.events import read_rows, recover_rows
from kitty_reliability.formats.lanes import EDGES, UnknownLaneError, lane_from_input
from kitty_reliability.formats.mission import Meta, read_meta
from kitty_reliability.formats.profiles import CONTRACT_320, PROFILES, SPEC_KITTY_32, Profile
from kitty_reliability.formats.snapshot import Snapshot, encode_snapshot
from kitty_reliability.formats.work_package import read_work_package, work_package_files
from kitty_reliability.reference.reducer import Reducer
from kitty_reliability.reference.transitions import Context, Rules

Oracle = Callable[[str], Iterator[dict[str, Any]]]

#: Cases in which contract-320 promises something else than 3.2.x does, by the clause that says so.
DIFFERENCES: dict[str, str] = {
    "U+2028 inside a string splits the line": "LOG-008: one row; 3.2.x splits it",
    "U+0085 inside a string splits the line": "LOG-008: one row; 3.2.x splits it",
    "form feed between objects": "LOG-009: two objects on a line are refused; 3.2.x takes a form feed for a line end",
    "NaN literal": "LOG-009: not JSON; 3.2.x reads it",
    "duplicate json keys last wins": "LOG-009: refused; 3.2.x takes the last",
    "actor=true": "LOG-009: wrong type; 3.2.x coerces",
    "actor=null": "LOG-009: wrong type; 3.2.x coerces",
    'force="yes"': "LOG-009: wrong type; 3.2.x coerces",
    "force=1": "LOG-009: wrong type; 3.2.x coerces",
    "force=0": "LOG-009: wrong type; 3.2.x coerces",
    "force=null": "LOG-009: wrong type; 3.2.x coerces",
    'force="false"': "LOG-009: wrong type; 3.2.x counts it as forced",
    'force=""': "LOG-009: wrong type; 3.2.x coerces",
    "wp_id null": "LOG-009: wrong type; 3.2.x keeps a null key",
    "wp_id int": "LOG-009: wrong type; 3.2.x keeps a number as key",
    "duplicate event_id first in FILE wins": "LOG-003: refused, naming both lines",
    "timestamps as TEXT: offset differs": "LOG-005: ordered by instant",
    "timestamps as TEXT: garbage sorts": "LOG-009: names no instant",
    "in_review->planned is NOT a rollback": "LOG-004: a rejection to planned stands too",
    "annotation duplicate event_id is NOT deduplicated (note twice)": "LOG-002: counts once",
    'annotation wp_id null -> "None"': "LOG-009: wrong type; 3.2.x coerces",
    "annotation wp_id int -> str": "LOG-009: wrong type; 3.2.x coerces",
    "event_type null key present is skipped": "LOG-006: a lane row with an event_type is refused, never skipped",
    "delta numeric scalar kept": "LOG-009: wrong type; 3.2.x keeps it",
    "delta shell_pid float truncates": "LOG-009: wrong type; 3.2.x truncates",
    "delta review actor coerced to str": "LOG-009: wrong type; 3.2.x coerces",
}


def _reduce(data: bytes, profile: Profile, slug: str, meta: Meta) -> Snapshot:
    reducer = Reducer(profile, slug, meta.mission_id)
    reducer.add(read_rows(data, profile))
    return reducer.snapshot(meta)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_every_real_mission_has_the_snapshot_of_the_oracle(
    oracle: Oracle, real_missions: Path, profile: Profile
) -> None:
    different = []
    seen = 0
    for expected in oracle("snapshots-full"):
        directory = real_missions / expected["mission"]
        log = directory / "status.events.jsonl"
        data = log.read_bytes() if log.exists() else b""
        snapshot = _reduce(data, profile, directory.name, read_meta(directory / "meta.json"))
        seen += 1
        if encode_snapshot(snapshot) != encode_snapshot(expected["snapshot"]):
            different.append(expected["mission"])
    assert seen >= 200
    # The contract's own rules (LOG-002 to LOG-005, LOG-010) make no difference on any of them.
    assert different == []


def test_a_real_snapshot_is_reproduced_byte_for_byte(oracle: Oracle, real_missions: Path) -> None:
    compared = 0
    for expected in oracle("snapshots"):
        directory = real_missions / expected["mission"]
        if not expected["status_json"].get("byte_equal"):
            continue
        data = (directory / "status.events.jsonl").read_bytes()
        snapshot = _reduce(data, SPEC_KITTY_32, directory.name, read_meta(directory / "meta.json"))
        assert encode_snapshot(snapshot) == (directory / "status.json").read_bytes(), expected["mission"]
        compared += 1
    assert compared > 200


def test_the_order_of_lines_matters_in_no_real_log(real_missions: Path) -> None:
    for log in real_missions.glob("*/status.events.jsonl"):
        meta = read_meta(log.with_name("meta.json"))
        lines = log.read_bytes().splitlines(keepends=True)
        straight = _reduce(b"".join(lines), CONTRACT_320, log.parent.name, meta)
        # Annotations that only repeat a slot keep their order among equals, so the notes are left out of it.
        turned = _reduce(b"".join(reversed(lines)), CONTRACT_320, log.parent.name, meta)
        assert straight == turned, log.parent.name


def test_the_lane_table_and_its_guards_equal_the_oracle(oracle: Oracle) -> None:
    rules = Rules(SPEC_KITTY_32)
    wrong = []
    seen = 0
    for case in oracle("fsm"):
        context = {key: value for key, value in case["ctx"].items() if key != "current_actor"}
        try:
            source, target = lane_from_input(case["from"]), lane_from_input(case["to"])
            refused = rules.check(source, target, Context(**context))
            code = None if refused is None else refused.code
        except UnknownLaneError:
            code = "UNKNOWN_LANE"
        seen += 1
        if code != case["error_class"] or (code is None) != case["allowed"]:
            wrong.append((case["from"], case["to"], case["ctx"], case["error_class"], code))
    assert seen > 16_000
    assert wrong == []


def test_contract_320_differs_from_the_lane_oracle_in_one_thing_only(oracle: Oracle) -> None:
    """Force does not reach ``uninitialized``: it is a sentinel of readers, no lane of a board."""
    strict, released = Rules(CONTRACT_320), Rules(SPEC_KITTY_32)
    for case in oracle("fsm"):
        context = Context(**{key: value for key, value in case["ctx"].items() if key != "current_actor"})
        try:
            source, target = lane_from_input(case["from"]), lane_from_input(case["to"])
        except UnknownLaneError:
            continue
        ours, theirs = strict.check(source, target, context), released.check(source, target, context)
        if ours != theirs:
            assert theirs is None
            assert ours is not None
            assert ours.code == "FORCE_TARGET_FORBIDDEN"
            assert target == "uninitialized"


def test_the_table_has_the_29_edges_of_the_matrix(corpus: Path) -> None:
    import json

    matrix = json.loads((corpus / "fsm_matrix.json").read_text())
    expected = {(source, target) for source, targets in matrix["allowed"].items() for target in targets}
    assert len(expected) == 29
    assert {(str(source), str(target)) for source, target in EDGES} == expected


def _answer(case: dict[str, Any], profile: Profile) -> tuple[str, Any]:
    data = case["log"].encode("utf-8", "surrogatepass")
    try:
        return "snapshot", _reduce(data, profile, "099-edge", Meta(case["meta"] or {}))
    except DiagnosticError as error:
        return "error", error.diagnostic


def test_each_reader_edge_is_read_as_the_oracle_reads_it(oracle: Oracle) -> None:
    wrong = []
    for case in oracle("reader_edges"):
        kind, got = _answer(case, SPEC_KITTY_32)
        refused = bool(case.get("read_error") or case.get("reduce_error"))
        if case.get("status_json") is not None:
            right = kind == "snapshot" and encode_snapshot(got).decode() == case["status_json"]
        elif refused:
            right = kind == "error"
        else:
            # Not materialized by the oracle, so the type that only meta.json knows is not in it.
            right = kind == "snapshot" and {**got, "mission_type": ""} == case["snapshot"]
        if not right:
            wrong.append((case["case"], kind, got, case.get("read_error") or case.get("reduce_error")))
    assert wrong == []


def test_each_reader_edge_of_contract_320_is_equal_or_explained(oracle: Oracle) -> None:
    unexplained = []
    for case in oracle("reader_edges"):
        released = _answer(case, SPEC_KITTY_32)
        ours = _answer(case, CONTRACT_320)
        same = released[0] == ours[0] and (ours[0] == "error" or released[1] == ours[1])
        if not same and case["case"] not in DIFFERENCES:
            unexplained.append((case["case"], released, ours))
    assert unexplained == []


def test_no_explanation_is_left_over(oracle: Oracle) -> None:
    cases = {case["case"]: case for case in oracle("reader_edges")}
    for name in DIFFERENCES.keys() & cases.keys():
        released, ours = _answer(cases[name], SPEC_KITTY_32), _answer(cases[name], CONTRACT_320)
        assert released[0] != ours[0] or released[1] != ours[1], f"{name}: nothing to explain"


def test_a_recovery_read_never_fails_on_a_reader_edge(oracle: Oracle) -> None:
    for case in oracle("reader_edges"):
        for profile in PROFILES.values():
            rows, left_out = recover_rows(case["log"].encode("utf-8", "surrogatepass"), profile)
            assert rows or left_out or not case["log"].strip() or not case.get("read_error")


def test_every_real_work_package_file_is_read(real_missions: Path) -> None:
    seen = 0
    for mission in real_missions.iterdir():
        for paths in work_package_files(mission / "tasks").values():
            for path in paths:
                assert read_work_package(path).work_package_id in path.name
                seen += 1
    assert seen > 1000


def test_every_real_meta_json_is_read(oracle: Oracle, real_missions: Path) -> None:
    for expected in oracle("meta"):
        name = expected["mission"]
        meta = read_meta(real_missions / name / "meta.json")
        identity = expected.get("identity", expected)
        assert meta.mission_id == identity.get("mission_id"), name
