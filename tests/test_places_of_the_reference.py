"""Where the reference finds a mission: from every place, never by guessing, without a git process."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.build.lanes import RepositoryMission
from kitty_reliability.build.mission import mission
from kitty_reliability.build.repository import Repository, repository
from kitty_reliability.formats.diagnostics import DiagnosticError
from kitty_reliability.implementations import protocol
from kitty_reliability.observe.rows import rows_from_bytes
from kitty_reliability.reference.adapter import Reference
from kitty_reliability.reference.locations import find_mission, lock_path
from kitty_reliability.reference.workflow import Workflow


@pytest.fixture
def made(tmp_path: Path) -> Repository:
    return repository(tmp_path.resolve() / "repo")


@pytest.fixture
def built(made: Repository) -> RepositoryMission:
    return made.mission({"WP01": "planned"}, lanes={"lane-a": ["WP01"]})


def code_of(asked: Callable[[], Any]) -> str:
    with pytest.raises(DiagnosticError) as caught:
        asked()
    assert "{" not in caught.value.diagnostic.message
    return caught.value.diagnostic.code


def places(built: RepositoryMission) -> list[Path]:
    lane, root = built.lane("lane-a"), built.root
    (root / "src" / "deep").mkdir(parents=True)
    lane.git("worktree", "add", "--quiet", "-b", "nested", str(lane.path / "nested"))
    outside, link = root.parent / "outside", root.parent / "link"
    lane.git("worktree", "add", "--quiet", "-b", "outside", str(outside))
    link.symlink_to(lane.path)
    inner = [root / "src" / "deep", root / ".git", lane.path, lane.path / "kitty-specs", lane.path / "nested"]
    return [root, *inner, outside, link]


def test_every_place_means_one_mission_and_one_lock(built: RepositoryMission, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = places(built)
    monkeypatch.setattr(subprocess, "Popen", None)
    found = {find_mission(str(place), built.slug) for place in asked}
    assert [paths.log for paths in found] == [built.log.path]
    assert lock_path(found.pop()) == built.root / ".git" / "spec-kitty-locks" / f"{built.slug}.status.lock"


def test_a_linked_root_and_odd_letters_mean_the_same(tmp_path: Path) -> None:
    base = tmp_path.resolve()
    built = repository(base / "Größe und Maß" / "repo").mission({"WP01": "planned"}, lanes={"lane-a": ["WP01"]})
    (base / "link").symlink_to(built.root)
    for place in (base / "link", base / "link" / "kitty-specs", base / "link" / ".worktrees" / f"{built.slug}-lane-a"):
        assert find_mission(str(place), built.slug).root == built.root


def test_variables_of_git_are_not_looked_at(
    built: RepositoryMission, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoy = repository(tmp_path / "decoy").mission({"WP01": "planned"})
    for name, value in (("GIT_DIR", ".git"), ("GIT_WORK_TREE", "."), ("GIT_INDEX_FILE", ".git/index")):
        monkeypatch.setenv(name, str(decoy.root / value))
    assert find_mission(str(built.root), built.slug).root == built.root


def test_a_directory_without_git_is_found_from_below(tmp_path: Path) -> None:
    built = mission(tmp_path.resolve() / "plain", {"WP01": "planned"})
    for place in (built.root, built.paths.tasks):
        paths = find_mission(str(place), built.slug)
        assert (paths.root, paths.log) == (built.root, built.paths.log)
    assert lock_path(paths) == built.root / ".kittify" / "locks" / f"{built.slug}.status.lock"


def test_missions_in_a_repository_that_has_none_at_its_root(made: Repository) -> None:
    built = mission(made.root / "examples" / "demo", {"WP01": "planned"})
    assert find_mission(str(built.paths.tasks), built.slug).root == built.root
    husk = made.root / ".worktrees" / "left-over"
    shutil.copytree(built.root, husk)
    assert code_of(lambda: find_mission(str(husk), built.slug)) == "MISSION_NOT_FOUND"


@pytest.mark.parametrize("kind", ["clone", "worktree", "empty .git"])
def test_a_checkout_of_its_own_within_another(made: Repository, tmp_path: Path, kind: str) -> None:
    built = made.mission({"WP01": "planned"})
    place = made.root / "vendor"
    other = repository(tmp_path / "other")
    if kind == "clone":
        made.git("clone", "--quiet", str(other.root), str(place))
    elif kind == "worktree":
        other.git("worktree", "add", "--quiet", "-b", "topic", str(place))
    else:
        (place / ".git").mkdir(parents=True)
        # As git has it: no repository begins there.
        assert find_mission(str(place), built.slug).root == made.root
        return
    assert code_of(lambda: find_mission(str(place), built.slug)) == "CHECKOUT_FOREIGN"


def test_a_submodule_is_part_of_what_is_around_it_until_it_has_missions(made: Repository, tmp_path: Path) -> None:
    built = made.mission({"WP01": "planned"})
    library = repository(tmp_path / "library")
    made.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library.root), "library")
    place = made.root / "library"
    assert (place / ".git").is_file()
    assert find_mission(str(place), built.slug).root == made.root
    own = mission(place, {"WP01": "planned"}, name="own")
    assert find_mission(str(place), own.slug).root == place
    assert code_of(lambda: find_mission(str(place), built.slug)) == "CHECKOUT_FOREIGN"
    assert lock_path(find_mission(str(place), own.slug)).is_relative_to(made.root / ".git" / "modules")


def test_a_git_directory_that_is_elsewhere(tmp_path: Path) -> None:
    root = tmp_path.resolve() / "checkout"
    built = mission(root, {"WP01": "planned"})
    subprocess.run(
        ["git", "init", "--quiet", f"--separate-git-dir={root.parent / 'store'}", str(root)],
        check=True,
        capture_output=True,
    )
    paths = find_mission(str(built.paths.tasks), built.slug)
    assert paths.root == root
    assert lock_path(paths).is_relative_to(root.parent / "store")


def test_a_worktree_of_a_bare_repository_has_no_main_checkout(made: Repository, tmp_path: Path) -> None:
    built = made.mission({"WP01": "planned"})
    bare, place = tmp_path.resolve() / "bare.git", tmp_path.resolve() / "one"
    made.git("clone", "--quiet", "--bare", str(made.root), str(bare))
    made.git(f"--git-dir={bare}", "worktree", "add", "--quiet", str(place), "main")
    assert code_of(lambda: find_mission(str(place), built.slug)) == "MAIN_CHECKOUT_UNKNOWN"


def test_the_worktree_of_a_copied_repository_does_not_lead_to_the_original(built: RepositoryMission) -> None:
    copy = built.root.parent / "copy"
    shutil.copytree(built.root, copy, symlinks=True)
    place = copy / ".worktrees" / f"{built.slug}-lane-a"
    assert code_of(lambda: find_mission(str(place), built.slug)) == "MAIN_CHECKOUT_UNKNOWN"
    assert find_mission(str(copy), built.slug).root == copy


def test_a_worktree_that_was_moved_is_still_one(built: RepositoryMission) -> None:
    moved = built.root.parent / "moved"
    built.lane("lane-a").path.rename(moved)
    assert find_mission(str(moved), built.slug).root == built.root


def test_a_worktree_whose_repository_is_gone_names_the_record(built: RepositoryMission) -> None:
    lane = built.lane("lane-a").path
    shutil.rmtree(built.root / ".git" / "worktrees")
    with pytest.raises(DiagnosticError) as caught:
        find_mission(str(lane), built.slug)
    assert caught.value.diagnostic.code == "WORKSPACE_MISSING"
    assert str(lane / ".git") in caught.value.diagnostic.message


@pytest.mark.parametrize("root", ["nowhere", "a\0b"])
def test_a_root_that_is_not_there(tmp_path: Path, root: str) -> None:
    assert code_of(lambda: find_mission(str(tmp_path / root), "demo")) == "REPOSITORY_NOT_FOUND"


def test_a_directory_without_meta_json_is_no_mission(built: RepositoryMission) -> None:
    (built.root / "kitty-specs" / "husk").mkdir()
    assert code_of(lambda: find_mission(str(built.root), "husk")) == "MISSION_NOT_FOUND"
    built.paths.meta.unlink()
    # The lane's copy of it has one; that is no reason to write there.
    assert code_of(lambda: find_mission(str(built.lane("lane-a").path), built.slug)) == "MISSION_NOT_FOUND"


# --- by the mission's id


def test_a_mission_is_found_by_the_beginning_of_its_id(made: Repository) -> None:
    built = made.mission({"WP01": "planned"}, slug="plain-name")
    for selector in (built.mission_id[:8], built.mission_id):
        answer = Reference().answer(protocol.Open(root=str(made.root), mission=selector))
        assert answer.value["mission_slug"] == "plain-name"
    request = protocol.Transition(
        root=str(made.root), mission=built.mission_id[:8], work_package="WP01", to="claimed", actor="x"
    )
    assert Reference().answer(request).ok
    assert {row["mission_slug"] for row in rows_from_bytes(built.log.path.read_bytes())} == {"plain-name"}


def test_the_beginning_of_several_ids_is_ambiguous(made: Repository) -> None:
    built = made.mission({"WP01": "planned"}, name="one")
    shared = built.mission_id[:8]
    made.mission({"WP01": "planned"}, name="two", meta={"mission_id": shared + "0" * 18})
    (made.root / "kitty-specs" / "broken").mkdir()
    (made.root / "kitty-specs" / "broken" / "meta.json").write_text("{", encoding="utf-8")
    with pytest.raises(DiagnosticError) as caught:
        find_mission(str(made.root), shared)
    assert caught.value.diagnostic.code == "MISSION_AMBIGUOUS"
    assert built.slug in caught.value.diagnostic.message
    assert find_mission(str(made.root), built.mission_id).slug == built.slug
    assert code_of(lambda: find_mission(str(made.root), "0000ZZZZ")) == "MISSION_NOT_FOUND"


# --- coordination


@pytest.mark.parametrize("topology", ["coord", "lanes_with_coord"])
def test_log_and_snapshot_are_those_of_the_coordination_worktree(made: Repository, topology: str) -> None:
    built = made.mission({"WP01": "planned"}, topology=topology)
    workflow, decoy = Workflow(), built.paths.log.read_bytes()
    for place in (made.root, built.coord.path, *(lane.path for lane in built.lane_checkouts.values())):
        paths = find_mission(str(place), built.slug)
        assert (paths.log, paths.meta) == (built.log.path, built.paths.meta)
        assert workflow.state(str(place), built.slug).lanes == {"WP01": "planned"}
    workflow.transition(
        protocol.Transition(root=str(made.root), mission=built.slug, work_package="WP01", to="claimed", actor="x")
    )
    assert built.log.path.with_name("status.json").is_file()
    assert built.paths.log.read_bytes() == decoy
    assert not built.paths.snapshot.exists()


@pytest.mark.parametrize("there", ["nothing", "a directory", "a clone", "another branch", "a detached HEAD"])
def test_a_coordination_worktree_that_is_none(made: Repository, there: str) -> None:
    built = made.mission(
        {"WP01": "planned"}, topology="coord", meta={"coordination_branch": "a branch'x".replace(" ", "-")}
    )
    path = built.coord.path
    if there == "another branch":
        built.coord.git("switch", "--quiet", "-c", "other")
    elif there == "a detached HEAD":
        built.coord.git("checkout", "--quiet", "--detach")
    else:
        made.git("worktree", "remove", "--force", str(path))
    if there == "a directory":
        path.mkdir()
    if there == "a clone":
        made.git("clone", "--quiet", "--branch", built.branch, str(made.root), str(path))
    before = sorted(made.root.rglob("status.events.jsonl"))
    with pytest.raises(DiagnosticError) as caught:
        find_mission(str(made.root), built.slug)
    assert caught.value.diagnostic.code == "COORDINATION_NOT_CHECKED_OUT"
    assert sorted(made.root.rglob("status.events.jsonl")) == before
    if there in ("nothing", "a directory"):
        # The remedy is a command that can be pasted.
        subprocess.run(caught.value.diagnostic.remediation, shell=True, check=True, cwd=made.root, capture_output=True)
        assert find_mission(str(made.root), built.slug).log == built.log.path


def test_a_coordination_worktree_that_leads_out_is_not_followed(made: Repository, tmp_path: Path) -> None:
    built = made.mission({"WP01": "planned"}, topology="coord")
    state = built.log.path.parent
    state.rename(tmp_path / "elsewhere")
    state.symlink_to(tmp_path / "elsewhere")
    assert code_of(lambda: find_mission(str(made.root), built.slug)) == "MISSION_OUTSIDE_ROOT"


@pytest.mark.parametrize(
    ("meta", "drop", "coordinated"),
    [
        ({"coordination_branch": "x"}, ("topology",), True),
        ({"coordination_branch": "x", "topology": "lanes"}, (), False),
        ({"topology": "coord"}, (), True),
        ({"coordination_branch": 7}, ("topology",), False),
    ],
)
def test_the_topology_that_is_written_down_decides(
    made: Repository, meta: dict[str, Any], drop: tuple[str, ...], coordinated: bool
) -> None:
    built = mission(made.root, {"WP01": "planned"}, meta=meta, meta_drop=drop)
    if coordinated:
        assert code_of(lambda: find_mission(str(made.root), built.slug)) == "COORDINATION_NOT_CHECKED_OUT"
    else:
        assert find_mission(str(made.root), built.slug).log == built.paths.log
