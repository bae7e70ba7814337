"""Every verb that is no damage, as the released package reads, judges and materialises what it writes.

Which verbs there are is asked of the classes: a new one fails here until it has a case.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import Judge
from kitty_reliability.build.errors import BuildError
from kitty_reliability.build.event_log import ROUTES, EventLog
from kitty_reliability.build.lanes import repository_mission
from kitty_reliability.build.mission import Mission, WorkPackage, mission
from kitty_reliability.build.repository import repository
from kitty_reliability.build.reviews import SHAPES, SIBLINGS, write_cycles, write_review, write_sibling
from kitty_reliability.build.work_package import WorkPackageVerbs
from kitty_reliability.formats.events import encode_row, read_rows
from kitty_reliability.formats.merge_state import MergeState, encode_merge_state, state_path
from kitty_reliability.formats.mission import TOPOLOGIES, read_meta
from kitty_reliability.formats.profiles import PROFILES
from kitty_reliability.formats.snapshot import encode_snapshot
from kitty_reliability.reference.reducer import Reducer


def _verbs(of: type) -> dict[str, Callable[..., Any]]:
    """Return the public methods that return their own object."""
    return {
        name: method
        for name, method in vars(of).items()
        if inspect.isfunction(method) and not name.startswith("_") and method.__annotations__["return"] == of.__name__
    }


def _named(verb: Callable[..., Any]) -> set[str]:
    """Return the options of a verb."""
    return {
        parameter.name
        for parameter in inspect.signature(verb).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def _ours(made: Mission) -> str:
    meta = read_meta(made.paths.meta)
    profile = PROFILES["spec-kitty-3.2"]
    reducer = Reducer(profile, made.slug, meta.mission_id)
    reducer.add(read_rows(made.log.path.read_bytes(), profile))
    return encode_snapshot(reducer.snapshot(meta)).decode()


def _judged(judge: Judge, missions: dict[str, Mission], *more: str) -> list[list[Any]]:
    """Ask ``mission`` and ``more`` of each mission, and require that each is accepted, with lanes and bytes like ours."""
    readers = ("mission", *more)
    answers = iter(judge([(reader, made.directory) for made in missions.values() for reader in readers]))
    said = [[next(answers) for _ in readers] for _ in missions]
    for (name, made), told in zip(missions.items(), said, strict=True):
        for reader, answer in zip(readers, told, strict=True):
            assert answer is None or "error" not in answer, f"{name}: {reader}: {answer['error'][-800:]}"
        assert told[0]["status_json"] == _ours(made), name
        lanes = {wp: each["lane"] for wp, each in json.loads(told[0]["status_json"])["work_packages"].items()}
        # One that was annotated before it entered the log is nowhere yet.
        assert {wp: lane for wp, lane in lanes.items() if lane != "uninitialized"} == made.lanes, name
    return said


# --- verbs of a log

RESULT = {"reviewer": "reviewer-agent", "verdict": "changes_requested", "reference": "review:WP02:1"}
STRUCTURED = {"role": "implementer", "profile": None, "tool": "claude", "model": "m"}
SUBTASKS = {"T001": "done", "T002": "planned"}
OVERRIDE = {"actor": "arbiter", "at": "2025-03-03T09:00:00+00:00", "reason": "ok", "wp_id": "WP01"}
LIFECYCLE = (
    "MissionCreated", "SpecifyStarted", "SpecifyCompleted", "PlanStarted", "PlanCompleted", "TasksStarted",
    "TasksCompleted", "MissionReopened", "FollowUpRecorded",
)  # fmt: skip
RETROSPECTIVES = (
    "Captured", "CaptureFailed", "Skipped", "retrospective.requested", "retrospective.started",
    "retrospective.completed", "retrospective.skipped", "retrospective.failed", "retrospective.proposal.generated",
    "retrospective.proposal.applied", "retrospective.proposal.rejected",
)  # fmt: skip


def _lane(log: EventLog) -> None:
    log.lane("WP01", "doing").lane("WP01", "claimed", force=True).lane("WP01", "in_progress", actor=STRUCTURED)
    log.lane("WP02", "planned", review_result=RESULT, review_ref=RESULT["reference"])
    log.lane("WP02", "claimed", policy_metadata={"agent": "claude"}, execution_mode="direct_repo", drop=["mission_id"])
    log.lane("WP02", "done", force=True, reason="h\u00e4 \u2028", evidence={"review": RESULT | {"verdict": "approved"}})


def _annotate(log: EventLog) -> None:
    log.annotate("WP01", subtasks=SUBTASKS, agent="claude", shell_pid=7, shell_pid_created_at="x", role="implementer")
    log.annotate("WP01", tracker_refs=["#1"]).annotate("WP01", tracker_refs_replace=["#2"]).annotate(
        "WP01", review=OVERRIDE
    )
    log.annotate("WP02", release_runtime_claim=True, agent="other", model="m", provider="p", drop=["never there"])


def _lifecycle(log: EventLog) -> None:
    for name in LIFECYCLE:
        log.lifecycle(name)
    log.lifecycle("MissionCreated", wp_count=2, friendly_name="H\u00e4", drop=["never there"])
    log.lifecycle("WPCreated", wp_id="WP01").lifecycle("WPCreated", wp_id="WP02", depends_on=["WP01"])
    log.lifecycle("ReviewerSelfApproval", wp_id="WP01")


def _decision(log: EventLog) -> None:
    log.decision("D1").decision("D1", resolved=True)
    log.decision("D2", question="Which?", options=["a", "b"]).decision("D2", resolved=True, final_answer="a")
    log.decision("D3").decision("D3", resolved=True, terminal_outcome="deferred", final_answer=None, rationale="later")


def _retrospective(log: EventLog) -> None:
    for name in RETROSPECTIVES:
        log.retrospective(name)
    log.retrospective().retrospective("retrospective.completed", actor={"id": "a", "kind": "human", "profile_id": "p"})


def _row(log: EventLog) -> None:
    log.note("WP01", "first")
    log.row({**log.last, "event_id": log.ids.ulid(log.clock.now), "delta": {"note": "second"}})


def _fork(log: EventLog) -> None:
    other = log.fork(log.path, "other").lane("WP01", "in_progress")
    log.lanes |= other.lanes


LOG_CASES: dict[str, Callable[[EventLog], object]] = {
    "lane": _lane,
    "route": lambda log: log.route("WP01", ["in_progress", "blocked", "doing", "for_review"]),
    "annotate": _annotate,
    "note": lambda log: log.note("WP01", "h\u00e4llo \u2028 there").note("WP02", "{}\n---\n"),
    "lifecycle": _lifecycle,
    "decision": _decision,
    "retrospective": _retrospective,
    "retro": lambda log: log.retro("Captured").retro("retrospective.skipped"),
    "row": _row,
    "raw": lambda log: log.note("WP01", "n").raw(encode_row({**log.last, "event_id": log.ids.ulid(log.clock.now)})),
    "rewrite": lambda log: log.note("WP01", "gone").rewrite(log.data.rsplit(b"\n", 2)[0] + b"\n"),
    "fork": _fork,
    "defer": lambda log: log.defer().lane("WP01", "in_progress").flush(),
    "flush": lambda log: log.flush().lane("WP01", "in_progress").flush(),
}


def test_every_verb_of_a_log_has_a_case() -> None:
    assert LOG_CASES.keys() == _verbs(EventLog).keys()


def test_what_every_verb_of_a_log_writes_is_accepted(judge: Judge, tmp_path: Path) -> None:
    missions = {verb: mission(tmp_path / verb, {"WP01": "claimed", "WP02": "in_review"}) for verb in LOG_CASES}
    for verb, made in missions.items():
        before = made.log.path.read_bytes()
        LOG_CASES[verb](made.log)
        assert made.log.path.read_bytes() != before or verb == "rewrite", verb

    said = dict(zip(missions, _judged(judge, missions, "events"), strict=True))

    rows = {verb: told[0]["lane_rows"] for verb, told in said.items()}
    assert rows["lane"] == rows["note"] + 6
    assert said["annotate"][0]["annotations"] == 5
    assert said["retrospective"][0]["status_json"].count('"retrospective"') == 1
    written = {name for verb in ("lifecycle", "decision", "retrospective") for name in said[verb][1]["events"]}
    assert sorted(written) == said["lifecycle"][1]["known"]


# --- verbs of a work package

ARTIFACT = {"cycle": 7, "shape": "without-verdict"}
WORK_PACKAGE_CASES: dict[str, list[dict[str, Any]]] = {
    "plan": [{}, {"actor": STRUCTURED}],
    "claim": [{}],
    "start": [{}, {"policy_metadata": {"agent": "claude"}}],
    "submit": [{}],
    "review": [{}],
    "rework": [{}],
    "reject": [
        {}, {"to": "in_progress"}, {"force": True}, {"force": True, "to": "in_progress"}, {"event": False},
        {"artifact": False}, {"artifact": False, "event": False}, {"artifact_verdict": "approved"}, ARTIFACT,
    ],
    "approve": [
        {}, {"force": True}, {"event": False}, {"artifact": False}, {"artifact": False, "force": True},
        {"artifact_verdict": "rejected"}, ARTIFACT,
    ],
    "override": [{}, {"complete": False}, {"event": False}, {"artifact": False}],
    "withdraw_override": [{}, {"event": False}, {"artifact": False}],
    "block": [{}, {"reason": "it rains"}],
    "cancel": [{}, {"reason": "nobody wants it"}],
    "done": [{}],
}  # fmt: skip


def test_every_verb_of_a_work_package_has_a_case_for_every_option() -> None:
    verbs = _verbs(WorkPackageVerbs)
    assert WORK_PACKAGE_CASES.keys() == verbs.keys()
    for name, verb in verbs.items():
        assert _named(verb) <= {option for options in WORK_PACKAGE_CASES[name] for option in options}, name


def _every_way(root: Path, verb: str) -> Mission:
    """Return a mission with a work package for each lane and each set of options; what does not fit it stays."""
    ways = [(lane, options) for options in WORK_PACKAGE_CASES[verb] for lane in ROUTES]
    made = mission(root, {f"WP{number:02}": str(lane) for number, (lane, _) in enumerate(ways, 1)})
    done = []
    for number, (_, options) in enumerate(ways, 1):
        if verb.endswith("override"):
            # An override without an artifact and without an event would be none.
            write_review(made, f"WP{number:02}")
        rows = len(made.log.rows)
        try:
            getattr(made.wp(f"WP{number:02}"), verb)(**options)
        except BuildError:
            assert len(made.log.rows) == rows
        else:
            done.append(json.dumps(options, default=str))
    assert set(done) == {json.dumps(options, default=str) for options in WORK_PACKAGE_CASES[verb]}
    return made


def test_what_every_verb_of_a_work_package_writes_is_accepted_from_every_lane(judge: Judge, tmp_path: Path) -> None:
    missions = {verb: _every_way(tmp_path / verb, verb) for verb in WORK_PACKAGE_CASES}

    said = _judged(judge, missions, "artifacts", "references")

    for (verb, made), (_, artifacts, references) in zip(missions.items(), said, strict=True):
        cycles = {f"{path.parent.name}/{path.name}" for path in made.paths.tasks.glob("*/review-cycle-*.md")}
        assert artifacts.keys() == cycles, verb
        # The artifacts that are overridden were written without an event.
        assert len(references) == (0 if verb.endswith("override") else len(cycles)), verb


# --- artifacts, manifests, contexts, merge states, missions


def test_artifacts_of_every_shape_are_accepted_or_refused_as_it_declares(judge: Judge, tmp_path: Path) -> None:
    missions = {}
    for shape in SHAPES:
        missions[shape] = made = mission(tmp_path / shape, {"WP01": "in_review"})
        write_review(made, "WP01", shape=shape)
    missions["siblings"] = made = mission(tmp_path / "siblings", {"WP01": "in_review", "WP02": "in_review"})
    write_cycles(made, "WP02", {2: "approved", 9: "approved", 10: "rejected"})
    for name in SIBLINGS:
        if not name.startswith("review-cycle"):
            write_sibling(made, "WP02", name)

    said = judge([("artifacts", made.directory) for made in missions.values()])

    refused = {name for name, told in zip(missions, said, strict=True) if "error" in told}
    # Three are read, and then refused for what they say.
    dubious = {"hostile-mission", "without-body", "blank-body"}
    assert refused == dubious | {name for name, shape in SHAPES.items() if not shape.released}
    assert said[-1] == {f"WP02-work/review-cycle-{number}.md": number for number in (2, 9, 10)}


def test_a_lane_manifest_is_read_as_it_is_written(judge: Judge, tmp_path: Path) -> None:
    packages = {"WP01": "planned", "WP02": "planned", "WP03": WorkPackage(owned_files=["docs/[x]/**", "a b.md"])}
    lanes = {"lane-a": ["WP01", "WP02"], "lane-b": ["WP03"]}
    made = [
        mission(tmp_path / "one", packages, lane_manifest=lanes),
        mission(tmp_path / "planning", packages, lane_manifest={"lane-a": ["WP01"], "lane-planning": ["WP02", "WP03"]}),
        repository_mission(repository(tmp_path / "branch", branch="develop"), packages, lanes=lanes),
    ]

    for each, said in zip(made, judge([("manifest", each.directory) for each in made]), strict=True):
        ours = json.loads(each.paths.lanes.read_bytes())
        assert {key: said[key] for key in ours} == ours
        assert {key for key in said if said[key]} <= ours.keys() | {"planning_artifact_wps"}


@pytest.mark.parametrize("topology", [name for name in TOPOLOGIES if "lanes" in name])
def test_a_lane_is_remembered_and_guarded_as_its_context_is_called(judge: Judge, tmp_path: Path, topology: str) -> None:
    packages = {
        "WP01": "approved",
        "WP02": WorkPackage("in_progress", owned_files=["src/[two]/**"], dependencies=["WP01"]),
    }
    words = {
        "fresh": None,
        "stale": "ACTIVE_WP_CONTEXT_STALE",
        "ambiguous": "ACTIVE_WP_CONTEXT_AMBIGUOUS",
        "missing": "no context",
        "unreadable": "no context",
    }
    made = {
        word: repository_mission(repository(tmp_path / word), packages, topology=topology, context=word)  # type: ignore[arg-type]
        for word in words
    }

    said = judge([("context", {"root": each.root, "name": f"{each.slug}-lane-a"}) for each in made.values()])

    answers = dict(zip(made, said, strict=True))
    ours = json.loads(made["fresh"].lane("lane-a").context_path.read_bytes())
    assert answers["fresh"] == {
        "lane_test_env": None,
        **answers["fresh"],
        **ours,
        "active": "WP02",
        "owned": ["src/[two]/**"],
        "source": "canonical_status",
    }
    for word, expected in words.items():
        assert expected is None or expected in answers[word]["error"].splitlines()[-1], word


@pytest.mark.parametrize("strategy", ["merge", "squash", "rebase"])
def test_a_merge_state_is_there_to_resume_from(judge: Judge, tmp_path: Path, strategy: Any) -> None:
    state = MergeState(
        "01JNDKSD00000000000000000A", "demo", "main", ("WP01", "WP02"), ("WP01",), "WP02", strategy=strategy
    )
    path = state_path(tmp_path, state.mission_id)
    path.parent.mkdir(parents=True)
    path.write_bytes(encode_merge_state(state))

    (said,) = judge([("merge_state", {"root": tmp_path, "mission": state.mission_id})])

    assert said == json.loads(encode_merge_state(state))


META: dict[str, dict[str, Any]] = {
    "usual": {},
    "number": {"meta": {"mission_number": 7}},
    "type": {"meta": {"mission_type": "research"}},
    "words": {"meta": {"friendly_name": "H\u00e4: \u2028", "purpose_tldr": "Why", "purpose_context": "Because"}},
    "bulk-edit": {"meta": {"change_mode": "bulk_edit"}},
    "phase": {"meta": {"status_phase": "1"}},
    "merged": {"meta": {"baseline_merge_commit": "0" * 40, "merged_at": "2025-03-03T09:00:00+00:00"}},
    "target": {"meta": {"target_branch": "release/1"}},
    "unknown-keys": {"meta": {"flattened": True, "pr_bound": False, "x": [1]}},
    "without-topology": {"meta_drop": ["topology", "vcs"]},
    "without-id": {"slug": "042-demo", "meta_drop": ["mission_id"]},
    "own-slug": {"slug": "A.b_c-1"},
    "older-bootstrap": {"bootstrap": "planned"},
    "tasks": {"tasks": "# T\n\n- [ ] T001 x\n"},
    "actors": {"actor": "h\u00e4", "reviewer": "other: #1"},
    "no-packages": {"work_packages": {}},
    **{topology: {"topology": topology} for topology in TOPOLOGIES},
}


def test_missions_of_every_identity_are_accepted(judge: Judge, tmp_path: Path) -> None:
    missions = {
        name: mission(tmp_path / name, **{"work_packages": {"WP01": "approved", "WP02": "claimed"}, **options})
        for name, options in META.items()
    }

    said = _judged(judge, missions)

    for (name, made), (told,) in zip(missions.items(), said, strict=True):
        assert sorted(told["work_packages"].values()) == sorted(made.work_packages), name
