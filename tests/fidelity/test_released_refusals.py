"""The other half of every test of fidelity: what is damaged is refused, by each reader and each command that is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from released_reader import READERS

from conftest import Judge, Run
from kitty_reliability.build.lanes import repository_mission
from kitty_reliability.build.mission import Mission, WorkPackage, mission
from kitty_reliability.build.prompts import prompt
from kitty_reliability.build.repository import repository
from kitty_reliability.build.reviews import write_review
from kitty_reliability.faults.log import damage
from kitty_reliability.formats.merge_state import state_path

Damage = Callable[[Path], Any]


def _mission(act: Callable[[Mission], object], lane: str = "in_review", **options: Any) -> Damage:
    """Return who builds a mission, damages it, and returns its directory."""

    def build(root: Path) -> Path:
        made = mission(root, {"WP01": lane}, **options)
        act(made)
        return made.directory

    return build


def _rejected(made: Mission) -> None:
    made.wp("WP01").reject().approve(force=True, event=False, artifact=False)


def _context(word: Any) -> Damage:
    def build(root: Path) -> dict[str, Any]:
        packages = {"WP01": "approved", "WP02": "in_progress"}
        made = repository_mission(repository(root), packages, topology="lanes", context=word)
        return {"root": made.root, "name": f"{made.slug}-lane-a"}

    return build


def _merge_state(root: Path) -> dict[str, Any]:
    path = state_path(root, "demo")
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"mission_id": "demo"')
    return {"root": root, "mission": "demo"}


def _prompt(root: Path) -> dict[str, Any]:
    return dict(prompt(mission(root, {"WP01": "in_review"})).tampered("mission_id").requested.as_dict())


#: By reader: what it must refuse, and a word of why.
REFUSED: dict[str, list[tuple[str, Damage]]] = {
    "mission": [
        ("line", _mission(lambda made: damage(made.log).torn_tail())),
        ("kind", _mission(lambda made: damage(made.log).unknown_kind())),
        ("doing", _mission(lambda made: made.log.lane("WP01", "planned", to_lane="doing"))),
        ("from_lane", _mission(lambda made: made.log.lane("WP01", "planned", drop=["from_lane"]))),
        ("execution_mode", _mission(lambda made: made.log.lane("WP01", "planned", execution_mode="nowhere"))),
        ("planned -> done", _mission(lambda made: made.log.lane("WP01", "done", illegal=True), lane="planned")),
        ("evidence", _mission(lambda made: made.log.lane("WP01", "done", evidence=None), lane="approved")),
        ("target_branch", _mission(lambda _: None, meta_drop=["target_branch"])),
        ("CorruptLanesError", _mission(lambda made: made.paths.lanes.write_bytes(b"{"), lane_manifest={"lane-a": ["WP01"]})),
        ("colour", lambda root: mission(root, {"WP01": WorkPackage(frontmatter={"colour": "red"})}).directory),
    ],
    "events": [
        ("purpose_tldr", _mission(lambda made: made.log.lifecycle("MissionCreated", purpose_tldr=None))),
        ("question", _mission(lambda made: made.log.decision("D1", question=None))),
        ("final", _mission(lambda made: made.log.decision("D1", resolved=True, final_answer=7))),
        ("record_path", _mission(lambda made: made.log.retrospective("retrospective.completed", payload={}))),
        ("mid8", _mission(lambda made: made.log.retrospective("retrospective.started", mid8="x"))),
        ("colour", _mission(lambda made: made.log.retrospective("Captured", colour="red"))),
    ],
    "artifacts": [("frontmatter", _mission(lambda made: write_review(made, "WP01", shape="prose")))],
    "references": [("nowhere", _mission(lambda made: made.wp("WP01").reject().artifacts[0].path.unlink()))],
    "gate": [("WP01", _mission(_rejected))],
    "context": [("no context", _context("unreadable")), ("STALE", _context("stale")), ("AMBIGUOUS", _context("ambiguous"))],
    "manifest": [
        ("no manifest", _mission(lambda _: None)),
        ("CorruptLanesError", _mission(lambda made: made.paths.lanes.write_bytes(b"[]"))),
    ],
    "merge_state": [("no state", _merge_state)],
    "prompt": [("MISMATCH", _prompt)],
}  # fmt: skip


def test_every_reader_has_something_that_it_must_refuse() -> None:
    assert REFUSED.keys() == READERS.keys()


def test_every_reader_refuses_what_is_damaged(judge: Judge, tmp_path: Path) -> None:
    cases = [(reader, why, build) for reader, damages in REFUSED.items() for why, build in damages]
    asked = [(reader, build(tmp_path / str(number))) for number, (reader, _, build) in enumerate(cases)]

    for (reader, why, _), said in zip(cases, judge(asked), strict=True):
        assert "error" in (said or {}), (reader, why, said)
        assert why in said["error"], (reader, said["error"])


def test_the_reader_of_the_gate_lets_pass_what_is_in_order(judge: Judge, tmp_path: Path) -> None:
    sound = _mission(lambda made: made.wp("WP01").reject().rework().approve())(tmp_path / "sound")

    assert judge([("gate", sound)]) == [None]


STATUS = ["agent", "tasks", "status", "--json"]
VALIDATE = ["agent", "status", "validate", "--json"]
DRY = ["merge", "--dry-run", "--json"]
#: By name: the damage, the command, and a word of what it says.
COMMANDS: dict[str, tuple[Callable[[Mission], object], list[str], str]] = {
    "torn log": (lambda made: damage(made.log).torn_tail(), STATUS, "line"),
    "unknown kind": (lambda made: damage(made.log).unknown_kind(), STATUS, "kind"),
    "illegal edge": (lambda made: made.log.lane("WP02", "done", illegal=True), VALIDATE, "planned -> done"),
    "drift": (lambda made: made.paths.snapshot.write_bytes(b"{}"), VALIDATE, "drift"),
    "rejected": (_rejected, DRY, "REJECTED_REVIEW_ARTIFACT_CONFLICT"),
    "torn manifest": (lambda made: made.paths.lanes.write_bytes(b"{"), DRY, "lanes.json"),
}  # fmt: skip


def test_every_command_refuses_what_is_damaged(run: Run, tmp_path: Path) -> None:
    asked = []
    for number, (act, argv, _) in enumerate(COMMANDS.values()):
        made = repository(tmp_path / str(number)).mission({"WP01": "in_review", "WP02": "planned"}, topology="lanes")
        act(made)
        asked.append(([*argv, "--mission", made.slug], made.root))

    for (name, (_, _, why)), said in zip(COMMANDS.items(), run(asked), strict=True):
        assert said["status"] != 0, (name, said)
        assert why.lower() in json.dumps(said["stdout"] + said["stderr"]).lower(), (name, said)


@pytest.mark.parametrize("name", ["validate", "status"])
def test_both_commands_accept_the_mission_that_nobody_damaged(run: Run, tmp_path: Path, name: str) -> None:
    made = repository(tmp_path / "repo").mission({"WP01": "in_review", "WP02": "planned"}, topology="lanes")
    materialize = ["agent", "status", "materialize", "--json"]
    argv = {"validate": VALIDATE, "status": STATUS}[name]

    said = run([([*each, "--mission", made.slug], made.root) for each in (materialize, argv)])

    assert [each["status"] for each in said] == [0, 0]
