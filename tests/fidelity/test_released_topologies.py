"""The released command in missions of every topology, from every checkout: it believes the log that we say it has.

Where 3.2.7 itself looks in the wrong place a test says so by name (``test_known_...``): when it fails, the release was
mended, and what the test says belongs into the others.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conftest import Run
from kitty_reliability.build.lanes import DECOY, RepositoryMission
from kitty_reliability.build.repository import repository
from kitty_reliability.formats.events import read_rows
from kitty_reliability.formats.mission import TOPOLOGIES, read_meta
from kitty_reliability.formats.profiles import PROFILES
from kitty_reliability.formats.snapshot import encode_snapshot
from kitty_reliability.reference.reducer import Reducer

PACKAGES = {"WP01": "in_review", "WP02": "in_progress", "WP03": "planned", "WP04": "approved", "WP05": "blocked"}
#: A topology with or without decoys; of one that has a single place for the log there is only one kind.
VARIANTS = [
    (topology, decoys) for topology in TOPOLOGIES for decoys in (True, False) if decoys or topology != "single_branch"
]


def _packages(told: Any) -> dict[str, str]:
    return {each["id"]: each["lane"] for each in told["work_packages"]}


def _tasks(told: Any) -> dict[str, str]:
    return {each["work_package_id"]: each["lane"] for each in told["tasks"]}


def _state(told: Any) -> dict[str, str]:
    return {each["wp_id"]: each["lane"] for each in told["data"]["work_packages"]}


def _snapshot(told: Any) -> dict[str, str]:
    return {wp: each["lane"] for wp, each in told["work_packages"].items()}


def _board(told: Any) -> dict[str, str]:
    return {wp: lane for lane, wps in told["lanes"].items() for wp in wps}


#: Commands that say where every work package is, and how to read them; the last one writes the snapshot.
READS: dict[str, tuple[list[str], Callable[[Any], dict[str, str]]]] = {
    "agent tasks status": (["agent", "tasks", "status", "--json"], _packages),
    "agent tasks list-tasks": (["agent", "tasks", "list-tasks", "--json"], _tasks),
    "orchestrator-api mission-state": (["orchestrator-api", "mission-state"], _state),
    "accept": (["accept", "--mode", "checklist", "--no-commit", "--json"], _board),
    "agent status materialize": (["agent", "status", "materialize", "--json"], _snapshot),
}


def _reads(decoys: bool) -> dict[str, tuple[list[str], Callable[[Any], dict[str, str]]]]:
    # Without decoys there is less to take for the truth.
    return READS if decoys else {name: READS[name] for name in ("agent tasks status", "agent status materialize")}


VALIDATE = ["agent", "status", "validate", "--json"]
#: What is asked in the primary checkout before anything else; ``next`` writes the snapshot.
FIRST = {
    "before": VALIDATE,
    "topology": ["doctor", "topology", "--json"],
    "coordination": ["doctor", "coordination", "--json"],
    "workspaces": ["doctor", "workspaces", "--json"],
    "identity": ["doctor", "identity", "--json"],
    "next": ["next", "--agent", "claude", "--json"],
}
#: Not asked of missions without decoys: it takes long, and says the same.
LAST = {"doctor": ["agent", "status", "doctor", "--json"]}


@dataclass
class Told:
    """What the command said of one mission: by checkout and name."""

    made: RepositoryMission
    answers: dict[tuple[str, str], dict[str, Any]]

    def json(self, place: str, name: str) -> Any:
        answer = self.answers[place, name]
        try:
            return json.loads(answer["stdout"])
        except ValueError:
            pytest.fail(f"{place}: {name} ended with {answer['status']}: {answer['stdout']}{answer['stderr']}")


def _places(made: RepositoryMission) -> dict[str, Path]:
    places = {"primary": made.root}
    if made.coordination is not None:
        places["coord"] = made.coord.path
    return places | {name: made.lane(name).path for name in list(made.lane_checkouts)[:1]}


def _ask(run: Run, missions: list[RepositoryMission], commands: dict[str, list[str]]) -> list[dict[str, Any]]:
    """Run each command in the primary checkout of each mission."""
    asked = [([*argv, "--mission", made.slug], made.root) for made in missions for argv in commands.values()]
    answers = iter(run(asked))
    return [{name: next(answers) for name in commands} for _ in missions]


@pytest.fixture(scope="module")
def told(run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, bool], Told]:
    base = tmp_path_factory.mktemp("topologies with blanks \u00e4")
    asked: list[tuple[list[str], Path]] = []
    keys: list[tuple[tuple[str, bool], str, str]] = []
    missions = {}
    for variant in VARIANTS:
        topology, decoys = variant
        lanes = {"lane-a": ["WP01", "WP02"], "lane-b": ["WP03", "WP04", "WP05"]} if "lanes" in topology else None
        made = repository(base / f"{topology}-{decoys}").mission(
            PACKAGES, topology=topology, lanes=lanes, decoys=decoys
        )
        missions[variant] = made
        commands = [("primary", name, argv) for name, argv in FIRST.items()]
        commands += [(place, name, argv) for place in _places(made) for name, (argv, _) in _reads(decoys).items()]
        commands += [(place, "after", VALIDATE) for place in _places(made)]
        commands += [("primary", name, argv) for name, argv in LAST.items() if decoys]
        for place, name, argv in commands:
            keys.append((variant, place, name))
            chosen = [] if argv[0] == "doctor" else ["--mission", made.slug]
            asked.append(([*argv, *chosen], _places(made)[place]))
    answers = dict(zip(keys, run(asked), strict=True))
    return {
        variant: Told(made, {(place, name): said for (whose, place, name), said in answers.items() if whose == variant})
        for variant, made in missions.items()
    }


def _id(variant: tuple[str, bool]) -> str:
    return f"{variant[0]}-{'decoys' if variant[1] else 'alone'}"


every_variant = pytest.mark.parametrize("variant", VARIANTS, ids=_id)


@every_variant
def test_every_command_believes_the_canonical_log_from_every_checkout(
    told: dict[tuple[str, bool], Told], variant: tuple[str, bool]
) -> None:
    said = told[variant]
    assert said.made.expected == PACKAGES
    for place in _places(said.made):
        for name, (_, lanes) in _reads(variant[1]).items():
            assert lanes(said.json(place, name)) == PACKAGES, (place, name)


@pytest.mark.parametrize("topology", ["lanes", "coord", "lanes_with_coord"])
def test_a_decoy_says_of_every_work_package_what_the_command_does_not(
    told: dict[tuple[str, bool], Told], topology: str
) -> None:
    made = told[topology, True].made
    copies = {place: made.root / made.copy_in(_checkout(made, place)) for place in _places(made)}
    decoys = {place: path for place, path in copies.items() if path != made.log.path}
    assert decoys
    for place, path in decoys.items():
        assert DECOY in path.read_text(), place
        lies = _lanes_of(path)
        assert lies.keys() == PACKAGES.keys()
        assert not {wp for wp, lane in lies.items() if lane == PACKAGES[wp]}, place


def _checkout(made: RepositoryMission, place: str) -> Any:
    return {"primary": made.primary, "coord": made.coordination, **made.lane_checkouts}[place]


def _lanes_of(path: Path) -> dict[str, str]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return {row["wp_id"]: row["to_lane"] for row in rows}


@every_variant
def test_the_snapshot_is_written_beside_the_canonical_log_and_nowhere_else(
    told: dict[tuple[str, bool], Told], variant: tuple[str, bool]
) -> None:
    made = told[variant].made
    written = made.log.path.with_name("status.json")
    assert [path.with_name("status.json") for path in _all_copies(made) if path.with_name("status.json").exists()] == [
        written
    ]
    profile = PROFILES["spec-kitty-3.2"]
    meta = read_meta(made.paths.meta)
    reducer = Reducer(profile, made.slug, meta.mission_id)
    reducer.add(read_rows(made.log.path.read_bytes(), profile))
    assert written.read_bytes() == encode_snapshot(reducer.snapshot(meta))


def _all_copies(made: RepositoryMission) -> list[Path]:
    return [made.copy_in(_checkout(made, place)) for place in _places(made)]


@every_variant
def test_a_new_mission_lacks_its_snapshot_and_nothing_else(
    told: dict[tuple[str, bool], Told], variant: tuple[str, bool]
) -> None:
    said = told[variant]
    before = said.json("primary", "before")
    (only,) = before["errors"]
    assert only.startswith("status.events.jsonl exists but status.json is missing")
    assert before["warnings"] == []
    for place in _places(said.made):
        after = said.json(place, "after")
        assert (after["passed"], after["errors"], after["warnings"]) == (True, [], []), place


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_the_status_doctor_finds_claims_old_and_nothing_else(told: dict[tuple[str, bool], Told], topology: str) -> None:
    # The builder's clock stands in the past.
    findings = told[topology, True].json("primary", "doctor")["findings"]
    assert [(each["category"], each["wp_id"]) for each in findings] == [("stale_claim", "WP02")]


@every_variant
def test_next_and_the_doctors_find_the_mission_sound(
    told: dict[tuple[str, bool], Told], variant: tuple[str, bool]
) -> None:
    topology, decoys = variant
    said = told[variant]
    ahead = said.json("primary", "next")
    assert (ahead["preview_step"], ahead["wp_id"]) == ("implement", "WP03")
    assert (ahead["progress"]["total_wps"], ahead["progress"]["approved_wps"]) == (len(PACKAGES), 1)
    (stored,) = said.json("primary", "topology")["missions"]
    assert (stored["slug"], stored["topology"], stored["error"]) == (said.made.slug, topology, None)
    assert said.json("primary", "identity")["summary"] == {"assigned": 0, "pending": 1, "legacy": 0, "orphan": 0}
    workspaces = said.json("primary", "workspaces")
    assert (workspaces["healthy"], workspaces["husks"]) == (True, [])
    drifts = [each["error_code"] for each in said.json("primary", "coordination") if each["severity"] != "ok"]
    # Lanes of a coordinated mission do not check the log out, unless it is there to deceive.
    assert drifts == (["LANE_SPARSE_CHECKOUT_DRIFT"] * 2 if topology == "lanes_with_coord" and decoys else [])


# --- what the release gets wrong itself


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_known_mission_review_believes_the_primary_checkout(run: Run, tmp_path: Path, topology: str) -> None:
    made = repository(tmp_path / "repo").mission(PACKAGES, topology=topology)

    said = _ask(run, [made], {"review": ["review"]})[0]["review"]

    lanes = dict(line.split(": ") for line in map(str.strip, said["stdout"].splitlines()) if line.startswith("WP0"))
    believed = _lanes_of(made.copy_in(made.primary)) if "coord" in topology else PACKAGES
    assert lanes == believed


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_known_audit_believes_the_primary_checkout(run: Run, tmp_path: Path, topology: str) -> None:
    made = repository(tmp_path / "repo").mission({"WP01": "approved", "WP02": "planned"}, topology=topology)
    if "coord" in topology:
        # The decoy: there the other work package is the approved one.
        made.log.fork(made.copy_in(made.primary), DECOY).lane("WP01", "planned").lane("WP02", "approved", force=True)

    said = _ask(run, [made], {"audit": ["doctor", "mission-state", "--audit", "--json"]})[0]["audit"]

    # It asks every approved one for a key that no task file may have.
    found = [each["artifact_path"] for each in json.loads(said["stdout"])["missions"][0]["findings"]]
    approved = "WP02" if "coord" in topology else "WP01"
    assert found == [f"tasks/{made.task_file(approved).name}"]


# --- writing


WRITES = {
    "submit": ["agent", "tasks", "move-task", "WP01", "--to", "for_review", "--agent", "implementer-agent", "--json"],
    "review": ["agent", "action", "review", "WP02", "--agent", "reviewer-agent"],
    "emit": ["agent", "status", "emit", "WP03", "--to", "claimed", "--actor", "implementer-agent", "--json"],
    "status": ["agent", "tasks", "status", "--json"],
}


@pytest.fixture(scope="module")
def written(run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[RepositoryMission, Any]]:
    base = tmp_path_factory.mktemp("writes")
    packages = {"WP01": "in_progress", "WP02": "for_review", "WP03": "planned"}
    missions = [repository(base / topology).mission(packages, topology=topology) for topology in TOPOLOGIES]
    return dict(zip(TOPOLOGIES, zip(missions, _ask(run, missions, WRITES), strict=True), strict=True))


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_what_the_command_writes_goes_to_the_canonical_log_and_to_no_decoy(
    written: dict[str, tuple[RepositoryMission, Any]], topology: str
) -> None:
    made, answers = written[topology]
    emitted = json.loads(answers["emit"]["stdout"])
    assert Path(emitted["status_events_path"]).resolve() == made.log.path.resolve()
    assert made.log.path.read_bytes().startswith(made.log.data)
    moved = {"WP01": "for_review", "WP02": "in_review", "WP03": "claimed"}
    if "lanes" not in topology:
        # Without a lane there is nothing to submit from.
        assert [json.loads(answers["submit"]["stdout"])["error"].split()[0], answers["review"]["status"]] == [
            "lanes.json",
            1,
        ]
        moved |= {"WP01": "in_progress", "WP02": "for_review"}
    else:
        assert json.loads(answers["submit"]["stdout"])["result"] == "success", answers["submit"]
        assert answers["review"]["status"] == 0, answers["review"]
    assert _packages(json.loads(answers["status"]["stdout"])) == moved
    if "coord" in topology:
        assert emitted["event_id"] not in made.copy_in(made.primary).read_text()


def test_known_lanes_of_a_coordinated_mission_are_refused_for_what_the_command_merged_into_them(
    run: Run, written: dict[str, tuple[RepositoryMission, Any]]
) -> None:
    made, _ = written["lanes_with_coord"]
    lane = made.lane("lane-a")
    assert made.log.path.parent.name in lane.git(
        "log", "-1", "--merges", "--format=", "--name-only", "-m", "--first-parent"
    )

    approve = ["agent", "tasks", "move-task", "WP02", "--to", "approved", "--agent", "reviewer-agent", "--json"]
    said = _ask(run, [made], {"approve": approve})[0]["approve"]

    assert said["status"] == 1
    assert "remove planning artifacts from lane branch" in json.loads(said["stdout"])["error"]
