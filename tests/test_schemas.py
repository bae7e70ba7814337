"""The schemas are what the formats say: what is built validates, what readers refuse does not."""

from __future__ import annotations

import json
import runpy
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from kitty_conformance import vectors
from kitty_conformance.command import main
from kitty_conformance.schemas import NAMES, schema, text
from kitty_conformance.vectors.cases import bytes_of
from kitty_reliability.audit.baseline import Baseline, Entry
from kitty_reliability.audit.rules import RULES
from kitty_reliability.build.mission import Mission, WorkPackage, mission
from kitty_reliability.build.repository import repository
from kitty_reliability.build.reviews import SHAPES, write_review
from kitty_reliability.formats.diagnostics import TABLE, Diagnostic
from kitty_reliability.formats.events import read_rows
from kitty_reliability.formats.frontmatter import parse_yaml, split
from kitty_reliability.formats.lane_manifest import LaneManifestError, read_lane_manifest
from kitty_reliability.formats.merge_state import MergeState, encode_merge_state
from kitty_reliability.formats.mission import read_meta, validate_meta
from kitty_reliability.formats.profiles import CONTRACT_320
from kitty_reliability.formats.reviews import ReviewFormatError, parse_artifact
from kitty_reliability.formats.strict_json import parse
from kitty_reliability.formats.work_package import work_package_files
from kitty_reliability.reference.workflow import Workflow

ROOT = Path(__file__).parent.parent
VALID = {name: Draft202012Validator(schema(name)) for name in NAMES}


def problems(name: str, value: Any) -> list[str]:
    return [f"{error.json_path}: {error.message[:200]}" for error in VALID[name].iter_errors(value)]


def head(path: Path) -> Any:
    parts = split(path.read_text(encoding="utf-8"))
    assert parts is not None, path
    return parse_yaml(parts[0])


def test_the_files_are_what_is_generated() -> None:
    fresh = runpy.run_path(str(ROOT / "docs" / "schemas.py"))["fresh"]()
    there = {path.relative_to(ROOT / "schemas").as_posix(): path for path in (ROOT / "schemas").rglob("*.json")}
    assert there.keys() == fresh.keys(), "run: make docs"
    assert [name for name, data in fresh.items() if there[name].read_bytes() != data] == [], "run: make docs"


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_one_and_its_examples_validate(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = schema(name)
    Draft202012Validator.check_schema(made)
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert made["title"]
    assert made["description"]
    if name not in ("protocol", "report"):
        assert made["examples"]
        assert [problems(name, example) for example in made["examples"]] == [[]] * len(made["examples"])
    assert main(["schema", name]) == 0
    assert capsys.readouterr().out == text(name)


def test_the_ids_of_schemas_are_unique() -> None:
    ids = [json.loads(path.read_text(encoding="utf-8")).get("$id") for path in (ROOT / "schemas").rglob("*.json")]
    named = [one for one in ids if one is not None]
    assert len(set(named)) == len(named) >= len(ids) - 1


# --- rows, against the reader


def lines(data: bytes) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            yield number, parse(line)


def test_a_row_is_valid_when_the_reader_takes_it() -> None:
    shapes = {"ROW_FIELD_MISSING", "ROW_FIELD_INVALID", "ROW_UNKNOWN_KIND", "ROW_AMBIGUOUS_KIND", "ROW_NOT_OBJECT"}
    taken, refused = 0, set()
    for vector in json.loads((vectors.folder() / "rows.json").read_bytes())["vectors"]:
        expected = next(one for one in vector["expected"] if "contract-320" in one["profiles"])
        wrong = expected.get("error", {})
        if vector["input"].get("recover") or (wrong and wrong["diagnostic_code"] not in shapes):
            continue
        for number, value in lines(bytes_of(vector["input"]["log"])):
            assert bool(problems("event-row", value)) == (wrong.get("line") == number), (
                vector["id"],
                problems("event-row", value),
            )
            taken += not wrong
        refused |= {wrong["diagnostic_code"]} if wrong else set()
    assert taken > 40
    assert refused == shapes


@pytest.mark.parametrize("at", ["2026-01-05T09:00:00Z", "2026-01-05 09:00:00,5+0100", "2026-01-05T09:00"])
def test_a_time_that_the_reader_takes_is_valid(at: str) -> None:
    (row, *_) = schema("event-row")["examples"]
    assert problems("event-row", {**row, "at": at}) == []
    assert problems("event-row", {**row, "at": f"{at} "})


# --- what build writes


def built(root: Path) -> Mission:
    packages = {
        "WP01": "approved",
        "WP02": WorkPackage("in_review", subtasks={"T001": "done"}),
        "WP03": "canceled",
        "WP04": "planned",
    }
    made = mission(root, packages, lane_manifest={"lane-a": ["WP01", "WP02"]})
    log = made.log
    for name in ("Captured", "CaptureFailed", "Skipped", "retrospective.requested", "retrospective.completed"):
        log.retrospective(name)
    log.lifecycle("MissionCreated").decision("D1").note("WP01", "h\u00e4 \u2028").annotate(
        "WP01", subtasks={"T001": "done"}
    )
    log.annotate("WP01", release_runtime_claim=True, shell_pid=7, tracker_refs=["#1"]).lane("WP02", "planned")
    log.lane("WP02", "claimed", actor={"role": "r", "profile": None, "tool": "t", "model": None})
    return made


def test_every_file_that_build_writes_validates(tmp_path: Path) -> None:
    made = built(tmp_path)
    rows = [value for _, value in lines(made.log.path.read_bytes())]
    kinds = {row.kind for row in read_rows(made.log.path.read_bytes())}
    assert kinds == {"lane", "annotation", "lifecycle", "decision", "retrospective"}
    assert [problems("event-row", row) for row in rows] == [[]] * len(rows)
    Workflow().materialize(str(tmp_path), made.slug)
    assert problems("snapshot", json.loads(made.paths.snapshot.read_bytes())) == []
    assert problems("meta", json.loads(made.paths.meta.read_bytes())) == []
    assert problems("lane-manifest", json.loads(made.paths.lanes.read_bytes())) == []
    files = sorted(made.paths.tasks.glob("WP*.md"))
    assert len(files) == 4
    assert [problems("work-package", head(path)) for path in files] == [[]] * 4


@pytest.mark.parametrize("shape", SHAPES)
def test_an_artifact_is_valid_when_the_reader_takes_it(tmp_path: Path, shape: str) -> None:
    written = write_review(mission(tmp_path, {"WP01": "in_review"}), "WP01", shape=shape)
    try:
        parse_artifact(written.path.read_bytes(), CONTRACT_320)
    except ReviewFormatError as error:
        # Whether a text was quoted is no longer to be seen in its value.
        if error.finding in (
            "missing-field",
            "wrong-type",
            "unknown-verdict",
            "unsafe-segment",
        ) and "not quoted" not in str(error):
            assert problems("review-artifact", head(written.path))
    else:
        assert problems("review-artifact", head(written.path)) == []


def test_the_context_of_a_lane_and_the_state_of_a_merge_validate(tmp_path: Path) -> None:
    made = repository(tmp_path / "demo").mission({"WP01": "in_progress"}, topology="lanes")
    (context,) = (made.root / ".kittify" / "workspaces").glob("*.json")
    assert problems("workspace-context", json.loads(context.read_bytes())) == []
    assert problems("meta", json.loads(made.paths.meta.read_bytes())) == []
    assert problems("lane-manifest", json.loads(made.paths.lanes.read_bytes())) == []
    state = MergeState("01KVMSSN000000000000000000", "demo", "main", ("WP01",), strategy="squash")
    for drop in ((), ("pending_coord_reconcile",)):
        assert problems("merge-state", json.loads(encode_merge_state(state, drop=drop))) == []


def test_every_diagnostic_validates() -> None:
    valid = VALID["diagnostic"].is_valid
    assert [code for code in TABLE if not valid(Diagnostic(code, {"line": 3}).as_dict())] == []
    others = [Diagnostic(code).as_dict() | {"violated_invariant": "another"} for code in [*TABLE][::20]]
    assert [other for other in others if valid(other)] == []


@pytest.mark.parametrize("path", sorted((ROOT / "conformance" / "known").glob("*.toml")), ids=lambda path: path.stem)
def test_every_list_of_known_deviations_validates(path: Path) -> None:
    value = tomllib.loads(path.read_text(encoding="utf-8"))
    assert value["deviation"]
    dated = [{**one, "expires": one["expires"].isoformat()} for one in value["deviation"]]
    assert problems("known-deviations", {"deviation": dated}) == []


def test_the_baseline_of_an_audit_validates(tmp_path: Path) -> None:
    for number, entries in enumerate(([], [Entry("kitty-specs/demo", "log", "status.events.jsonl", "h\u00e4 7")])):
        path = tmp_path / f"{number}.json"
        Baseline(path, entries).write()
        assert Baseline.load(path).entries.total() == len(entries)
        assert problems("audit-baseline", json.loads(path.read_bytes())) == []
    assert schema("audit-baseline")["examples"][0]["findings"][0]["rule"] in RULES


# --- what is not right

WRONG: dict[str, list[dict[str, Any]]] = {
    "snapshot": [{"event_count": -1}, {"summary": {}}, {"mood": "fine"}, {"mission_number": 7}, {"work_packages": {"../x": {}}}, {"work_packages": {"WP01": {"lane": "doing"}}}],
    "meta": [{"slug": ""}, {"slug": "a..b"}, {"friendly_name": " "}, {"mission_id": "x"}, {"mission_number": True}, {"topology": "ring"}, {"target_branch": None}],
    "work-package": [{"work_package_id": "WP1"}, {"work_package_id": 1}, {"weather": "fine"}, {"owned_files": "src/**"}, {"history": {}}],
    "lane-manifest": [{"version": 2}, {"lanes": {}}, {"lanes": [{"lane_id": "lane-a"}]}, {"lanes": [{"wp_ids": []}]}, {"mission_branch": None}, {"computed_from": 7}],
    "workspace-context": [{"lane_id": ""}, {"lane_wp_ids": None}, {"dependencies": "WP01"}, {"wp_id": 1}, {"base_commit": 7}],
    "review-artifact": [{"cycle_number": 0}, {"cycle_number": True}, {"wp_id": ".."}, {"reviewer_agent": " "}, {"verdict": "reject"}, {"affected_files": ["a"]}, {"verdict": None}],
    "merge-state": [{"wp_order": "WP01"}, {"strategy": "octopus"}, {"push_requested": 1}, {"current_wp": 1}, {"pending_coord_reconcile": []}],
    "diagnostic": [{"diagnostic_code": "NO_SUCH_CODE"}, {"violated_invariant": "STA-001"}, {"message": ""}],
    "known-deviations": [{"deviation": [{}]}, {"deviations": []}, {"deviation": {}}],
    "audit-baseline": [{"version": 2}, {"findings": {}}, {"findings": [{"mission": "m", "rule": "r", "file": "f"}]}, {"findings": [{"mission": "m", "rule": "r", "file": "f", "subject": 7}]}],
    "event-row": [{"to_lane": "doing"}, {"force": 1}, {"kind": "comment"}, {"at": "yesterday"}, {"wp_id": "WP01\n"}],
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_another_shape_is_refused(name: str) -> None:
    example = schema(name)["examples"][0]
    assert [wrong for wrong in WRONG[name] if not problems(name, {**example, **wrong})] == []
    for key in schema(name).get("required", ()):
        assert problems(name, {one: example[one] for one in example if one != key}), key
    for value in ([], None, "text", 7):
        assert problems(name, value)


def test_every_schema_of_a_format_has_something_that_it_refuses() -> None:
    # Requests, replies and lines of reports are held against their schemas where they are tested.
    assert WRONG.keys() | {"protocol", "report"} == set(NAMES)


# --- real missions


def test_every_real_file_validates_where_the_reader_takes_it(real_missions: Path) -> None:
    seen = dict.fromkeys(("event-row", "snapshot", "meta", "lane-manifest", "work-package", "review-artifact"), 0)
    wrong: list[Any] = []

    def judge(name: str, path: Path, value: Any) -> None:
        seen[name] += 1
        # The message is only made for what is wrong.
        if not VALID[name].is_valid(value):
            wrong.append((name, path.relative_to(real_missions).as_posix(), problems(name, value)[:3]))

    for number, directory in enumerate(sorted(real_missions.iterdir())):
        meta = read_meta(directory / "meta.json")
        if not validate_meta(meta.data):
            judge("meta", directory / "meta.json", meta.data)
        if (directory / "status.json").exists():
            judge("snapshot", directory / "status.json", json.loads((directory / "status.json").read_bytes()))
        lanes = directory / "lanes.json"
        try:
            if read_lane_manifest(lanes) is not None:
                judge("lane-manifest", lanes, json.loads(lanes.read_bytes()))
        except LaneManifestError:
            assert problems("lane-manifest", json.loads(lanes.read_bytes()))
        # A schema takes a hundred times longer than the reader: some missions of the many are enough.
        if number % 24:
            continue
        log = directory / "status.events.jsonl"
        for _, value in lines(log.read_bytes()) if log.exists() else ():
            judge("event-row", log, value)
        for path in (path for paths in work_package_files(directory / "tasks").values() for path in paths):
            judge("work-package", path, head(path))
    for path in real_missions.glob("*/tasks/*/review-cycle-*.md"):
        # The corpus has no bodies.
        try:
            artifact = parse_artifact(path.read_bytes() + b"\nsaid\n", CONTRACT_320)
        except ReviewFormatError:
            continue
        judge("review-artifact", path, artifact.frontmatter())
    assert wrong == []
    assert all(seen.values()), seen
