"""The verbs of a work package, missions of older versions, and the resume state of a merge."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.build.errors import BuildError
from kitty_reliability.build.event_log import ROUTES
from kitty_reliability.build.legacy import LEGACY, legacy
from kitty_reliability.build.mission import Mission, mission
from kitty_reliability.build.reviews import write_review
from kitty_reliability.build.work_package import WorkPackageVerbs
from kitty_reliability.formats.events import read_rows
from kitty_reliability.formats.lanes import EDGES, Lane
from kitty_reliability.formats.merge_state import (
    GLOBAL_LOCK,
    LEGACY_STATE,
    MergeFinding,
    MergeState,
    MergeStateError,
    active_state,
    encode_merge_state,
    lock_path,
    parse_merge_state,
    read_merge_state,
    read_states,
    state_path,
)
from kitty_reliability.formats.mission import read_meta
from kitty_reliability.formats.profiles import PROFILES
from kitty_reliability.formats.reviews import Verdict, latest_cycle, parse_reference, read_artifact
from kitty_reliability.formats.work_package import read_work_package, work_package_files

VERBS = ["plan", "claim", "start", "submit", "review", "reject", "rework", "approve", "block", "cancel", "done"]


@pytest.fixture
def made(tmp_path: Path) -> Mission:
    return mission(tmp_path / "repo", {"WP01": "genesis", "WP02": "in_review"})


@pytest.fixture
def wp(made: Mission) -> WorkPackageVerbs:
    return made.wp("WP02")


def rows_of(made: Mission, work_package: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in made.paths.log.read_bytes().splitlines()]
    return [row for row in rows if row["wp_id"] == work_package]


def latest_verdict(wp: WorkPackageVerbs) -> Verdict | None:
    path = latest_cycle(wp.directory)
    assert path is not None
    return read_artifact(path).verdict


def event_verdicts(wp: WorkPackageVerbs) -> list[str]:
    rows = rows_of(wp.mission, wp.id)
    return [row["review_result"]["verdict"] for row in rows if row.get("review_result")]


def in_lane(root: Path, lane: str) -> WorkPackageVerbs:
    return mission(root, {"WP01": lane}).wp("WP01")


# --- what a verb writes


def test_a_life_from_first_to_last_is_written_in_legal_rows(made: Mission) -> None:
    made.wp("WP01").plan().claim().start().submit().review().reject(cycle=1).rework().approve().done()

    rows = rows_of(made, "WP01")
    steps = [(row["from_lane"], row["to_lane"]) for row in rows]
    assert [step[1] for step in steps] == [
        "planned", "claimed", "in_progress", "for_review", "in_review", "planned",
        "claimed", "in_progress", "for_review", "in_review", "approved", "done",
    ]  # fmt: skip
    assert all(before[1] == after[0] for before, after in pairwise(steps))
    assert all((Lane(source), Lane(target)) in EDGES for source, target in steps)
    assert not any(row["force"] for row in rows)
    assert made.lanes["WP01"] == made.wp("WP01").lane == "done"


@pytest.mark.parametrize("to", ["planned", "in_progress"])
def test_a_rejection_is_one_verdict_in_both_places(wp: WorkPackageVerbs, to: Any) -> None:
    wp.reject(to=to)

    row = rows_of(wp.mission, "WP02")[-1]
    path = wp.artifacts[-1].path
    assert (row["from_lane"], row["to_lane"], row["force"]) == ("in_review", to, False)
    assert row["review_result"] == {
        "reference": row["review_ref"], "reviewer": row["actor"], "verdict": "changes_requested",
    }  # fmt: skip
    assert row["evidence"] is None
    assert parse_reference(row["review_ref"]).path(wp.mission.root) == path
    assert read_artifact(path).verdict is Verdict.REJECTED
    assert read_artifact(path).reviewer_agent == row["actor"]


@pytest.mark.parametrize("lane", ["in_review", "in_progress"])
def test_an_approval_is_one_verdict_in_both_places(tmp_path: Path, lane: str) -> None:
    wp = in_lane(tmp_path, lane).approve()

    row = rows_of(wp.mission, "WP01")[-1]
    assert (row["from_lane"], row["to_lane"], row["force"]) == (lane, "approved", False)
    assert row["review_result"]["verdict"] == "approved"
    assert row["evidence"] == {"review": row["review_result"]}
    assert row["review_ref"] == row["review_result"]["reference"] == wp.artifacts[-1].reference
    assert read_artifact(wp.artifacts[-1].path).verdict is Verdict.APPROVED


def test_every_reference_to_an_artifact_is_to_one_that_exists(made: Mission) -> None:
    wp = made.wp("WP02").reject().rework().approve().reject(to="in_progress").rework().block().rework().done()

    references = [parse_reference(row["review_ref"]) for row in rows_of(made, "WP02") if row["review_ref"]]
    paths = [reference.path(made.root) for reference in references if reference.number]
    assert paths == [review.path for review in wp.artifacts]
    assert all(path is not None and path.is_file() for path in paths)
    assert [review.number for review in wp.artifacts] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("verb", ["block", "cancel"])
@pytest.mark.parametrize("lane", [lane for lane in ROUTES if lane not in (Lane.DONE, Lane.CANCELED, Lane.GENESIS)])
def test_a_work_package_can_be_blocked_or_canceled_from_anywhere(tmp_path: Path, verb: str, lane: str) -> None:
    wp = in_lane(tmp_path, lane)
    if (verb, lane) == ("block", "blocked"):
        with pytest.raises(BuildError, match="WP01 is blocked; block"):
            wp.block()
        return

    getattr(wp, verb)()

    row = rows_of(wp.mission, "WP01")[-1]
    assert (row["to_lane"], row["force"]) == ("blocked" if verb == "block" else "canceled", False)
    # Out of a review this is a verdict, and has its artifact.
    assert len(wp.artifacts) == (lane == "in_review")
    assert event_verdicts(wp)[-1:] == (
        ["changes_requested"] if lane == "in_review" else ["approved"] if lane == "approved" else []
    )


@pytest.mark.parametrize("lane", ["approved", "in_review"])
def test_done_is_reached_with_an_approval(tmp_path: Path, lane: str) -> None:
    wp = in_lane(tmp_path, lane).done()

    row = rows_of(wp.mission, "WP01")[-1]
    assert (row["to_lane"], row["evidence"]["review"]["verdict"]) == ("done", "approved")
    assert len(wp.artifacts) == (lane == "in_review")


@pytest.mark.parametrize("lane", ["planned", "claimed", "in_progress", "for_review", "blocked"])
def test_rework_leads_to_the_next_review(tmp_path: Path, lane: str) -> None:
    assert in_lane(tmp_path, lane).rework().lane == "in_review"


def test_keys_of_a_row_can_be_given(wp: WorkPackageVerbs) -> None:
    wp.reject(actor="someone").claim(actor="other", policy_metadata={"agent": "x"})

    rejected, claimed = rows_of(wp.mission, "WP02")[-2:]
    assert (rejected["actor"], claimed["actor"], claimed["policy_metadata"]) == ("someone", "other", {"agent": "x"})


def test_the_verbs_of_a_work_package_go_on_where_others_stopped(made: Mission) -> None:
    made.wp("WP02").reject()
    made.wp("WP02").rework().reject()

    assert sorted(path.name for path in made.wp("WP02").directory.iterdir()) == [
        "review-cycle-1.md",
        "review-cycle-2.md",
    ]


def test_two_builds_give_the_same_bytes(tmp_path: Path) -> None:
    def tree(root: Path) -> dict[str, bytes]:
        made = mission(root, {"WP01": "genesis"})
        made.wp(
            "WP01"
        ).plan().claim().start().submit().review().reject().rework().reject().override().rework().approve()
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    assert tree(tmp_path / "a") == tree(tmp_path / "b")


# --- contradictions, by asking


def test_an_approval_may_leave_the_rejecting_artifact_the_last_word(wp: WorkPackageVerbs) -> None:
    wp.reject(cycle=1).rework().approve(force=True, artifact=False)

    row = rows_of(wp.mission, "WP02")[-1]
    assert (wp.lane, row["force"], row["reason"]) == ("approved", True, "forced by the test")
    assert row["review_ref"] == row["review_result"]["reference"] == "force-override"
    assert latest_verdict(wp) is Verdict.REJECTED
    assert event_verdicts(wp) == ["changes_requested", "approved"]


def test_a_forced_approval_without_result_leaves_both_sources_rejecting(wp: WorkPackageVerbs) -> None:
    wp.reject().approve(force=True, event=False, artifact=False)

    assert (rows_of(wp.mission, "WP02")[-1]["force"], wp.lane) == (True, "approved")
    assert latest_verdict(wp) is Verdict.REJECTED
    assert event_verdicts(wp) == ["changes_requested"]


def test_a_rejection_may_be_in_the_artifact_only(wp: WorkPackageVerbs) -> None:
    wp.reject(event=False)

    row = rows_of(wp.mission, "WP02")[-1]
    assert row["force"]
    assert "review_result" not in row
    assert row["review_ref"] == wp.artifacts[-1].reference
    assert latest_verdict(wp) is Verdict.REJECTED


def test_a_rejection_may_be_in_the_row_only(wp: WorkPackageVerbs) -> None:
    wp.reject(artifact=False)

    row = rows_of(wp.mission, "WP02")[-1]
    assert (row["force"], row["review_ref"]) == (False, "review:WP02:1")
    assert event_verdicts(wp) == ["changes_requested"]
    assert not wp.directory.exists()


def test_artifact_and_event_may_say_the_opposite_of_each_other(made: Mission) -> None:
    approved = made.wp("WP02").approve(artifact_verdict="rejected")

    assert (latest_verdict(approved), event_verdicts(approved)) == (Verdict.REJECTED, ["approved"])
    approved.reject(artifact_verdict="approved")
    assert (latest_verdict(approved), event_verdicts(approved)[-1]) == (Verdict.APPROVED, "changes_requested")


def test_an_artifact_may_be_damaged(wp: WorkPackageVerbs) -> None:
    wp.reject(shape="prose")

    assert wp.artifacts[0].shape == "prose"
    assert wp.artifacts[0].path.read_bytes().startswith(b"# Review")


def test_a_forced_rejection_has_the_reason_that_released_versions_give(tmp_path: Path) -> None:
    wp = in_lane(tmp_path, "done").reject(force=True)

    row = rows_of(wp.mission, "WP01")[-1]
    assert (row["from_lane"], row["to_lane"], row["force"]) == ("done", "planned", True)
    assert row["reason"].startswith("backward rewind: done -> planned:")


# --- overrides


def override_of(wp: WorkPackageVerbs) -> dict[str, str]:
    review: dict[str, str] = rows_of(wp.mission, wp.id)[-1]["delta"]["review"]
    return review


def test_a_complete_override_is_in_both_places(wp: WorkPackageVerbs) -> None:
    wp.reject().override()

    path = latest_cycle(wp.directory)
    assert path is not None
    assert read_artifact(path).has_complete_override
    review = override_of(wp)
    assert review["wp_id"] == "WP02"
    assert all(text.strip() for text in review.values())
    assert sorted(review) == ["actor", "at", "reason", "wp_id"]


def test_a_partial_override_lacks_its_reason_in_both_places(wp: WorkPackageVerbs) -> None:
    wp.reject().override(complete=False)

    artifact = read_artifact(wp.artifacts[-1].path)
    assert (artifact.override_actor, artifact.override_reason) == ("arbiter", None)
    assert override_of(wp)["reason"] == ""


def test_an_override_can_be_withdrawn(wp: WorkPackageVerbs) -> None:
    wp.reject()
    before = wp.artifacts[-1].path.read_bytes()

    wp.override().withdraw_override()

    assert wp.artifacts[-1].path.read_bytes() == before
    assert set(override_of(wp).values()) == {""}


@pytest.mark.parametrize("place", ["event", "artifact"])
def test_an_override_can_be_in_one_place_only(wp: WorkPackageVerbs, place: str) -> None:
    wp.reject().override(event=place == "event", artifact=place == "artifact")

    overridden = read_artifact(wp.artifacts[-1].path).has_complete_override
    annotated = rows_of(wp.mission, "WP02")[-1].get("kind") == "annotation"
    assert (overridden, annotated) == (place == "artifact", place == "event")


def test_an_override_needs_no_artifact(wp: WorkPackageVerbs) -> None:
    wp.reject(artifact=False).override()

    assert not wp.directory.exists()
    assert override_of(wp)["actor"] == "arbiter"


# --- wrong use


def what_is_refused(call: Callable[[], object]) -> str:
    try:
        call()
    except BuildError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_that_does_not_fit_says_where_the_work_package_is_and_writes_nothing(tmp_path: Path, verb: str) -> None:
    refused = []
    for lane in ROUTES:
        wp = in_lane(tmp_path / lane, lane)
        before = wp.mission.paths.log.read_bytes()
        problem = what_is_refused(getattr(wp, verb))
        if problem:
            refused.append(lane)
            assert problem.startswith(f"WP01 is {lane}; {verb}() needs ")
            assert wp.mission.paths.log.read_bytes() == before
            assert not wp.directory.exists()
    assert refused
    assert set(refused) < set(ROUTES)


@pytest.mark.parametrize(
    ("lane", "verb", "hint"),
    [
        ("genesis", "start", "claimed or blocked: plan().claim() leads there"),
        ("planned", "approve", "in_review or in_progress: claim().start() leads there"),
        ("planned", "review", "for_review: claim().start().submit() leads there"),
        ("blocked", "submit", "in_progress: start() leads there"),
        ("approved", "claim", "planned: reject(to='planned') leads there"),
        ("in_review", "submit", "in_progress: reject(to='in_progress') leads there"),
        ("done", "reject", "in_review or approved; only a forced row leads there: log.lane('WP01', ..., force=True)"),
        ("planned", "plan", "genesis, and nothing leads back there"),
    ],
)
def test_a_verb_that_does_not_fit_says_what_would_be_needed(tmp_path: Path, lane: str, verb: str, hint: str) -> None:
    with pytest.raises(BuildError) as refused:
        getattr(in_lane(tmp_path, lane), verb)()

    assert str(refused.value) == f"WP01 is {lane}; {verb}() needs {hint}"


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda made: made.wp("WP09"), "no work package 'WP09'; it has: WP01, WP02"),
        (lambda made: made.wp("WP02").reject(to="done"), "planned or in_progress, not to 'done'"),
        (lambda made: made.wp("WP02").reject(cycle=2, artifact=False), "cycle=2 names an artifact"),
        (lambda made: made.wp("WP02").reject(cycle=0), "from 1"),
        (lambda made: made.wp("WP02").reject(shape="round"), "unknown shape"),
        (lambda made: made.wp("WP02").reject(shape="prose").override(), "review-cycle-1.md cannot have an override"),
    ],
    ids=["work-package", "lane", "cycle", "zero", "shape", "override"],
)
def test_wrong_use_is_told_by_name(made: Mission, call: Callable[[Mission], object], problem: str) -> None:
    with pytest.raises(BuildError, match=problem):
        call(made)


def test_a_number_that_is_taken_is_refused_before_the_row_is_written(made: Mission) -> None:
    write_review(made, "WP02", number=1)
    before = made.paths.log.read_bytes()

    with pytest.raises(BuildError, match="is there already"):
        made.wp("WP02").reject(cycle=1)
    assert made.paths.log.read_bytes() == before


# --- missions of older versions


@pytest.mark.parametrize("name", LEGACY)
def test_a_legacy_mission_is_read_by_both_profiles_and_is_the_same_every_time(tmp_path: Path, name: str) -> None:
    made = legacy(name, tmp_path / "a")
    again = legacy(name, tmp_path / "b")

    rows = [read_rows(made.paths.log.read_bytes(), profile) for profile in PROFILES.values()]
    assert len(rows[0]) == len(rows[1]) > 0
    assert LEGACY[name].about
    files = {path.relative_to(made.root): path.read_bytes() for path in made.root.rglob("*") if path.is_file()}
    assert files == {
        path.relative_to(again.root): path.read_bytes() for path in again.root.rglob("*") if path.is_file()
    }


def test_each_legacy_mission_has_what_it_is_named_for(tmp_path: Path) -> None:
    made = {name: legacy(name, tmp_path / name) for name in LEGACY}

    def rows(name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in made[name].paths.log.read_bytes().splitlines()]

    def frontmatter(name: str, work_package: str = "WP02") -> Any:
        (path,) = work_package_files(made[name].paths.tasks)[work_package]
        return read_work_package(path).frontmatter

    def meta(name: str) -> Any:
        return read_meta(made[name].paths.meta).data

    assert made["numbered-slug"].slug == "042-demo"
    assert "mission_id" not in meta("numbered-slug")
    assert not any("mission_id" in row for row in rows("numbered-slug"))
    assert meta("number-as-text")["mission_number"] == "042"
    assert {row["mission_slug"] for row in rows("renamed-mission")} == {made["renamed-mission"].slug, "demo-before"}
    assert all("mission_slug" not in row and row["feature_slug"] for row in rows("feature-slug-rows"))
    first = rows("forced-bootstrap")[0]
    assert (first["from_lane"], first["force"]) == ("planned", True)
    edges = {(Lane(row["from_lane"]), Lane(row["to_lane"])) for row in rows("unforced-history")}
    assert len(edges - set(EDGES)) == 4
    assert not any(row["force"] for row in rows("unforced-history"))
    assert rows("approved-without-result")[-1]["review_result"] is None
    claims = [row for row in rows("backfilled-claims") if row["to_lane"] == "claimed"]
    assert len({row["event_id"] for row in claims}) == 2
    assert len({row["at"] for row in claims}) == 1
    assert parse_reference(rows("feedback-reference")[-1]["review_ref"]).kind == "feedback"
    assert (meta("status-phase-mirror")["status_phase"], frontmatter("status-phase-mirror")["lane"]) == ("1", "planned")
    assert "owned_files" not in frontmatter("without-owned-files")
    assert "execution_mode" not in frontmatter("without-execution-mode")
    assert "subtasks" not in frontmatter("without-subtasks")
    assert frontmatter("dependencies-as-text")["dependencies"] == "WP01"
    assert frontmatter("dependencies-as-empty-text")["dependencies"] == "[]"
    assert (made["file-without-slug"].paths.tasks / "WP01.md").is_file()
    assert len(list(made["files-beside"].paths.tasks.glob("WP01*"))) == 2
    workspaces = list((made["workspace-per-work-package"].root / ".kittify" / "workspaces").glob("*-WP01.json"))
    assert "lane_id" not in json.loads(workspaces[0].read_bytes())
    assert "mission_id" not in json.loads((made["merge-state-file"].root / LEGACY_STATE).read_bytes())
    assert "mission_slug" not in json.loads(made["manifest-with-feature-slug"].paths.lanes.read_bytes())
    assert not active_state(made["merge-state-file"].root)


def test_the_verbs_go_on_with_a_legacy_mission(tmp_path: Path) -> None:
    made = legacy("file-without-slug", tmp_path)

    wp = made.wp("WP01").submit().review().reject()

    assert wp.artifacts[0].path == made.paths.tasks / "WP01" / "review-cycle-1.md"


def test_an_unknown_legacy_shape_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="unknown legacy shape 'older'; known: numbered-slug"):
        legacy("older", tmp_path)


# --- the resume state of a merge

STATE = MergeState("01JNDKSD00000000000000000A", "demo-01JNDKSD", "main", ("WP01", "WP02"), ("WP01",), "WP02")


def put(root: Path, state: MergeState, name: str | None = None) -> Path:
    path = state_path(root, name or state.mission_id)
    path.parent.mkdir(parents=True)
    path.write_bytes(encode_merge_state(state))
    return path


def test_a_state_is_indented_in_its_own_order_without_a_final_newline() -> None:
    lines = encode_merge_state(STATE).decode().split("\n")

    assert lines[:4] == [
        "{",
        f'  "mission_id": "{STATE.mission_id}",',
        '  "mission_slug": "demo-01JNDKSD",',
        '  "target_branch": "main",',
    ]
    assert lines[-2:] == ['  "pending_coord_reconcile": null', "}"]
    assert b"pending" not in encode_merge_state(STATE, drop=("pending_coord_reconcile",)).split(b"push_requested")[1]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"strategy": "squash", "workspace_path": "/x", "push_requested": True},
        {"pending_coord_reconcile": {"a": [1]}},
    ],
)
def test_a_state_comes_back_as_it_was(tmp_path: Path, changes: dict[str, Any]) -> None:
    state = dataclasses.replace(STATE, **changes)

    assert read_merge_state(put(tmp_path, state)) == state
    assert active_state(tmp_path) == active_state(tmp_path, STATE.mission_id) == state
    assert state.remaining == ("WP02",)


def test_keys_may_lack_or_be_unknown() -> None:
    values = {"mission_id": "a", "mission_slug": "a", "target_branch": "main", "wp_order": [], "colour": "red"}

    assert parse_merge_state(json.dumps(values).encode()) == MergeState("a", "a", "main", ())


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        (b"", "not-json"),
        (b"{", "not-json"),
        (b"\xff", "not-json"),
        (b"[]", "not-object"),
        (b"{}", "missing-field"),
        *[
            (encode_merge_state(STATE).replace(old, new), "wrong-type")
            for old, new in [
                (b'"merge"', b'"octopus"'),
                (b'"current_wp": "WP02"', b'"current_wp": 2'),
                (b'"push_requested": false', b'"push_requested": 0'),
                (b'"target_branch": "main"', b'"target_branch": null'),
                (b'"pending_coord_reconcile": null', b'"pending_coord_reconcile": "x"'),
                (b'    "WP01",', b"    1,"),
            ]
        ],
    ],
)
def test_a_state_that_cannot_be_read_is_a_finding_and_no_state(tmp_path: Path, data: bytes, finding: str) -> None:
    path = put(tmp_path, STATE)
    path.write_bytes(data)

    with pytest.raises(MergeStateError) as refused:
        parse_merge_state(data)
    assert refused.value.finding == finding
    states, damaged = read_states(tmp_path)
    assert (states, {name: error.finding for name, error in damaged.items()}) == ({}, {STATE.mission_id: finding})
    assert active_state(tmp_path) is active_state(tmp_path, STATE.mission_id) is None


def test_two_states_need_a_name(tmp_path: Path) -> None:
    other = dataclasses.replace(STATE, mission_id="other")
    put(tmp_path, STATE)
    put(tmp_path, other)

    assert active_state(tmp_path, "other") == other
    with pytest.raises(MergeStateError, match="other") as refused:
        active_state(tmp_path)
    assert refused.value.finding is MergeFinding.AMBIGUOUS


def test_without_a_state_there_is_none(tmp_path: Path) -> None:
    assert active_state(tmp_path) is active_state(tmp_path, "demo") is None
    with pytest.raises(MergeStateError, match="unreadable"):
        read_merge_state(state_path(tmp_path, "demo"))


def test_locks_lie_beside_states(tmp_path: Path) -> None:
    assert lock_path(tmp_path, "demo") == state_path(tmp_path, "demo").with_name("lock")
    assert lock_path(tmp_path) == tmp_path / ".kittify" / "runtime" / "merge" / GLOBAL_LOCK / "lock"
    for name in ("..", "a/b", ""):
        with pytest.raises(MergeStateError) as refused:
            active_state(tmp_path, name)
        assert refused.value.finding is MergeFinding.UNSAFE_SEGMENT
