from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from ulid import ULID

from kitty_reliability.build.clock import DEFAULT_START, Clock
from kitty_reliability.build.errors import BuildError
from kitty_reliability.build.event_log import EventLog
from kitty_reliability.build.mission import Mission, WorkPackage, mission
from kitty_reliability.formats.events import read_rows
from kitty_reliability.formats.mission import read_meta, validate_meta
from kitty_reliability.formats.rows import AnnotationRow
from kitty_reliability.formats.work_package import find_work_package, read_work_package
from kitty_reliability.observe.rows import lane_from_bytes
from kitty_reliability.observe.tree import mark_tree

TABLE = json.loads(files("kitty_conformance").joinpath("vectors/lane_table.json").read_text(encoding="utf-8"))["edges"]
GUARDS = {(edge["from"], edge["to"]): edge["guard"] for edge in TABLE}
BOARD = ["planned", "claimed", "in_progress", "for_review", "in_review", "approved", "done", "blocked", "canceled"]
EVERY_LANE = ["genesis", "uninitialized", *BOARD]
ULID_PATTERN = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


def rows_of(built: Mission) -> list[dict[str, Any]]:
    return [json.loads(line) for line in built.paths.log.read_bytes().splitlines()]


def is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def approves(review: Any) -> bool:
    return is_text(review["reviewer"]) and is_text(review["reference"]) and review["verdict"] == "approved"


def what_is_missing(row: dict[str, Any]) -> list[str]:
    """What an unforced row lacks of what the guard of its edge asks for (interop: section 3.2)."""
    guard = GUARDS[row["from_lane"], row["to_lane"]]
    missing = [] if is_text(row["actor"]) else ["actor"]
    if guard == "reason" and not is_text(row["reason"]):
        missing.append("reason")
    if guard == "review_ref" and not is_text(row["review_ref"]):
        missing.append("review_ref")
    if guard == "approval_evidence" and not approves(row["evidence"]["review"]):
        missing.append("evidence")
    if guard in ("review_approves", "review_concludes"):
        result = row["review_result"]
        if not all(is_text(result[key]) for key in ("reviewer", "verdict", "reference")):
            missing.append("review_result")
        if row["review_ref"] != result["reference"]:
            missing.append("one reference")
        if row["evidence"] is not None and row["evidence"]["review"] != result:
            missing.append("one review")
        if guard == "review_approves" and not approves(result):
            missing.append("approval")
    return missing


def build_in(folder: Path, **options: Any) -> Mission:
    return mission(folder / "repo", **options)


@pytest.fixture
def log(tmp_path: Path) -> EventLog:
    return EventLog(tmp_path / "log.jsonl", mission_slug="demo-01JNDKSD", mission_id="01JNDKSD00000000000000000A")


# --- missions that are as they should be


@pytest.mark.parametrize("goal", BOARD)
def test_every_lane_is_reached_by_legal_rows_that_bring_what_the_guards_ask_for(tmp_path: Path, goal: str) -> None:
    built = build_in(tmp_path, work_packages={"WP01": goal})

    rows = rows_of(built)
    steps = [(row["from_lane"], row["to_lane"]) for row in rows]
    assert steps[0][0] == "genesis"
    assert steps[-1][1] == goal
    assert all(before[1] == after[0] for before, after in pairwise(steps))
    assert [what_is_missing(row) for row in rows] == [[]] * len(rows)
    assert not any(row["force"] for row in rows)
    assert lane_from_bytes(built.paths.log.read_bytes(), "WP01") == goal
    assert built.lanes == {"WP01": goal}


def test_a_work_package_in_genesis_has_no_row(tmp_path: Path) -> None:
    built = build_in(tmp_path, work_packages={"WP01": "genesis", "WP02": "planned"})

    assert [row["wp_id"] for row in rows_of(built)] == ["WP02"]


@pytest.mark.parametrize("edge", GUARDS, ids="-".join)
def test_each_of_the_29_edges_can_be_written_with_what_its_guard_asks_for(log: EventLog, edge: tuple[str, str]) -> None:
    log.lane("WP01", edge[1], from_lane=edge[0])

    row = json.loads(log.path.read_bytes())
    assert (row["from_lane"], row["to_lane"], row["force"]) == (*edge, False)
    assert what_is_missing(row) == []


def test_the_edges_that_need_nothing_said_are_the_29_and_no_others(log: EventLog) -> None:
    accepted = set()
    for source in EVERY_LANE:
        for target in EVERY_LANE:
            try:
                log.lane("WP01", target, from_lane=source)
            except BuildError:
                continue
            accepted.add((source, target))

    assert accepted == set(GUARDS)


def test_the_lanes_to_go_through_can_be_named_one_by_one(tmp_path: Path) -> None:
    route = ["planned", "claimed", "in_progress", "for_review", "in_review", "planned", "claimed", "blocked"]

    built = build_in(tmp_path, work_packages={"WP01": route})

    assert [row["to_lane"] for row in rows_of(built)] == route
    assert [what_is_missing(row) for row in rows_of(built)] == [[]] * len(route)


def test_ids_are_ulids_that_never_repeat_and_carry_the_time_of_their_row(tmp_path: Path) -> None:
    built = build_in(tmp_path, work_packages={"WP01": "done", "WP02": "blocked", "WP03": "canceled"})

    rows = rows_of(built)
    ids = [built.mission_id, *(row["event_id"] for row in rows)]
    assert all(ULID_PATTERN.fullmatch(event_id) for event_id in ids)
    assert len(set(ids)) == len(ids)
    for row in rows:
        late = ULID.from_str(row["event_id"]).datetime - datetime.fromisoformat(row["at"])
        assert abs(late) < timedelta(milliseconds=1)


def test_rows_of_one_moment_have_different_ids(tmp_path: Path) -> None:
    built = build_in(tmp_path, work_packages={"WP01": "done"}, clock=Clock(step=timedelta(0)))

    rows = rows_of(built)
    assert len({row["at"] for row in rows}) == 1
    assert len({row["event_id"] for row in rows}) == len(rows)


def test_an_approval_has_the_approving_review_as_evidence(tmp_path: Path) -> None:
    built = build_in(tmp_path, work_packages={"WP01": "approved"})

    approval = rows_of(built)[-1]
    assert approval["evidence"] == {"review": approval["review_result"]}


def test_times_rise_strictly_and_are_spelled_as_writers_spell_them(tmp_path: Path) -> None:
    built = build_in(tmp_path, work_packages={f"WP{number:02}": "done" for number in range(1, 8)})

    times = [row["at"] for row in rows_of(built)]
    assert all(before < after for before, after in pairwise(map(datetime.fromisoformat, times)))
    assert sorted(times) == times
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", at) for at in times)


def test_a_built_mission_is_what_strict_readers_accept(tmp_path: Path) -> None:
    built = build_in(
        tmp_path,
        work_packages={"WP01": WorkPackage("approved", title="Set up: the 1st", subtasks=["T001"]), "WP02": "planned"},
        lane_manifest={"lane-a": ["WP01", "WP02"]},
    )
    built.log.note("WP01", "n").lifecycle("MissionCreated").decision("d1").retrospective().flush()

    assert len(read_rows(built.paths.log.read_bytes())) == 11
    assert validate_meta(read_meta(built.paths.meta).data) == []
    for wp_id in ("WP01", "WP02"):
        path = find_work_package(built.paths.tasks, wp_id)
        assert path == built.task_file(wp_id)
        assert read_work_package(path).work_package_id == wp_id
    assert read_work_package(built.task_file("WP01")).subtasks == ["T001"]
    assert read_work_package(built.task_file("WP01")).frontmatter["title"] == "Set up: the 1st"


def test_rows_and_metadata_carry_one_identity(tmp_path: Path) -> None:
    built = build_in(tmp_path, work_packages={"WP01": "claimed"}, lane_manifest={"lane-a": ["WP01"]})

    meta = json.loads(built.paths.meta.read_bytes())
    manifest = json.loads(built.paths.lanes.read_bytes())
    assert (
        built.slug
        == meta["slug"]
        == meta["mission_slug"]
        == manifest["mission_slug"]
        == f"demo-{meta['mission_id'][:8]}"
    )
    assert {row["mission_id"] for row in rows_of(built)} == {meta["mission_id"]} == {manifest["mission_id"]}
    assert {row["mission_slug"] for row in rows_of(built)} == {built.slug}


def test_two_builds_are_equal_byte_for_byte(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "work_packages": {"WP01": "done", "WP02": "blocked"},
        "lane_manifest": {"lane-a": ["WP01"]},
    }

    first, second = (mission(tmp_path / name, **options) for name in ("one", "two"))

    assert mark_tree(first.root).entries == mark_tree(second.root).entries


def test_a_build_does_not_depend_on_the_process_the_time_zone_or_the_hash_seed(tmp_path: Path) -> None:
    program = (
        "import sys; from kitty_reliability import mission\n"
        "mission(sys.argv[1], {'WP01': 'done', 'WP02': 'blocked'}, lane_manifest={'lane-a': ['WP01', 'WP02']})"
    )
    for name, zone, seed in (("one", "UTC", "1"), ("two", "Asia/Kolkata", "2")):
        environment = {**os.environ, "TZ": zone, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", program, str(tmp_path / name)], env=environment, check=True)

    assert mark_tree(tmp_path / "one").entries == mark_tree(tmp_path / "two").entries


def test_another_seed_gives_other_ids_throughout(tmp_path: Path) -> None:
    first = mission(tmp_path, {"WP01": "done"}, name="one", seed="a")
    second = mission(tmp_path, {"WP01": "done"}, name="one", seed="b", slug="two")

    ids = [{built.mission_id, *(row["event_id"] for row in rows_of(built))} for built in (first, second)]
    assert not ids[0] & ids[1]


def test_a_given_clock_goes_on_where_it_was(tmp_path: Path) -> None:
    clock = Clock(datetime(2024, 2, 29, 12, tzinfo=UTC), step=timedelta(seconds=1))

    built = build_in(tmp_path, work_packages={"WP01": "claimed"}, clock=clock)

    assert [row["at"] for row in rows_of(built)] == ["2024-02-29T12:00:01+00:00", "2024-02-29T12:00:02+00:00"]
    assert clock.text == "2024-02-29T12:00:02+00:00"


def test_the_older_bootstrap_is_one_forced_row_from_planned_to_planned(tmp_path: Path) -> None:
    built = build_in(tmp_path, work_packages={"WP01": "claimed"}, bootstrap="planned")

    seed, claim = rows_of(built)
    assert (seed["from_lane"], seed["to_lane"], seed["force"]) == ("planned", "planned", True)
    assert is_text(seed["actor"])
    assert is_text(seed["reason"])
    assert (claim["from_lane"], claim["to_lane"], claim["force"]) == ("planned", "claimed", False)


def test_keys_of_the_metadata_can_be_set_and_left_out(tmp_path: Path) -> None:
    built = build_in(tmp_path, meta={"mission_number": 7, "extra": [1]}, meta_drop=["topology", "mission_id", "none"])

    meta = json.loads(built.paths.meta.read_bytes())
    assert (meta["mission_number"], meta["extra"]) == (7, [1])
    assert not {"topology", "mission_id"} & meta.keys()
    assert all("mission_id" not in row for row in rows_of(built))


def test_a_mission_id_that_is_set_is_the_id_everywhere(tmp_path: Path) -> None:
    other = "01JZZZZZZZZZZZZZZZZZZZZZZZ"

    built = build_in(tmp_path, meta={"mission_id": other}, lane_manifest={"lane-a": ["WP01"]})

    assert {row["mission_id"] for row in rows_of(built)} == {other}
    assert (built.mission_id, json.loads(built.paths.lanes.read_bytes())["mission_id"]) == (other, other)


def test_keys_of_a_task_file_can_be_set_and_left_out(tmp_path: Path) -> None:
    package = WorkPackage(
        title="One",
        dependencies=["WP02"],
        owned_files=["docs/**", "a.py"],
        frontmatter={"agent": "yes", "title": "Other"},
        drop=["subtasks"],
    )

    built = build_in(tmp_path, work_packages={"WP01": package})

    assert built.task_file("WP01").name == "WP01-one.md"
    read = read_work_package(built.task_file("WP01"))
    assert read.frontmatter == {
        "work_package_id": "WP01",
        "title": "Other",
        "dependencies": ["WP02"],
        "authoritative_surface": "docs/",
        "execution_mode": "code_change",
        "owned_files": ["docs/**", "a.py"],
        "agent": "yes",
    }


def test_a_work_package_can_have_rows_and_no_file(tmp_path: Path) -> None:
    built = build_in(tmp_path, work_packages={"WP01": WorkPackage("planned", file=False)})

    assert list(built.paths.tasks.iterdir()) == []
    assert len(rows_of(built)) == 1


def test_a_mission_can_have_no_log_and_one_with_nothing_in_it(tmp_path: Path) -> None:
    without = mission(tmp_path, name="without", log=False)
    empty = mission(tmp_path, {}, name="empty")

    assert not without.paths.log.exists()
    assert empty.paths.log.read_bytes() == b""


def test_the_text_of_tasks_md_can_be_given(tmp_path: Path) -> None:
    built = build_in(tmp_path, tasks="- [ ] ü\n")

    assert (built.directory / "tasks.md").read_bytes() == "- [ ] ü\n".encode()


def test_an_illegal_route_is_built_when_it_is_asked_for(tmp_path: Path) -> None:
    built = build_in(tmp_path, work_packages={"WP01": ["planned", "done", "claimed"]}, illegal=True)

    assert [row["to_lane"] for row in rows_of(built)] == ["planned", "done", "claimed"]
    assert not any(row["force"] for row in rows_of(built))


@pytest.mark.parametrize("topology", ["single_branch", "lanes", "coord", "lanes_with_coord"])
def test_each_topology_is_recorded(tmp_path: Path, topology: str) -> None:
    assert json.loads(build_in(tmp_path, topology=topology).paths.meta.read_bytes())["topology"] == topology


def test_two_missions_live_in_one_repository(tmp_path: Path) -> None:
    first, second = mission(tmp_path, name="one"), mission(tmp_path, name="two")

    assert first.directory.parent == second.directory.parent
    assert first.mission_id != second.mission_id
    assert first.log.last["event_id"] != second.log.last["event_id"]


@pytest.mark.parametrize("name", ["with space", "mit ümläut", "猫 🐈", "-option", "a'b"])
def test_a_mission_is_built_under_any_path(tmp_path: Path, name: str) -> None:
    built = mission(tmp_path / name, {"WP01": "done"})

    assert built.root == tmp_path / name
    assert lane_from_bytes(built.paths.log.read_bytes(), "WP01") == "done"


def test_a_root_given_as_text_is_a_path(tmp_path: Path) -> None:
    assert mission(str(tmp_path / "repo")).directory.is_dir()


# --- verbs of the log


def test_every_verb_writes_through_at_once(log: EventLog) -> None:
    sizes = [0]
    for verb in (
        lambda: log.lane("WP01", "planned"),
        lambda: log.route("WP01", ["claimed", "in_progress"]),
        lambda: log.annotate("WP01", agent="a"),
        lambda: log.note("WP01", "n"),
        lambda: log.lifecycle("MissionCreated"),
        lambda: log.decision("d1"),
        lambda: log.retrospective(),
        lambda: log.row({"any": 1}),
        lambda: log.raw(b"\n"),
    ):
        assert verb() is log
        sizes.append(log.path.stat().st_size)

    assert all(before < after for before, after in pairwise(sizes))
    assert log.path.read_bytes() == log.data


def test_a_lane_row_goes_on_from_where_the_work_package_is(log: EventLog) -> None:
    log.lane("WP01", "planned").lane("WP02", "planned").lane("WP01", " DOING ", illegal=True).lane("WP02", "claimed")

    assert [(row["wp_id"], row["from_lane"], row["to_lane"]) for row in log.rows] == [
        ("WP01", "genesis", "planned"),
        ("WP02", "genesis", "planned"),
        ("WP01", "planned", "in_progress"),
        ("WP02", "planned", "claimed"),
    ]


def test_a_forced_row_may_take_any_edge_and_says_why(log: EventLog) -> None:
    log.lane("WP01", "planned").lane("WP01", "done", force=True).lane("WP01", "claimed", force=True, reason="mine")

    assert [(row["to_lane"], row["force"], row["reason"]) for row in log.rows[1:]] == [
        ("done", True, "forced by the test"),
        ("claimed", True, "mine"),
    ]


def test_any_key_of_a_lane_row_can_be_overridden(log: EventLog) -> None:
    keys = {"actor": 7, "at": "whenever", "event_id": None, "extra": [1], "force": "no", "wp_id": "../x"}

    log.lane("WP01", "planned", **keys)

    assert {key: log.last[key] for key in keys} == keys
    assert json.loads(log.path.read_bytes()) == log.last


def test_any_key_of_a_row_can_be_left_out(log: EventLog) -> None:
    log.lane("WP01", "planned", drop=["actor", "never there"])
    log.annotate("WP01", drop=["wp_id"], note="n")
    log.lifecycle("MissionCreated", drop=["event_id"])

    assert [key in row for row, key in zip(log.rows, ("actor", "wp_id", "event_id"), strict=True)] == [False] * 3


def test_a_row_that_was_overridden_moves_the_lane_that_it_says(log: EventLog) -> None:
    log.lane("WP01", "planned", wp_id="WP02").lane("WP01", "planned", to_lane="nonsense")

    assert log.lanes == {"WP02": "planned"}


def test_an_annotation_has_exactly_the_members_given(log: EventLog) -> None:
    log.annotate("WP01", subtasks={"T001": "done"}, shell_pid=42).note("WP01", "hi")

    first, second = read_rows(log.path.read_bytes())
    assert isinstance(first, AnnotationRow)
    assert isinstance(second, AnnotationRow)
    assert set(first.data) == {"actor", "at", "delta", "event_id", "kind", "wp_id"}
    assert (first.delta, second.delta) == ({"subtasks": {"T001": "done"}, "shell_pid": 42}, {"note": "hi"})


def test_a_lifecycle_row_has_its_time_in_timestamp_and_belongs_to_mission_or_work_package(log: EventLog) -> None:
    log.lifecycle("MissionCreated", wp_count=1).lifecycle("WPCreated", wp_id="WP01")

    of_mission, of_package = log.rows
    assert "at" not in of_mission
    assert datetime.fromisoformat(of_mission["timestamp"]).tzinfo is not None
    assert (of_mission["aggregate_type"], of_mission["aggregate_id"]) == ("Mission", log.mission_id)
    assert (of_mission["payload"]["mission_slug"], of_mission["payload"]["wp_count"]) == (log.mission_slug, 1)
    assert (of_package["aggregate_type"], of_package["aggregate_id"]) == ("WorkPackage", "WP01")


def test_a_decision_is_opened_and_resolved(log: EventLog) -> None:
    log.decision("d1", question="q").decision("d1", resolved=True, final_answer="a")

    assert [row["event_type"] for row in log.rows] == ["DecisionPointOpened", "DecisionPointResolved"]
    assert {row["payload"]["decision_point_id"] for row in log.rows} == {"d1"}
    assert [row.kind for row in read_rows(log.data)] == ["decision", "decision"]


@pytest.mark.parametrize("name", ["Captured", "CaptureFailed", "Skipped", "retrospective.completed"])
def test_both_families_of_retrospective_rows_are_written(log: EventLog, name: str) -> None:
    log.retrospective(name, extra=1)

    (row,) = read_rows(log.data)
    assert row.kind == "retrospective"
    assert (row.data.get("event_name") or row.data["type"]).endswith(name)
    assert row.data["extra"] == 1


def test_any_row_is_written_as_it_is(log: EventLog) -> None:
    log.row({"b": [], "a": "ü"})

    assert log.path.read_bytes() == b'{"a": "\\u00fc", "b": []}\n'


def test_raw_bytes_are_written_as_they_are(log: EventLog) -> None:
    log.lane("WP01", "planned").raw(b'{"half\xff\x00').lane("WP01", "claimed")

    lines = log.path.read_bytes().split(b"\n")
    assert lines[1].startswith(b'{"half\xff\x00{"actor"')
    assert len(lines) == 3


def test_a_log_can_be_rewritten_and_gone_on_with(log: EventLog) -> None:
    log.lane("WP01", "planned").rewrite(b"# nothing\n").row({"a": 1})

    assert log.path.read_bytes() == log.data == b'# nothing\n{"a": 1}\n'


def test_a_deferred_log_is_written_when_it_is_flushed(log: EventLog) -> None:
    log.defer().lane("WP01", "planned").note("WP01", "n")
    assert not log.path.exists()

    log.flush().note("WP01", "m")

    assert log.path.read_bytes() == log.data
    assert log.path.read_bytes().count(b"\n") == 3


def test_the_actors_are_those_that_were_named(tmp_path: Path) -> None:
    built = build_in(tmp_path, work_packages={"WP01": "approved"}, actor="ada", reviewer="vera")

    actors = {row["to_lane"]: row["actor"] for row in rows_of(built)}
    assert (actors["claimed"], actors["in_review"], actors["approved"]) == ("ada", "vera", "vera")
    assert rows_of(built)[-1]["review_result"]["reviewer"] == "vera"


def test_a_second_review_has_another_reference(log: EventLog) -> None:
    again = ["planned", "claimed", "in_progress", "for_review", "in_review"]
    log.route("WP01", again).route("WP01", again).lane("WP01", "approved")

    rejected, approved = (row["review_result"] for row in log.rows if row.get("review_result"))
    assert (rejected["verdict"], approved["verdict"]) == ("changes_requested", "approved")
    assert rejected["reference"] != approved["reference"]


# --- the clock


def test_a_clock_moves_when_it_is_told_and_also_backwards() -> None:
    clock = Clock()

    assert clock.now == DEFAULT_START
    assert clock.tick() == DEFAULT_START + clock.step
    assert clock.move(timedelta(days=-1)) == DEFAULT_START + clock.step - timedelta(days=1)
    assert datetime.fromisoformat(clock.text) == clock.now
    assert clock.git_date == f"{int(clock.now.timestamp())} +0000"


def test_a_clock_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Clock(datetime(2025, 1, 1))


# --- wrong use


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"work_packages": {"WP01": "dne"}}, "'dne'"),
        ({"work_packages": {"WP01": "uninitialized"}}, "'uninitialized'"),
        ({"work_packages": {"WP01": ["planned", "dne"]}}, "'dne'"),
        ({"work_packages": {"WP01": ["planned", "done"]}}, "WP01: planned -> done"),
        ({"work_packages": {"WP01": WorkPackage(["claimed"])}}, "WP01: genesis -> claimed"),
        ({"work_packages": {"WP1": "planned"}}, "'WP1'"),
        ({"work_packages": {"../WP01": "planned"}}, "'../WP01'"),
        ({"work_packages": {"wp01": "planned"}}, "'wp01'"),
        ({"topology": "stars"}, "'stars'"),
        ({"slug": "../x"}, "'../x'"),
        ({"slug": ""}, "''"),
        ({"slug": "a\n"}, r"'a\\n'"),
        ({"name": "a/b"}, "'a/b-"),
    ],
    ids=repr,
)
def test_wrong_use_is_refused_by_name(tmp_path: Path, options: dict[str, Any], named: str) -> None:
    with pytest.raises(BuildError, match=named):
        build_in(tmp_path, **options)


def test_a_mission_that_is_there_already_is_not_built_over(tmp_path: Path) -> None:
    built = mission(tmp_path, {"WP01": "done"})
    before = mark_tree(tmp_path)

    with pytest.raises(BuildError, match=f"'{built.slug}' exists already"):
        mission(tmp_path)

    assert before.changes() == []


@pytest.mark.parametrize("options", [{"topology": "stars"}, {"slug": "../x"}, {"work_packages": {"WP1": "planned"}}])
def test_a_refused_mission_leaves_nothing_behind(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(BuildError):
        build_in(tmp_path, **options)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("lane", ["dne", ["planned", "done"]])
def test_a_mission_that_is_refused_for_a_lane_leaves_nothing_behind(tmp_path: Path, lane: Any) -> None:
    with pytest.raises(BuildError):
        build_in(tmp_path, work_packages={"WP01": lane})

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("lane", ["dne", "", "in-progress", "Planned!"])
def test_a_lane_row_of_an_unknown_lane_is_refused_by_name(log: EventLog, lane: str) -> None:
    with pytest.raises(BuildError, match=re.escape(repr(lane))):
        log.lane("WP01", lane, force=True)

    assert not log.path.exists()


def test_an_illegal_edge_is_refused_with_the_two_ways_to_write_it_anyway(log: EventLog) -> None:
    with pytest.raises(BuildError, match=r"WP01: genesis -> done .* force=True .* illegal=True"):
        log.lane("WP01", "done")

    assert not log.path.exists()


def test_an_illegal_edge_is_written_when_it_is_asked_for(log: EventLog) -> None:
    log.lane("WP01", "done", illegal=True)

    assert (log.last["from_lane"], log.last["to_lane"], log.last["force"]) == ("genesis", "done", False)


# --- without pytest


def run(program: str, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


NEW_MODULES = (
    "import sys; before = set(sys.modules)\nimport kitty_reliability; print(*sorted(set(sys.modules) - before))"
)


def test_importing_the_library_loads_nothing_but_its_first_module_and_the_standard_library() -> None:
    packages = {name.partition(".")[0] for name in run(NEW_MODULES).split()}

    assert packages - sys.stdlib_module_names == {"kitty_reliability"}
    assert "kitty_reliability.build" not in run(NEW_MODULES)


def test_importing_the_library_loads_fewer_than_ten_modules() -> None:
    new = run(NEW_MODULES).split()

    assert "kitty_reliability" in new
    assert len(new) < 10


def test_a_mission_is_built_by_a_plain_script_without_pytest(tmp_path: Path) -> None:
    told = run(
        "import sys; from kitty_reliability import mission\n"
        "built = mission(sys.argv[1], {'WP01': 'approved'})\n"
        "built.log.note('WP01', 'hi')\n"
        "print(built.lanes['WP01'], len(built.paths.log.read_bytes().splitlines()))\n"
        "print(sorted({'pytest', 'git', 'pydantic', 'freezegun', 'filelock'} & set(sys.modules)))",
        str(tmp_path),
    )

    assert told.splitlines() == ["approved 7", "[]"]


def test_a_name_that_the_library_does_not_have_is_an_attribute_error() -> None:
    import kitty_reliability

    with pytest.raises(AttributeError, match="'nonsense'"):
        _ = kitty_reliability.nonsense


def test_every_name_that_the_library_promises_is_there() -> None:
    import kitty_reliability

    assert all(getattr(kitty_reliability, name) is not None for name in kitty_reliability.__all__)
