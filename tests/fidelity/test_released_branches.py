"""Branches of every shape, and lanes, as the released command finds them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conftest import Run
from kitty_reliability.build.lanes import RepositoryMission
from kitty_reliability.build.repository import Repository, repository
from kitty_reliability.build.worktrees import Lane

PACKAGES = {"WP01": "approved", "WP02": "planned"}
UNPROTECTED = "SPEC_KITTY_ALLOW_PROTECTED_BRANCH_COMMITS="


@dataclass(frozen=True)
class Shape:
    """A branch, and what the command says in it.

    ``push`` is what ``merge --push`` stops at; None: nothing is in its way. ``status`` is what the board says instead of
    the lanes, and ``emit`` why nothing can be written.
    """

    change: Callable[[Repository], object] = lambda _: None
    push: str | None = None
    status: str | None = None
    emit: str | None = None
    branch: str = "main"
    upstream: bool | str = True
    tracking: str = "origin/main"


SHAPES = {
    "in-sync": Shape(),
    "ahead": Shape(lambda repo: repo.diverge(ahead=2)),
    "behind": Shape(lambda repo: repo.diverge(behind=3), push="(0 ahead, 3 behind)"),
    "diverged": Shape(lambda repo: repo.diverge(ahead=1, behind=2), push="(1 ahead, 2 behind)"),
    "stale": Shape(lambda repo: repo.diverge(behind=1, fetched=False), push="(0 ahead, 1 behind)"),
    "unrelated": Shape(lambda repo: repo.unrelate(), push="(3 ahead, 1 behind)"),
    "shallow": Shape(lambda repo: repo.shallow()),
    "untracked": Shape(lambda repo: repo.retarget()),
    "never-tracked": Shape(upstream=False),
    "protected": Shape(lambda repo: repo.protect(), emit="PROTECTED_BRANCH_REFUSED"),
    "another-protected": Shape(lambda repo: repo.protect("release")),
    "detached": Shape(lambda repo: repo.detach(), status="Detached HEAD", emit="<detached>"),
    "dropped": Shape(lambda repo: repo.drop_branch(), status="Detached HEAD", emit="DESTINATION_REF_NOT_LOCAL"),
    "unborn": Shape(lambda repo: repo.unborn(), status="mission_not_found", emit="mission_not_found"),
    "other-target": Shape(branch="release/1", tracking="origin/release/1"),
    # Known: the release takes a tag for the branch of its name, and looks for a branch where it is not pushed to.
    "known-tag-like-branch": Shape(lambda repo: repo.tag_like_branch(), push="(0 ahead, 2 behind)"),
    "known-other-upstream": Shape(
        branch="develop", upstream="trunk", push="couldn't find remote ref refs/heads/develop"
    ),
}


@pytest.fixture(scope="module")
def said(run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    base = tmp_path_factory.mktemp("branches")
    asked: list[tuple[list[str], Path]] = []
    for name, shape in SHAPES.items():
        repo = repository(base / name, remote=True, branch=shape.branch, upstream=shape.upstream)
        made = repo.mission(PACKAGES, topology="lanes")
        shape.change(repo)
        mission = ["--mission", made.slug]
        asked += [
            (["agent", "tasks", "status", *mission, "--json"], made.root),
            (["merge", *mission, "--dry-run", "--json"], made.root),
            (["merge", *mission, "--yes", "--push"] if shape.push else ["--version"], made.root),
            (
                [UNPROTECTED, "agent", "status", "emit", "WP02", "--to", "claimed", "--actor", "a", *mission, "--json"],
                made.root,
            ),
        ]
    answers = run(asked)
    return {name: answers[4 * number : 4 * number + 4] for number, name in enumerate(SHAPES)}


@pytest.mark.parametrize("name", SHAPES)
def test_a_branch_is_found_in_the_shape_that_it_was_built_in(said: dict[str, list[dict[str, Any]]], name: str) -> None:
    shape = SHAPES[name]
    status, dry, push, emit = said[name]

    if shape.status is None:
        assert {each["id"]: each["lane"] for each in json.loads(status["stdout"])["work_packages"]} == PACKAGES
    else:
        assert shape.status in status["stdout"] + status["stderr"]
        assert status["status"] != 0
    if name != "unborn":
        assert dry["status"] == 0, dry
        assert json.loads(dry["stdout"])["target_branch"] == shape.branch
    if shape.push is not None:
        assert push["status"] == 1
        assert shape.push in push["stdout"]
    if shape.emit is None:
        assert json.loads(emit["stdout"])["to_lane"] == "claimed"
    else:
        assert shape.emit in emit["stdout"] + emit["stderr"]
        assert emit["status"] != 0


@pytest.mark.parametrize("topology", ["lanes", "lanes_with_coord"])
def test_a_lane_is_the_one_that_implement_makes(run: Run, tmp_path: Path, topology: str) -> None:
    theirs = _implemented(run, tmp_path, topology)
    ours = repository(tmp_path / "ours").mission({"WP01": "in_progress", "WP02": "planned"}, topology=topology)

    lane = ours.lane("lane-a")
    context = json.loads(lane.context_path.read_bytes())
    other = json.loads((theirs.root / lane.context_path.relative_to(ours.root)).read_bytes())
    # Who made it and when; the name of a database is for a runner of tests, and may be missing.
    own = {"created_at", "created_by", "base_commit"}
    assert {key: value for key, value in other.items() if key not in {*own, "lane_test_env"}} == {
        key: value for key, value in context.items() if key not in own
    }
    path = theirs.root / lane.path.relative_to(ours.root)
    made = Lane(theirs.repository, path, lane.branch, "lane-a", lane.context)
    assert made.git("branch", "--show-current") == lane.git("branch", "--show-current")
    # It began where its context says, and stands on the branch that its context says.
    for each, values in ((made, other), (lane, context)):
        assert each.git("merge-base", values["base_commit"], "HEAD").strip() == values["base_commit"]
        assert each.git("merge-base", "--is-ancestor", values["base_commit"], values["base_branch"]) == ""


def _implemented(run: Run, base: Path, topology: str) -> RepositoryMission:
    """Return a mission whose lane the release has made: built without one, analysed and begun."""
    packages = {"WP01": "planned", "WP02": "planned"}
    made = repository(base / "theirs").mission(packages, topology=topology, lane_manifest={"lane-a": list(packages)})
    folder = made.directory.relative_to(made.root).as_posix()
    made.repository.commit("Plan", files={f"{folder}/spec.md": "# Spec\n", f"{folder}/plan.md": "# Plan\n"})
    report = base / "report.md"
    report.write_text("# Analysis\n\nNo issues.\n")
    mission = ["--mission", made.slug]
    analysed, begun = run(
        [
            (["agent", "mission", "record-analysis", *mission, "--input-file", str(report)], made.root),
            (["agent", "action", "implement", "WP01", "--agent", "claude", *mission], made.root),
        ]
    )
    assert analysed["status"] == 0, analysed
    assert begun["status"] == 0, begun
    return made
