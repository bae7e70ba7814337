"""What ``build`` writes is read, validated and materialised by the released package, to the same bytes as ours."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.build.event_log import ROUTES
from kitty_reliability.build.mission import Mission, WorkPackage, mission
from kitty_reliability.formats.events import read_rows
from kitty_reliability.formats.lanes import EDGES, Lane
from kitty_reliability.formats.mission import read_meta
from kitty_reliability.formats.profiles import PROFILES, Profile
from kitty_reliability.formats.snapshot import encode_snapshot
from kitty_reliability.implementations.processes import clean_environment
from kitty_reliability.implementations.protocol import Materialize, State, Transition
from kitty_reliability.implementations.registry import connect
from kitty_reliability.reference.adapter import Reference
from kitty_reliability.reference.reducer import Reducer

SCRIPT = Path(__file__).with_name("released_reader.py")


def every_lane(root: Path) -> Mission:
    packages = {f"WP{number:02}": str(lane) for number, lane in enumerate(ROUTES, 1)}
    return mission(root, packages)


def older_bootstrap(root: Path) -> Mission:
    return mission(root, {"WP01": "approved", "WP02": "claimed"}, bootstrap="planned")


def every_edge(root: Path) -> Mission:
    """A work package for each edge of the lane table, brought to its source and moved along it."""
    edges = [edge for edge in EDGES if edge[0] is not Lane.GENESIS]
    built = mission(root, {f"WP{number:02}": str(edge[0]) for number, edge in enumerate(edges, 1)})
    for number, (_, target) in enumerate(edges, 1):
        built.log.lane(f"WP{number:02}", target)
    return built


def rejected_and_reworked(root: Path) -> Mission:
    built = mission(root, {"WP01": "in_review", "WP02": "in_review", "WP03": "approved"})
    built.log.lane("WP01", "planned").route("WP01", ["claimed", "in_progress", "for_review", "in_review", "approved"])
    built.log.lane("WP02", "in_progress").lane("WP02", "blocked").lane("WP02", "in_progress")
    built.log.lane("WP03", "planned").lane("WP03", "canceled").lane("WP03", "planned", force=True)
    return built


def rows_of_every_kind(root: Path) -> Mission:
    built = mission(root, {"WP01": "claimed", "WP02": "in_review"})
    log = built.log
    log.lifecycle("MissionCreated").lifecycle("WPCreated", wp_id="WP01", wp_title="One").decision("D1")
    log.note("WP01", "h\u00e4llo \u2028 there").annotate("WP01", subtasks={"T001": "done"}, agent="claude", shell_pid=7)
    log.annotate("WP01", tracker_refs=["#1", "#2"]).annotate("WP01", release_runtime_claim=True)
    log.annotate("WP02", review={"actor": "arb", "at": log.clock.text, "reason": "ok", "wp_id": "WP02"})
    log.retrospective("Captured").retrospective("retrospective.requested").retrospective("retrospective.completed")
    log.lane("WP01", "in_progress", actor={"role": "implementer", "profile": None, "tool": "claude", "model": "m"})
    return built


def full_frontmatter(root: Path) -> Mission:
    return mission(
        root,
        {
            "WP01": WorkPackage("in_progress", title="Yes: a 'title' #1", subtasks=["T001", "T002"]),
            "WP02": WorkPackage("planned", dependencies=["WP01"], owned_files=["src/[id]/*.py", "docs/**"]),
            "WP03": WorkPackage(frontmatter={"priority": "p1", "tags": ["on", "1e5"], "agent": "claude", "phase": 2}),
        },
        lane_manifest={"lane-a": ["WP01", "WP02"], "lane-b": ["WP03"]},
        meta={"purpose_tldr": "Why: because", "friendly_name": "H\u00e4"},
    )


def with_topology(topology: str) -> Callable[[Path], Mission]:
    def build(root: Path) -> Mission:
        return mission(root, {"WP01": "for_review"}, topology=topology, lane_manifest={"lane-a": ["WP01"]})

    build.__name__ = f"topology_{topology}"
    return build


BUILDERS: list[Callable[[Path], Mission]] = [
    every_lane, older_bootstrap, every_edge, rejected_and_reworked, rows_of_every_kind, full_frontmatter,
    with_topology("single_branch"), with_topology("lanes"),
]  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Mission]:
    base = tmp_path_factory.mktemp("built")
    return {builder.__name__: builder(base / builder.__name__) for builder in BUILDERS}


@pytest.fixture(scope="module")
def released(built: dict[str, Mission], released_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the released readers say of every built mission; one process for all of them."""
    home = str(tmp_path_factory.mktemp("home"))
    done = subprocess.run(
        [str(released_python), str(SCRIPT)],
        input=json.dumps([str(made.directory) for made in built.values()]).encode(),
        env=clean_environment({"HOME": home, "SPEC_KITTY_HOME": home, "SPEC_KITTY_ENABLE_SAAS_SYNC": "0"}),
        capture_output=True,
        check=True,
        timeout=180,
    )
    answers = json.loads(done.stdout)
    return {name: answers[str(made.directory)] for name, made in built.items()}


def _ours(made: Mission, profile: Profile) -> bytes:
    meta = read_meta(made.paths.meta)
    reducer = Reducer(profile, made.slug, meta.mission_id)
    reducer.add(read_rows(made.log.path.read_bytes(), profile))
    return encode_snapshot(reducer.snapshot(meta))


@pytest.mark.parametrize("name", [builder.__name__ for builder in BUILDERS])
def test_the_released_readers_accept_what_is_built(built: dict[str, Mission], released: Any, name: str) -> None:
    said = released[name]
    assert "error" not in said, said["error"]
    assert said["problems"] == []
    assert said["meta_errors"] == []
    lane_rows = [row for row in built[name].log.rows if "to_lane" in row]
    assert said["lane_rows"] == len(lane_rows)
    assert sorted(said["work_packages"].values()) == sorted(built[name].work_packages)


@pytest.mark.parametrize("name", [builder.__name__ for builder in BUILDERS])
@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_the_released_snapshot_is_ours_byte_for_byte(
    built: dict[str, Mission], released: Any, name: str, profile: Profile
) -> None:
    assert "error" not in released[name], released[name]["error"]
    assert _ours(built[name], profile).decode() == released[name]["status_json"]


def test_what_the_reference_writes_is_read_by_the_released_package(tmp_path: Path, released_python: Path) -> None:
    made = mission(tmp_path / "r", {"WP01": "planned"})
    reference = Reference()
    review = {"reviewer": "rev", "verdict": "approved", "reference": "review:1"}
    steps: list[dict[str, Any]] = [
        {"to": "claimed"},
        {"to": "doing", "workspace_context": "worktree:a"},
        {"to": "for_review"},
        {"to": "in_review", "actor": "rev"},
        {"to": "approved", "review_result": review, "review_ref": "review:1", "evidence": {"review": review}},
        {"to": "done", "evidence": {"review": review}},
    ]
    for step in steps:
        values = {"actor": "impl", **step}
        outcome = reference.answer(Transition(root=str(made.root), mission=made.slug, work_package="WP01", **values))
        assert outcome.ok, outcome
    done = subprocess.run(
        [str(released_python), str(SCRIPT)],
        input=json.dumps([str(made.directory)]).encode(),
        env=clean_environment({"HOME": str(tmp_path), "SPEC_KITTY_ENABLE_SAAS_SYNC": "0"}),
        capture_output=True,
        check=True,
        timeout=180,
    )
    said = json.loads(done.stdout)[str(made.directory)]
    assert "error" not in said, said["error"]
    assert said["problems"] == []
    assert said["status_json"].encode() == made.paths.snapshot.read_bytes()


def test_the_released_command_works_on_what_is_built(tmp_path: Path, released_python: Path) -> None:
    from kitty_reliability.build.repository import repository

    made = repository(tmp_path / "repo").mission({"WP01": "in_review", "WP02": "planned"})
    name = "spec-kitty.exe" if released_python.suffix == ".exe" else "spec-kitty"
    root, slug = str(made.root), made.slug
    with connect(f"spec-kitty:{released_python.with_name(name)}") as released_command:
        state = released_command.ask(State(root=root, mission=slug))
        assert state.ok, state
        assert state.value["lanes"] == {"WP01": "in_review", "WP02": "planned"}
        written = released_command.ask(Materialize(root=root, mission=slug))
        assert written.ok, written
    assert made.paths.snapshot.read_bytes() == _ours(made, PROFILES["spec-kitty-3.2"])
