"""What a builder is asked for by mistake, or in a place that is not as it should be: told by name, or done as git does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.build.clock import Clock
from kitty_reliability.build.errors import BuildError
from kitty_reliability.build.event_log import EventLog
from kitty_reliability.build.mission import Mission, WorkPackage, mission
from kitty_reliability.build.names import require_reference
from kitty_reliability.build.prompts import prompt
from kitty_reliability.build.repository import Repository, repository
from kitty_reliability.build.reviews import write_review
from kitty_reliability.formats.lane_manifest import LaneManifestError, mission_branch, read_lane_manifest
from kitty_reliability.formats.mission import TOPOLOGIES
from kitty_reliability.formats.profiles import SPEC_KITTY_32
from kitty_reliability.formats.reviews import ReviewFormatError, parse_reference, read_artifact
from kitty_reliability.formats.work_package import read_work_package
from kitty_reliability.formats.workspace import read_context

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
BY_GIT = pytest.mark.parametrize("by_git", [False, True], ids=["ours", "git"])
NO_TEXT: Any = None
LANES = {"lane-a": ["WP01"]}


def counts(made: Repository, branch: str) -> tuple[int, int]:
    sides = made.git("rev-list", "--left-right", "--count", f"refs/heads/{branch}...refs/remotes/origin/{branch}")
    left, right = sides.split()
    return int(left), int(right)


# --- missions: wrong use


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"work_packages": ["WP01"]}, r"a mapping such as {'WP01': 'planned'}, not \['WP01'\]"),
        ({"work_packages": {"WP01": None}}, "WP01 is in a lane such as 'planned'"),
        ({"work_packages": {"WP01": ["planned", None]}}, "None is not the name of a lane"),
        ({"work_packages": {1: "planned"}}, "1 is not a work package id"),
        ({"bootstrap": "seeded"}, "unknown bootstrap 'seeded'; known: genesis, planned"),
        ({"meta_drop": "mission_id"}, "meta_drop is a list of keys, not the text 'mission_id'"),
        ({"meta": {"created_at": {1}}}, "a value that no file can hold: .*set"),
        ({"work_packages": {"WP01": WorkPackage(title="\ud800")}}, "a value that no file can hold: .*surrogates"),
        ({"tasks": "\ud800"}, "a value that no file can hold: .*surrogates"),
        ({"slug": "x" * 201}, "'xxx.* at most 200 characters"),
        ({"lane_manifest": {"lane-a": ["WP09"]}}, "lane-a: the mission has no work package 'WP09'"),
        ({"lane_manifest": {"lane-a": "WP01"}}, r"lane-a: the work packages are a list .* not 'WP01'"),
        ({"lane_manifest": {"lane-a": ["WP01"], "lane-b": ["WP01"]}}, "WP01 is in lane-a and in lane-b"),
        ({"lane_manifest": {}}, "lanes are a mapping such as"),
    ],
    ids=repr,
)
def test_a_mission_that_cannot_be_is_told_by_name_and_nothing_is_written(
    tmp_path: Path, options: dict[str, Any], text: str
) -> None:
    with pytest.raises(BuildError, match=text):
        mission(tmp_path, **options)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["dependencies", "owned_files", "subtasks", "drop"])
def test_a_text_is_not_taken_for_the_list_of_its_letters(name: str) -> None:
    with pytest.raises(BuildError, match=f"{name} is a list of texts, not the text 'WP02'"):
        WorkPackage(**{name: "WP02"})


def test_a_key_to_drop_from_a_row_is_in_a_list(tmp_path: Path) -> None:
    log = mission(tmp_path).log
    before = log.path.read_bytes()

    with pytest.raises(BuildError, match="drop is a list of keys, not the text 'at'"):
        log.lane("WP01", "claimed", drop="at")

    assert log.path.read_bytes() == before


@pytest.mark.parametrize("lane", ["genesis", "uninitialized"])
def test_no_force_leads_where_no_row_may_lead(tmp_path: Path, lane: str) -> None:
    log = mission(tmp_path).log

    with pytest.raises(BuildError, match=f"WP01: planned -> {lane} cannot be forced; say illegal=True"):
        log.lane("WP01", lane, force=True)
    log.lane("WP01", lane, force=True, illegal=True)

    assert (log.last["to_lane"], log.last["force"]) == (lane, True)


def test_a_root_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(BuildError, match=r"file.*cannot be made"):
        mission(tmp_path / "file")
    with pytest.raises(BuildError, match="file cannot be made a directory"):
        repository(tmp_path / "file")


def test_the_remedy_for_a_mission_that_is_there_works(tmp_path: Path) -> None:
    first = mission(tmp_path)

    with pytest.raises(BuildError, match="give it another name or slug"):
        mission(tmp_path, seed="other")
    others = [mission(tmp_path, name="other"), mission(tmp_path, slug="third")]

    assert len({first.slug, *(made.slug for made in others)}) == 3


def test_a_work_package_that_there_is_not_has_no_file(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="no work package 'WP09'; it has: WP01"):
        mission(tmp_path).task_file("WP09")


def test_a_long_title_names_a_file_that_can_be(tmp_path: Path) -> None:
    title = "x" * 199 + " y" * 100
    made = mission(tmp_path, {"WP01": WorkPackage("in_review", title=title)})

    assert made.task_file("WP01").name == f"WP01-{'x' * 199}.md"
    assert read_work_package(made.task_file("WP01")).frontmatter["title"] == title
    assert made.wp("WP01").reject().artifacts[0].path.is_file()


def test_a_clock_does_not_start_before_ids_and_git_do() -> None:
    with pytest.raises(ValueError, match="before 1970"):
        Clock(datetime(1969, 12, 31, tzinfo=UTC))


# --- missions: where they are, and what they say


def test_the_configuration_of_a_project_is_kept(tmp_path: Path) -> None:
    (tmp_path / ".kittify").mkdir()
    (tmp_path / ".kittify" / "config.yaml").write_bytes(b"protection: {}\n")

    mission(tmp_path)

    assert (tmp_path / ".kittify" / "config.yaml").read_bytes() == b"protection: {}\n"


def test_a_relative_root_is_the_same_place_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    made = mission("here")
    monkeypatch.chdir("other")

    made.log.lane("WP01", "claimed")
    made.wp("WP01").start()

    assert made.root == tmp_path / "here"
    assert made.paths.log.read_bytes().count(b"\n") == 3
    assert list((tmp_path / "other").iterdir()) == []


def test_the_manifest_has_the_mission_id_that_the_metadata_has(tmp_path: Path) -> None:
    found = {}
    for name, options in {"without": {"meta_drop": ["mission_id"]}, "with": {}}.items():
        made = mission(tmp_path, name=name, lane_manifest=LANES, **options)
        manifest = json.loads(made.paths.lanes.read_bytes())
        found[name] = manifest["mission_id"] == json.loads(made.paths.meta.read_bytes()).get("mission_id")

    assert found == {"without": True, "with": True}


def test_lanes_depend_on_the_lanes_of_what_their_work_packages_need(tmp_path: Path) -> None:
    packages = {
        "WP01": WorkPackage(dependencies=["WP02"]),
        "WP02": WorkPackage(),
        "WP03": WorkPackage(dependencies=["WP01", "WP02"]),
    }
    lanes = {"lane-a": ["WP01", "WP02"], "lane-b": ["WP03"]}
    manifest = read_lane_manifest(mission(tmp_path, packages, lane_manifest=lanes).paths.lanes)

    assert manifest is not None
    assert {lane.lane_id: lane.depends_on_lanes for lane in manifest.lanes} == {"lane-a": [], "lane-b": ["lane-a"]}


@pytest.mark.parametrize(
    ("slug", "branch"),
    [
        ("demo-01E2D7JD", "demo-01E2D7JD"),
        ("demo", "demo-01E2D7JD"),
        ("042-demo", "demo-01E2D7JD"),
        ("042-demo-01E2D7JD", "demo-01E2D7JD"),
        ("12-demo", "12-demo-01E2D7JD"),
        ("1042-demo", "1042-demo-01E2D7JD"),
        ("042-043-demo", "043-demo-01E2D7JD"),
        ("demo-01e2d7jd", "demo-01e2d7jd-01E2D7JD"),
        ("demo-01KQKV85", "demo-01KQKV85-01E2D7JD"),
        ("01E2D7JD", "01E2D7JD-01E2D7JD"),
    ],
)
def test_a_mission_branch_has_the_words_of_the_slug_and_the_first_eight_of_the_id(slug: str, branch: str) -> None:
    # The branches are those that 3.2.7 composes.
    assert mission_branch(slug, "01E2D7JDM0SER70DM414PKBHJW") == f"kitty/mission-{branch}"
    assert mission_branch(slug) == f"kitty/mission-{slug}"


@needs_git
def test_branches_prompts_and_manifest_of_one_mission_agree_when_its_slug_is_given(tmp_path: Path) -> None:
    made = repository(tmp_path / "repo").mission({"WP01": "in_review"}, slug="demo", lanes=LANES)
    branch = f"kitty/mission-demo-{made.mission_id[:8]}"
    manifest = read_lane_manifest(made.paths.lanes)
    asked = prompt(made).metadata

    assert manifest is not None
    assert made.branch == manifest.mission_branch == asked.mission_branch == branch
    assert made.lane("lane-a").branch == asked.lane_branch == f"{branch}-lane-a"
    assert made.lane("lane-a").context.base_branch == branch
    assert made.lane("lane-a").path.name == "demo-lane-a"


# --- verbs on a work package


@pytest.mark.parametrize(("verb", "lane"), [("block", "blocked"), ("cancel", "canceled"), ("done", "done")])
def test_a_verdict_that_ends_a_review_may_be_forced(tmp_path: Path, verb: str, lane: str) -> None:
    wp = mission(tmp_path, {"WP01": "in_review"}).wp("WP01")

    getattr(wp, verb)(force=True)

    assert (wp.lane, wp.log.last["force"], wp.log.last["from_lane"]) == (lane, True, "in_review")
    assert wp.log.last["reason"]


@pytest.mark.parametrize("lane", ["approved", "done"])
def test_a_verdict_is_the_reviewers_from_wherever_it_comes(tmp_path: Path, lane: str) -> None:
    wp = mission(tmp_path, {"WP01": lane}, reviewer="rev").wp("WP01").reject(force=lane == "done")

    assert (wp.log.last["actor"], wp.log.last["review_result"]["reviewer"]) == ("rev", "rev")


def test_a_second_verdict_without_artifact_is_another_one(tmp_path: Path) -> None:
    wp = mission(tmp_path, {"WP01": "in_review"}).wp("WP01")
    first = wp.reject(artifact=False).log.last["review_ref"]
    second = wp.rework().reject(artifact=False).log.last["review_ref"]

    assert (first, second) == ("review:WP01:1", "review:WP01:2")


def test_an_override_is_later_than_what_it_overrides_and_not_later_than_its_row(tmp_path: Path) -> None:
    wp = mission(tmp_path, {"WP01": "in_review"}).wp("WP01").reject()
    before = wp.log.last["at"]

    row = wp.override().log.last

    assert before < row["delta"]["review"]["at"] <= row["at"]


@pytest.mark.parametrize(("verb", "key"), [("claim", "to"), ("claim", "work_package"), ("reject", "work_package")])
def test_what_a_verb_says_itself_is_not_said_again(tmp_path: Path, verb: str, key: str) -> None:
    wp = mission(tmp_path, {"WP01": "in_review" if verb == "reject" else "planned"}).wp("WP01")

    with pytest.raises(BuildError, match=f"WP01: {key}= is said by the verb"):
        getattr(wp, verb)(**{key: "WP02"})


@pytest.mark.parametrize("verb", ["override", "withdraw_override"])
@pytest.mark.parametrize("artifact", [True, False])
def test_an_override_that_would_be_nowhere_is_told(tmp_path: Path, verb: str, artifact: bool) -> None:
    wp = mission(tmp_path, {"WP01": "in_review"}).wp("WP01")

    with pytest.raises(BuildError, match=rf"WP01 has no artifact for {verb}\(\) to change"):
        getattr(wp, verb)(event=False, artifact=artifact)
    wp.reject()
    if artifact:
        getattr(wp, verb)(event=False)


@needs_git
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_artifacts_are_in_the_checkout_that_owns_the_log(tmp_path: Path, topology: str) -> None:
    made = repository(tmp_path / "repo").mission({"WP01": "in_review"}, topology=topology)
    right = made.coord if "coord" in topology else made.primary

    wp = made.wp("WP01").reject().rework().approve()

    stem = made.task_file("WP01").stem
    expected = [right.path / "kitty-specs" / made.slug / "tasks" / stem / f"review-cycle-{n}.md" for n in (1, 2)]
    assert [written.path for written in wp.artifacts] == expected
    assert sorted(made.root.rglob("review-cycle-*.md")) == expected


# --- review artifacts


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"name": ""}, "'' is not the name of a file"),
        ({"name": ".."}, "'..' is not the name of a file"),
        ({"name": "../review-cycle-9.md"}, "is not the name of a file"),
        ({"name": "a\\b.md"}, "is not the name of a file"),
        ({"name": "review-cycle-1.md"}, "review-cycle-1.md is there already"),
        ({"number": "2"}, "from 1, not '2'"),
        ({"number": True}, "from 1, not True"),
        ({"verdict": "changes_requested"}, "'changes_requested' is not a verdict of an artifact .*rejected.*shape="),
        ({"verdict": "aproved"}, "'aproved' is not a verdict"),
    ],
    ids=repr,
)
def test_a_wrong_artifact_is_told_by_name_and_nothing_is_written(
    tmp_path: Path, options: dict[str, Any], text: str
) -> None:
    made = mission(tmp_path)
    before = write_review(made, "WP01").path.read_bytes()

    with pytest.raises(BuildError, match=text):
        write_review(made, "WP01", **options)

    assert [path.read_bytes() for path in tmp_path.rglob("review-cycle-*")] == [before]


def test_a_file_by_the_name_of_an_artifact_has_its_number(tmp_path: Path) -> None:
    written = write_review(mission(tmp_path), "WP01", name="review-cycle-7.md")

    assert written.number == 7
    assert written.reference.endswith("/review-cycle-7.md")
    assert b"cycle_number: 7\n" in written.path.read_bytes()


def test_a_task_file_whose_name_no_reference_can_hold_is_told_before_anything_is_written(tmp_path: Path) -> None:
    made = mission(tmp_path, {"WP01": "in_review"})
    made.task_file("WP01").rename(made.paths.tasks / "WP01-\u00fc.md")
    before = made.log.path.read_bytes()

    with pytest.raises(BuildError, match="no row can refer to WP01-\u00fc/review-cycle-1"):
        made.wp("WP01").reject()

    assert made.log.path.read_bytes() == before
    assert not list(tmp_path.rglob("review-cycle-*"))


def test_markers_that_do_not_follow_each_other_are_no_conflict(tmp_path: Path) -> None:
    path = write_review(mission(tmp_path), "WP01", body="Title\n=======\n<<<<<<< HEAD\n>>>>>>> theirs\n").path

    assert read_artifact(path).verdict == "rejected"


@pytest.mark.parametrize("key", ["wp_id", "mission_slug", "reviewer_agent", "reviewed_at"])
def test_a_text_of_blanks_is_missing_in_the_contract_only(tmp_path: Path, key: str) -> None:
    path = write_review(mission(tmp_path), "WP01", **{key: "  "}).path

    with pytest.raises(ReviewFormatError, match=f"missing-field: {key} is blank"):
        read_artifact(path)
    assert getattr(read_artifact(path, SPEC_KITTY_32), key) == "  "


def test_a_long_text_of_an_artifact_stays_on_its_line(tmp_path: Path) -> None:
    command = "make test " * 50 + "-j"
    data = write_review(mission(tmp_path), "WP01", reproduction_command=command).path.read_bytes()

    assert f"\nreproduction_command: {command}\n".encode() in data


def test_a_number_without_end_is_no_reference() -> None:
    with pytest.raises(ReviewFormatError, match="bad-reference"):
        parse_reference(f"review-cycle://demo/WP01-work/review-cycle-{'9' * 5000}.md")


# --- files of lanes


@needs_git
@pytest.mark.parametrize("encode", [lambda text: b"\xef\xbb\xbf" + text.encode(), lambda text: text.encode("utf-16")])
def test_files_that_no_released_reader_takes_for_json_are_not_read(
    tmp_path: Path, encode: Callable[[str], bytes]
) -> None:
    made = repository(tmp_path / "repo").mission(lanes=LANES)
    context, manifest = made.lane("lane-a").context_path, made.paths.lanes
    for path in (context, manifest):
        path.write_bytes(encode(path.read_text(encoding="utf-8")))

    assert read_context(context) is None
    with pytest.raises(LaneManifestError):
        read_lane_manifest(manifest)


@needs_git
def test_a_context_needs_the_key_of_the_base_commit_and_not_its_value(tmp_path: Path) -> None:
    path = repository(tmp_path / "repo").mission(lanes=LANES).lane("lane-a").context_path
    value = json.loads(path.read_bytes())

    path.write_text(json.dumps({**value, "base_commit": None}), encoding="utf-8")
    assert read_context(path) is not None
    del value["base_commit"]
    path.write_text(json.dumps(value), encoding="utf-8")
    assert read_context(path) is None


# --- missions in a repository: wrong use


@needs_git
@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"branch_name": "x"}, "no option 'branch_name'; known: actor, "),
        ({"context": "stale"}, "about lanes with a worktree, and there is none"),
        ({"lane_commits": 3}, "about lanes with a worktree, and there is none"),
        ({"lanes": {"lane-planning": ["WP01"]}, "lane_commits": 0}, "about lanes with a worktree"),
        ({"lanes": LANES, "lane_commits": -1}, "cannot have -1 commits"),
        ({"lanes": LANES, "context": "stale"}, r"lane-a has one work package, .*stale_context"),
        ({"lanes": {}}, "lanes are a mapping such as .* not {}"),
        ({"lanes": ["lane-a"]}, "lanes are a mapping such as"),
        ({"lanes": {"lane-a": "WP01"}}, "lane-a: the work packages are a list"),
        ({"lanes": {"lane-aa": ["WP01"]}}, "'lane-aa' is not a lane id"),
        ({"lanes": {1: ["WP01"]}}, "1 is not a lane id"),
        ({"topology": "lanes", "wps": {}}, "the mission no work package"),
    ],
    ids=repr,
)
def test_lanes_that_cannot_be_are_told_and_nothing_is_written(tmp_path: Path, options: Any, text: str) -> None:
    made = repository(tmp_path / "repo")

    with pytest.raises(BuildError, match=text):
        made.mission(**options)

    assert sorted(path.name for path in made.root.iterdir()) == [".git", "README.md"]
    assert made.git("rev-list", "--count", "--all") == "1\n"
    assert made.missions == []


@needs_git
@BY_GIT
@pytest.mark.parametrize("topology", ["lanes", "coord"])
@pytest.mark.parametrize("taken", ["kitty", "worktree", "branch"])
def test_a_mission_does_not_take_over_branches_and_worktrees(
    tmp_path: Path, by_git: bool, topology: str, taken: str
) -> None:
    made = repository(tmp_path / "repo", branch="kitty" if taken == "kitty" else "main", by_git=by_git)
    name = f"demo-{'coord' if topology == 'coord' else 'lane-a'}"
    if taken == "worktree":
        (made.root / ".worktrees" / name).mkdir(parents=True)
    if taken == "branch":
        made.git("branch", "kitty/mission-x")
    options: dict[str, Any] = {"meta_drop": ["mission_id"]} if taken == "branch" else {}
    before = made.git("for-each-ref")

    with pytest.raises(BuildError, match=r"is there already.*another slug"):
        made.mission(slug="x" if taken == "branch" else "demo", topology=topology, **options)

    assert made.git("for-each-ref") == before
    assert made.status == ""
    assert not (made.root / "kitty-specs" / "demo").exists()
    assert made.missions == []


@needs_git
def test_a_mission_that_is_refused_leaves_what_was_in_its_place(tmp_path: Path) -> None:
    made = repository(tmp_path / "repo")
    note = made.root / "kitty-specs" / "demo" / "note.md"
    for folder in (note.parent, made.root / ".worktrees" / "demo-lane-a"):
        folder.mkdir(parents=True)
    note.write_bytes(b"mine\n")

    with pytest.raises(BuildError, match="the worktree 'demo-lane-a' is there already"):
        made.mission(slug="demo", topology="lanes")

    assert sorted(made.root.rglob("kitty-specs/**/*")) == [note.parent, note]
    assert note.read_bytes() == b"mine\n"


# --- repositories: names, places, paths

NAMES = ["2.x", "release/1.0", "\u00fc/\u732b", 'a"b', "fix#1;x", "a'b", "x=y", "a@b", "-"]
NO_NAMES = ["", "-x", "HEAD", "a..b", "a b", "a~b", "a^b", "a:b", "a?b", "a*b", "a[b", "a\\b", "a\nb", "a\x7f"]
NO_NAMES += ["x.lock", "x.lock/y", "x.", ".x", "a/.x", "/x", "x/", "a//b", "a@{b"]


@needs_git
def test_the_names_that_are_refused_are_those_that_git_refuses(tmp_path: Path) -> None:
    made = repository(tmp_path / "repo")

    def is_one_for_git(name: str) -> bool:
        before = made.git("for-each-ref")
        made.git("branch", "--", name, check=False)
        return made.git("for-each-ref") != before

    def is_one(name: str) -> bool:
        try:
            require_reference("branch", name)
        except BuildError as error:
            return repr(name) not in str(error)
        return True

    for name in [*NAMES, *NO_NAMES]:
        assert is_one(name) == is_one_for_git(name), name


@needs_git
@BY_GIT
@pytest.mark.parametrize("name", [name for name in NAMES if name != "-"])
def test_any_branch_can_have_a_remote(tmp_path: Path, name: str, by_git: bool) -> None:
    made = repository(tmp_path / "repo", branch=name, remote=True, by_git=by_git)
    made.mission({"WP01": "in_progress"}, topology="lanes_with_coord")
    made.diverge(ahead=2, behind=1)

    assert made.git("rev-parse", "--abbrev-ref", f"{name}@{{upstream}}") == f"origin/{name}\n"
    assert counts(made, name) == (2, 1)
    made.git("fsck", "--strict")


@needs_git
@pytest.mark.parametrize("use", ["branch", "upstream", "remote"])
def test_a_name_that_git_refuses_is_told_before_anything_is_made(tmp_path: Path, use: str) -> None:
    options: dict[str, Any] = {"remote": True, use: "a..b"}

    with pytest.raises(BuildError, match=r"'a\.\.b' is not a name that git takes"):
        repository(tmp_path / "repo", **options)
    assert list(tmp_path.iterdir()) == []
    if use != "branch":
        with pytest.raises(BuildError, match=r"'a\.\.b' is not a name that git takes"):
            repository(tmp_path / "repo", remote=True).retarget(**{"upstream": "x", use: "a..b"})


@needs_git
def test_a_relative_repository_is_the_same_place_from_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = repository("repo", remote=True)
    built = made.mission({"WP01": "in_progress"}, topology="lanes_with_coord")

    with built.lane("lane-a").cwd():
        built.log.note("WP01", "from elsewhere")
        made.diverge(ahead=1, behind=1)
        assert built.lane("lane-a").status == made.status == ""

    assert made.root == tmp_path / "repo"
    assert made.remote == tmp_path / "repo.git"
    assert built.log.last["delta"] == {"note": "from elsewhere"}
    assert built.log.path.read_bytes() == built.log.data


@needs_git
def test_the_remote_is_beside_the_root_however_it_is_spelled(tmp_path: Path) -> None:
    (tmp_path / "repo" / "sub").mkdir(parents=True)

    assert repository(tmp_path / "repo" / "sub" / "..", remote=True).remote == tmp_path / "repo.git"


@needs_git
@pytest.mark.skipif(os.name == "nt", reason="Windows takes no such names")
@pytest.mark.parametrize("name", ["new\nline", "a:b", "*", "x" * 200])
def test_a_repository_works_where_its_path_is_odd(tmp_path: Path, name: str) -> None:
    made = repository(tmp_path / name / "repo", remote=True)
    built = made.mission({"WP01": "in_progress"}, topology="lanes_with_coord")
    made.diverge(ahead=1, behind=1)

    for checkout in (made.checkout, built.coord, built.lane("lane-a")):
        checkout.git("fetch", "--quiet")
        checkout.git("diff-index", "--quiet", "HEAD")
        assert checkout.status == ""
    made.git("worktree", "prune")
    made.git("worktree", "lock", str(built.lane("lane-a").path))


@needs_git
@pytest.mark.parametrize(
    ("use", "text"),
    [
        (lambda made: made.commit(files={"../out": "x"}), "'../out' is not a path inside"),
        (lambda made: made.commit(files={"/out": "x"}), "'/out' is not a path inside"),
        (lambda made: made.commit(files={"\ud800": "x"}), "cannot be written in"),
        (lambda made: made.commit(files={".git/config": "x"}), "'.git/config' is not a path inside"),
        (lambda made: made.commit(files={"a": "x", "../out": "x"}), "'../out' is not a path inside"),
        (lambda made: made.commit(files={"README.md/x": "x"}), "'README.md/x' cannot be written"),
        (lambda made: made.commit(files={"x" * 300: "x"}), "'xxx.*cannot be written"),
        (lambda made: made.commit("a\0b"), "null byte"),
        (lambda made: made.commit(""), "empty commit message"),
        (lambda made: made.checkout.add("x" * 300), "'xxx.*cannot be written"),
        (lambda made: made.checkout.edit("x" * 300), "no file 'xxx"),
    ],
)
def test_what_git_or_the_file_system_does_not_take_is_told(tmp_path: Path, use: Any, text: str) -> None:
    made = repository(tmp_path / "repo")

    with pytest.raises(BuildError, match=text):
        use(made)

    assert made.status == ""
    assert made.git("rev-list", "--count", "HEAD") == "1\n"


@needs_git
def test_a_worktree_that_is_gone_is_not_taken_for_a_missing_git(tmp_path: Path) -> None:
    lane = repository(tmp_path / "repo").mission(lanes=LANES).lane("lane-a")
    lane.repo.git("worktree", "remove", str(lane.path))

    with pytest.raises(BuildError, match=r"lane-a is not there any more"):
        _ = lane.status


# --- branches: git is the oracle


@needs_git
@BY_GIT
def test_a_branch_that_a_worktree_has_checked_out_takes_the_worktree_along(tmp_path: Path, by_git: bool) -> None:
    made = repository(tmp_path / "repo", remote=True, by_git=by_git)
    lane = made.mission({"WP01": "in_progress"}, lanes=LANES).lane("lane-a")

    made.diverge(lane.branch, ahead=2, behind=1)

    assert counts(made, lane.branch) == (2, 1)
    assert (lane.status, made.status) == ("", "")
    assert (lane.path / "src" / "local.txt").is_file()
    assert not (made.root / "src" / "local.txt").exists()


@needs_git
@pytest.mark.parametrize("files", [{"src": "a file\n"}, {"src/local.txt/x": "x\n", "src/remote.txt/x": "x\n"}])
@pytest.mark.parametrize("sides", [{"ahead": 2}, {"behind": 2}, {"ahead": 1, "behind": 1}], ids=repr)
def test_a_file_where_a_directory_is_needed_becomes_what_git_makes_of_it(
    tmp_path: Path, files: dict[str, str], sides: dict[str, int]
) -> None:
    found = []
    for by_git in (False, True):
        made = repository(tmp_path / str(by_git) / "repo", remote=True, by_git=by_git)
        made.commit(files=files)
        made.diverge(**sides)
        for where in ([], [f"--git-dir={made.remote}"]):
            made.git(*where, "fsck", "--strict", "--full", "--no-dangling")
        assert counts(made, "main") == (sides.get("ahead", 0), sides.get("behind", 0))
        assert made.status == ""
        found.append((made.git("for-each-ref"), made.git("ls-files", "--stage")))

    assert found[0] == found[1]


@needs_git
@BY_GIT
def test_a_lane_works_where_the_base_has_a_file_in_the_way(tmp_path: Path, by_git: bool) -> None:
    made = repository(tmp_path / "repo", by_git=by_git)
    made.commit(files={"src": "a file\n"})

    lane = made.mission({"WP01": "in_progress"}, lanes=LANES).lane("lane-a")

    made.git("fsck", "--strict", "--no-dangling")
    assert lane.status == ""
    assert lane.git("ls-files", "src") == "src/wp01/work-1.py\n"


@needs_git
@BY_GIT
def test_work_that_is_not_committed_is_not_overwritten(tmp_path: Path, by_git: bool) -> None:
    made = repository(tmp_path / "repo", remote=True, by_git=by_git).diverge(ahead=1)
    before = made.head
    # As long as what was there, so that only its moment tells.
    mine = b"m" * len((made.root / "src" / "local.txt").read_bytes())
    (made.root / "src" / "local.txt").write_bytes(mine)
    os.utime(made.root / "src" / "local.txt", (2, 2))

    with pytest.raises(BuildError, match=r"src/local\.txt"):
        made.diverge(ahead=1)

    assert (made.root / "src" / "local.txt").read_bytes() == mine
    assert made.head == before
    assert made.status == " M src/local.txt\n"


@needs_git
@BY_GIT
def test_a_file_that_was_only_touched_is_no_work(tmp_path: Path, by_git: bool) -> None:
    made = repository(tmp_path / "repo", remote=True, by_git=by_git).diverge(ahead=1)
    os.utime(made.root / "src" / "local.txt", (1, 1))

    made.diverge(ahead=2)

    assert counts(made, "main") == (2, 0)
    assert made.status == ""


@needs_git
@BY_GIT
@pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")
def test_nothing_is_written_through_a_link(tmp_path: Path, by_git: bool) -> None:
    made = repository(tmp_path / "repo", remote=True, by_git=by_git)
    (tmp_path / "outside").mkdir()
    (made.root / "src").symlink_to(tmp_path / "outside")

    with pytest.raises(BuildError, match="'src' would be overwritten"):
        made.diverge(ahead=1)

    assert list((tmp_path / "outside").iterdir()) == []
    assert counts(made, "main") == (0, 0)


# --- the same every time

BUILD = """
import hashlib, os, sys
from pathlib import Path
os.umask(int(sys.argv[2], 8))
from kitty_reliability.build.legacy import LEGACY, legacy
from kitty_reliability.build.mission import WorkPackage
from kitty_reliability.build.prompts import prompt
from kitty_reliability.build.repository import repository
from kitty_reliability.build.reviews import SHAPES, write_review
base = Path(sys.argv[1])
made = repository(base / "repo", remote=True, by_git=len(sys.argv) > 3)
packages = {"WP01": WorkPackage("in_review", title="\\u00dcber {}"), "WP02": "blocked"}
built = made.mission(packages, topology="lanes_with_coord", slug="demo")
built.wp("WP01").reject().rework().approve().override()
for number, shape in enumerate(SHAPES, 10):
    write_review(built, "WP02", shape=shape, number=number)
made.mission(packages, name="other", lanes={"lane-a": ["WP01"], "lane-b": ["WP02"]})
made.diverge(ahead=3, behind=2)
for name in LEGACY:
    legacy(name, base / "legacy" / name)
print(made.git("for-each-ref"), made.git("ls-files", "--stage"), made.git(f"--git-dir={made.remote}", "for-each-ref"))
for path in sorted(base.rglob("*")):
    inside = path.relative_to(base).as_posix()
    # What is in git is told by its ids; pointers and addresses are absolute.
    if path.is_file() and ".git/" not in inside and path.name != ".git":
        print(inside, hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mode & 0o100)
"""


@needs_git
def test_no_surroundings_change_what_is_built(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "template" / "hooks").mkdir(parents=True)
    (home / "template" / "hooks" / "pre-commit").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    (home / "template" / "hooks" / "pre-commit").chmod(0o755)
    (home / ".gitconfig").write_text(
        f"[user]\n\tname = Somebody\n\temail = some@body.invalid\n\tsigningkey = none\n[commit]\n\tgpgsign = true\n"
        f"[core]\n\tautocrlf = true\n\thooksPath = {home.as_posix()}/template/hooks\n"
        f"[init]\n\tdefaultBranch = odd\n\ttemplateDir = {home.as_posix()}/template\n[push]\n\tdefault = nothing\n",
        encoding="utf-8",
    )
    surroundings = [
        ({"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C.UTF-8"}, "022", tmp_path, []),
        ({"PYTHONHASHSEED": "2", "TZ": "Asia/Kolkata", "LC_ALL": "C", "HOME": str(home)}, "077", home, []),
        ({"PYTHONHASHSEED": "3", "TZ": "America/St_Johns", "HOME": str(home)}, "002", home, ["git"]),
    ]

    said = []
    for number, (environment, umask, cwd, more) in enumerate(surroundings):
        script = [sys.executable, "-c", BUILD, str(tmp_path / str(number)), umask, *more]
        done = subprocess.run(script, env={**os.environ, **environment}, cwd=cwd, capture_output=True, check=True)
        said.append(done.stdout.decode().replace("\r", "").splitlines())

    assert len(said[0]) > 100
    assert said[0] == said[1]
    assert said[0] == said[2]


# --- two missions at once


@needs_git
def test_two_missions_of_one_repository_have_nothing_in_common_but_it(tmp_path: Path) -> None:
    made = repository(tmp_path / "repo", remote=True)
    one = made.mission({"WP01": "in_progress"}, topology="lanes_with_coord", name="same")
    two = made.mission({"WP01": "in_progress"}, topology="lanes_with_coord", name="same")

    def names(built: Mission) -> set[str]:
        return {built.slug, built.mission_id, built.mission_id[:8], *(row["event_id"] for row in built.log.rows)}

    assert not names(one) & names(two)
    for built, other in ((one, two), (two, one)):
        before = other.log.path.read_bytes()
        built.wp("WP01").submit().review().reject()
        assert other.log.path.read_bytes() == before
    with pytest.raises(BuildError, match=f"'{one.slug}' exists already"):
        made.mission(slug=one.slug)
    assert made.missions == [one, two]


def test_a_forked_log_of_an_unwritten_one_goes_on(tmp_path: Path) -> None:
    made = mission(tmp_path, {"WP01": "claimed"})
    log = EventLog(tmp_path / "log", mission_slug="demo", mission_id=None).defer()
    log.route("WP01", ["planned", "claimed"])

    forked = log.fork(tmp_path / "fork", "theirs").lane("WP01", "in_progress")

    assert forked.path.read_bytes().startswith(log.data)
    assert not log.path.exists()
    assert made.lanes == {"WP01": "claimed"}
