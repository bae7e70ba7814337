"""Remotes, branches, lanes, topologies and staging; real git is the oracle of everything that is written without it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.build.errors import BuildError
from kitty_reliability.build.lanes import RepositoryMission
from kitty_reliability.build.mission import WorkPackage
from kitty_reliability.build.repository import Repository, repository
from kitty_reliability.build.worktrees import Checkout
from kitty_reliability.formats.events import EVENT_LOG_NAME
from kitty_reliability.formats.lane_manifest import LaneManifestError, read_lane_manifest
from kitty_reliability.formats.mission import TOPOLOGIES
from kitty_reliability.formats.workspace import read_context, read_contexts

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

PACKAGES = {"WP01": "done", "WP02": "blocked", "WP04": "in_progress", "WP05": "genesis"}
LANES = {"lane-a": ["WP01", "WP04"], "lane-b": ["WP02"]}


def counts(made: Repository, one: str = "main", other: str = "origin/main") -> tuple[int, int]:
    left, right = made.git("rev-list", "--left-right", "--count", f"{one}...{other}").split()
    return int(left), int(right)


def lanes_in(log: Path) -> dict[str, str]:
    """What the last row of each work package says; enough for logs that are in order."""
    rows = [json.loads(line) for line in log.read_bytes().splitlines()]
    return {row["wp_id"]: row["to_lane"] for row in rows}


def checkouts(built: RepositoryMission) -> list[Checkout]:
    others = [*built.lane_checkouts.values(), *([built.coordination] if built.coordination else [])]
    return [built.primary, *others]


def references(made: Repository) -> str:
    own = made.git("for-each-ref", "--format=%(refname) %(objectname)")
    return own + (made.git(f"--git-dir={made.remote}", "for-each-ref") if made.remote else "")


def whole(root: Path, *, by_git: bool = False, topology: str = "lanes", **options: Any) -> RepositoryMission:
    made = repository(root, remote=True, by_git=by_git)
    lanes = LANES if "lanes" in topology else None
    built = made.mission(PACKAGES, topology=topology, lanes=lanes, **options)
    made.diverge(ahead=3, behind=2)
    return built


# --- git is the oracle


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("decoys", [True, False])
def test_git_itself_makes_the_same_commits_and_the_same_files(tmp_path: Path, topology: str, decoys: bool) -> None:
    ours = whole(tmp_path / "ours" / "repo", topology=topology, decoys=decoys)
    git = whole(tmp_path / "git" / "repo", by_git=True, topology=topology, decoys=decoys)

    assert references(ours.repository) == references(git.repository)
    assert ours.expected == git.expected
    for one, other in zip(checkouts(ours), checkouts(git), strict=True):
        assert one.git("ls-files", "--stage") == other.git("ls-files", "--stage")
        assert one.branch == other.branch
        assert one.git("symbolic-ref", "HEAD") == other.git("symbolic-ref", "HEAD") == f"refs/heads/{one.branch}\n"
        files = {
            side: {
                path.relative_to(checkout.path): path.read_bytes()
                for path in checkout.path.rglob("*")
                if path.is_file() and not {".git", ".worktrees"} & set(path.relative_to(checkout.path).parts)
            }
            for side, checkout in (("ours", one), ("git", other))
        }
        assert files["ours"] == files["git"]


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_what_is_written_without_git_is_sound_and_clean_at_once(tmp_path: Path, topology: str) -> None:
    built = whole(tmp_path / "repo", topology=topology)
    made = built.repository

    for checkout in checkouts(built):
        # Plumbing first: neither of these refreshes an index.
        checkout.git("diff-index", "--quiet", "HEAD")
        checkout.git("diff-files", "--quiet")
        assert checkout.status == ""
        checkout.git("fetch", "--quiet")
    for where in ([], [f"--git-dir={made.remote}"]):
        made.git(*where, "fsck", "--strict", "--full", "--no-dangling")
    for pack in (made.root / ".git" / "objects" / "pack").glob("*.idx"):
        made.git("verify-pack", str(pack))
    assert counts(made) == (3, 2)


def test_a_built_repository_takes_all_that_git_does_with_one(tmp_path: Path) -> None:
    built = whole(tmp_path / "repo")
    made, lane = built.repository, built.lane("lane-a")

    lane.add("src/wp04/more.py").commit()
    made.git("merge", "--quiet", "--no-edit", lane.branch)
    made.git("rebase", "--quiet", "origin/main")
    made.git("worktree", "add", "--quiet", str(tmp_path / "another"), "-b", "another")
    made.git("gc", "--quiet")
    made.git("fsck", "--strict", "--full")

    assert counts(made)[1] == 0
    assert lanes_in(built.log.path) == {wp: lane for wp, lane in built.expected.items() if wp != "WP05"}


def test_gitpython_opens_what_is_built(tmp_path: Path) -> None:
    git = pytest.importorskip("git")
    built = whole(tmp_path / "repo")

    for checkout in checkouts(built):
        with git.Repo(checkout.path) as opened:
            assert opened.active_branch.name == checkout.branch
            assert opened.head.commit.hexsha == checkout.head
            assert not opened.is_dirty(untracked_files=True)
    with git.Repo(tmp_path / "repo") as opened:
        assert opened.remotes.origin.url == built.repository.remote.resolve().as_posix()


# --- one repository has nothing of another one


def test_no_worktree_points_out_of_its_own_repository(tmp_path: Path) -> None:
    first, second = whole(tmp_path / "one"), whole(tmp_path / "two")
    before = references(first.repository)

    for lane in second.lane_checkouts.values():
        pointer = (lane.path / ".git").read_text(encoding="utf-8").strip().removeprefix("gitdir: ")
        back = (Path(pointer) / "gitdir").read_text(encoding="utf-8").strip()
        assert Path(pointer).is_absolute()
        assert Path(pointer).parent == second.root.resolve() / ".git" / "worktrees"
        assert Path(back) == lane.path.resolve() / ".git"
        lane.add("src/wp01/new.py").commit()
        lane.git("push", "--quiet", "origin", f"HEAD:refs/heads/pushed/{lane.lane_id}")

    assert references(first.repository) == before
    assert "pushed/lane-b" in references(second.repository)
    assert "prunable" not in second.repository.git("worktree", "list", "--porcelain")
    second.repository.git("worktree", "prune")
    assert all((lane.path / ".git").exists() and lane.status == "" for lane in second.lane_checkouts.values())


def test_the_address_of_the_remote_is_absolute_and_its_own(tmp_path: Path) -> None:
    one, two = (repository(tmp_path / name, remote=True) for name in ("one", "two"))

    urls = [made.git("config", "remote.origin.url").strip() for made in (one, two)]

    assert urls == [(tmp_path / name).resolve().as_posix() for name in ("one.git", "two.git")]
    one.commit("More")
    one.git("push", "--quiet")
    assert two.git("ls-remote", "origin", "main").split()[0] == two.head != one.head


@pytest.mark.parametrize(
    "name", ["with space", "mit ümläut", "猫 🐈", "a'b", "-option", 'quo"te', "back\\slash", "#;="]
)
def test_everything_works_under_any_path(tmp_path: Path, name: str) -> None:
    if os.name == "nt" and set('"\\') & set(name):
        pytest.skip("a name that Windows does not take")
    built = whole(tmp_path / name / "repo", topology="lanes_with_coord")

    for checkout in checkouts(built):
        checkout.git("fetch", "--quiet")
        assert checkout.status == ""
    assert len(built.repository.git("worktree", "list").splitlines()) == 4


# --- no process, no old knowledge


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    started: list[Any] = []
    real = subprocess.Popen.__init__

    def count(self: Any, *arguments: Any, **options: Any) -> None:
        started.append(arguments)
        real(self, *arguments, **options)

    monkeypatch.setattr(subprocess.Popen, "__init__", count)
    return started


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_a_state_that_was_built_before_starts_no_process(tmp_path: Path, processes: list[Any], topology: str) -> None:
    whole(tmp_path / "first", topology=topology)
    del processes[:]

    built = whole(tmp_path / "second", topology=topology)

    assert processes == []
    assert built.primary.status == ""
    assert len(processes) == 1, "the count counts"


TOUCHES: list[Callable[[Repository], Any]] = [
    lambda made: made.git("commit", "--quiet", "--allow-empty", "--message", "x"),
    lambda made: made.git("tag", "v1"),
    lambda made: made.git("checkout", "--quiet", "-b", "other"),
    lambda made: made.git("config", "core.fileMode", "false"),
    lambda made: made.git("gc", "--quiet"),
    lambda made: made.checkout.add("staged.txt"),
    lambda made: (made.root / ".gitignore").write_text("*.tmp\n", encoding="utf-8"),
    lambda made: (made.root / "plain.txt").write_text("x\n", encoding="utf-8"),
    lambda made: (made.root / "README.md").unlink(),
    lambda made: (made.root / "sub").mkdir(),
    lambda made: (made.root / ".git" / "info" / "exclude").write_text("*.tmp\n.worktrees\n.kittify/workspaces\n"),
    lambda made: (made.root / ".git" / "info" / "attributes").write_text("*.json text eol=crlf\n"),
    lambda made: made.commit(files={"sub/.worktrees/x": "x\n", ".kittify/locks/y": "y\n", "sub/z": "z\n"}),
    lambda made: (made.root / "README.md").write_text("# More\n", encoding="utf-8"),
    lambda made: made.git(f"--git-dir={made.remote}", "update-ref", "refs/heads/else", "main"),
    lambda made: [
        (made.root / ".git" / "info" / "attributes").write_text("*.txt text\n", encoding="utf-8"),
        (made.root / "dos.txt").write_bytes(b"stored with one character less\r\n"),
    ],
    # No reflog: nothing but the reference itself tells.
    lambda made: made.git(
        *("-c", "core.logAllRefUpdates=false", "update-ref", "refs/heads/main"),
        made.git("commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "x").strip(),
    ),
]


@pytest.mark.parametrize("touch", TOUCHES)
def test_what_somebody_else_did_in_between_is_kept_as_git_keeps_it(
    tmp_path: Path, touch: Callable[[Repository], Any]
) -> None:
    found = []
    for by_git in (False, True):
        made = repository(tmp_path / str(by_git) / "repo", remote=True, by_git=by_git)
        touch(made)
        (made.root / "a.tmp").write_text("x\n", encoding="utf-8")
        made.mission(PACKAGES, lanes=LANES)
        assert made.status == ""
        found.append((references(made), made.git("ls-files", "--stage"), made.git("symbolic-ref", "HEAD")))

    assert found[0] == found[1]


def test_what_lies_in_the_directory_before_is_committed_as_git_commits_it(tmp_path: Path) -> None:
    heads = []
    for by_git in (False, True):
        for name, text in (("a", "x\n"), ("d/b.tmp", "y\n"), (".gitignore", "*.tmp\n")):
            path = tmp_path / str(by_git) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        made = repository(tmp_path / str(by_git), by_git=by_git)
        assert made.git("ls-files").split() == [".gitignore", "README.md", "a"]
        heads.append(made.head)

    assert heads[0] == heads[1]


@pytest.mark.skipif(os.name != "posix", reason="links and execute bits are those of POSIX")
def test_links_and_execute_bits_are_committed_as_git_commits_them(tmp_path: Path) -> None:
    for by_git in (False, True):
        made = repository(tmp_path / str(by_git), by_git=by_git)
        (made.root / "run").write_text("#!/bin/sh\n", encoding="utf-8")
        (made.root / "run").chmod(0o755)
        made.commit("Run")
        (made.root / "link").symlink_to("run")
        made.commit("Link")

    both = [Repository(tmp_path / str(by_git), made.clock) for by_git in (False, True)]
    assert both[0].head == both[1].head
    assert [line.split()[0] for line in both[0].git("ls-files", "--stage").splitlines()] == [
        "100644",
        "120000",
        "100755",
    ]
    made.git("diff-index", "--quiet", "HEAD")


def test_a_file_in_the_way_is_not_overwritten(tmp_path: Path) -> None:
    for by_git in (False, True):
        made = repository(tmp_path / str(by_git), remote=True, by_git=by_git)
        (made.root / "src").mkdir()
        (made.root / "src" / "local.txt").write_text("mine\n", encoding="utf-8")

        with pytest.raises(BuildError, match=r"src/local\.txt"):
            made.diverge(ahead=1)

        assert (made.root / "src" / "local.txt").read_text(encoding="utf-8") == "mine\n"


# --- diverged branches


@pytest.mark.parametrize(("ahead", "behind"), [(0, 0), (1, 0), (0, 1), (1, 1), (84, 6)])
@pytest.mark.parametrize("by_git", [False, True])
def test_a_branch_is_ahead_and_behind_by_exactly_what_was_asked(
    tmp_path: Path, ahead: int, behind: int, by_git: bool
) -> None:
    made = repository(tmp_path / "repo", remote=True, by_git=by_git).diverge(ahead=ahead, behind=behind)

    assert counts(made, "main", "main@{upstream}") == (ahead, behind)
    assert made.status == ""
    made.git("merge", "--quiet", "--no-edit", "origin/main")


def test_a_reference_that_was_not_fetched_is_stale(tmp_path: Path) -> None:
    made = repository(tmp_path / "repo", remote=True).diverge(ahead=84, behind=6, fetched=False)

    assert counts(made) == (84, 0)
    made.git("fetch", "--quiet")
    assert counts(made) == (84, 6)


def test_what_was_built_before_is_pushed_so_that_counts_are_exact(tmp_path: Path) -> None:
    made = repository(tmp_path / "repo", remote=True)
    made.commit("Alone")
    made.mission(PACKAGES)

    made.diverge(ahead=2, behind=1)

    assert counts(made) == (2, 1)


def test_a_mission_keeps_a_branch_in_sync(tmp_path: Path) -> None:
    made = repository(tmp_path / "repo", remote=True)

    made.mission(PACKAGES, lanes=LANES)

    made.git("fetch", "--quiet")
    assert counts(made) == (0, 0)


def test_another_remote_and_another_name_there(tmp_path: Path) -> None:
    made = repository(tmp_path / "repo", branch="trunk", remote="hub", upstream="release/1").diverge(ahead=1, behind=2)

    assert made.git("rev-parse", "--abbrev-ref", "trunk@{upstream}") == "hub/release/1\n"
    assert counts(made, "trunk", "hub/release/1") == (1, 2)
    assert made.git("branch", "--remotes").split() == ["hub/release/1"]


def test_no_upstream(tmp_path: Path) -> None:
    made = repository(tmp_path / "repo", remote=True, upstream=False).diverge(ahead=1, behind=1)

    with pytest.raises(BuildError, match="no upstream configured"):
        made.git("rev-parse", "main@{upstream}")
    assert counts(made) == (1, 1)


def test_a_branch_is_retargeted(tmp_path: Path) -> None:
    made = repository(tmp_path / "repo", remote=True)

    made.retarget(upstream="next", remote="hub")
    assert made.git("rev-parse", "--abbrev-ref", "main@{upstream}") == "hub/next\n"
    made.diverge(ahead=2, behind=3)
    assert counts(made, "main", "hub/next") == (2, 3)

    made.retarget()
    assert made.git("for-each-ref", "--format=%(upstream)", "refs/heads/main") == "\n"


def test_a_second_branch_diverges_too(tmp_path: Path) -> None:
    made = repository(tmp_path / "repo", remote=True)
    made.git("branch", "dev")

    made.diverge("dev", ahead=2, behind=1)

    assert counts(made, "dev", "origin/dev") == (2, 1)
    assert counts(made) == (0, 0)
    assert made.status == ""


def test_unborn_detached_and_missing(tmp_path: Path) -> None:
    unborn = repository(tmp_path / "unborn").unborn()
    assert unborn.git("rev-parse", "--verify", "--quiet", "HEAD", check=False) == ""
    assert unborn.git("symbolic-ref", "HEAD") == "refs/heads/unborn\n"
    assert unborn.status == ""

    detached = repository(tmp_path / "detached").detach()
    assert detached.git("symbolic-ref", "--quiet", "HEAD", check=False) == ""

    missing = repository(tmp_path / "missing", remote=True).drop_branch()
    assert missing.git("for-each-ref", "--format=%(refname)").split() == ["refs/remotes/origin/main"]
    assert missing.git("config", "branch.main.merge") == "refs/heads/main\n"
    assert missing.status == ""


def test_shallow_and_unrelated(tmp_path: Path) -> None:
    cut = repository(tmp_path / "cut", remote=True).diverge(behind=3).shallow(depth=2)
    assert cut.git("rev-parse", "--is-shallow-repository") == "true\n"
    assert cut.git("rev-list", "--count", "origin/main") == "2\n"
    assert cut.git("merge-base", "main", "origin/main", check=False) == ""

    apart = repository(tmp_path / "apart", remote=True).unrelate()
    assert apart.git("merge-base", "main", "origin/main", check=False) == ""
    assert apart.git("ls-remote", "origin", "main").split()[0] == apart.git("rev-parse", "origin/main").strip()

    stale = repository(tmp_path / "stale", remote=True).unrelate(fetched=False)
    assert counts(stale) == (0, 0)
    assert stale.git("ls-remote", "origin", "main").split()[0] == apart.git("rev-parse", "origin/main").strip()


def test_a_tag_with_the_name_of_the_branch_is_another_commit(tmp_path: Path) -> None:
    made = repository(tmp_path / "repo")
    made.commit("More")

    made.tag_like_branch()

    assert made.git("rev-parse", "refs/tags/main") == made.git("rev-parse", "refs/heads/main~1")


def test_protected_branches_are_named_in_the_configuration(tmp_path: Path) -> None:
    made = repository(tmp_path / "repo").protect("main", "release/*")
    made.mission(PACKAGES)

    text = (made.root / ".kittify" / "config.yaml").read_text(encoding="utf-8")
    assert 'protected_branches: ["main", "release/*"]' in text
    assert made.status == ""


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (lambda made: made.diverge("nowhere", ahead=1), "no branch 'nowhere'"),
        (lambda made: made.diverge(ahead=-1), "-1 ahead"),
        (lambda made: made.diverge(behind=1, ahead=1).diverge(ahead=1), "diverged from origin before"),
        (lambda made: made.drop_branch("nowhere"), "no branch 'nowhere'"),
        (lambda made: made.tag_like_branch("nowhere"), "no branch 'nowhere'"),
        (lambda made: made.retarget("nowhere", upstream="x"), "no branch 'nowhere'"),
        (lambda made: made.shallow(depth=0), "depth 0"),
    ],
)
@pytest.mark.parametrize("by_git", [False, True])
def test_wrong_use_of_a_branch_names_it(tmp_path: Path, use: Any, text: str, by_git: bool) -> None:
    with pytest.raises(BuildError, match=text):
        use(repository(tmp_path / "repo", remote=True, by_git=by_git))


@pytest.mark.parametrize("verb", ["diverge", "retarget", "unrelate", "shallow"])
def test_a_verb_about_the_remote_needs_one(tmp_path: Path, verb: str) -> None:
    with pytest.raises(BuildError, match="remote=True"):
        getattr(repository(tmp_path / "repo"), verb)()


def test_a_remote_is_not_made_over_something(tmp_path: Path) -> None:
    (tmp_path / "repo.git").mkdir()

    with pytest.raises(BuildError, match=r"repo\.git is a git repository already"):
        repository(tmp_path / "repo", remote=True)
    with pytest.raises(BuildError, match=r"'or\\nigin' is not a name that git takes for a remote"):
        repository(tmp_path / "other", remote="or\nigin")
    assert not (tmp_path / "repo").exists()
    assert not (tmp_path / "other").exists()


# --- lanes and topologies


def test_lanes_have_branches_worktrees_a_manifest_and_contexts(tmp_path: Path) -> None:
    built = repository(tmp_path / "repo").mission(PACKAGES, lanes=LANES)
    manifest = read_lane_manifest(built.paths.lanes)

    assert manifest is not None
    assert manifest.mission_branch == built.branch == f"kitty/mission-{built.slug}"
    assert manifest.lane_of("WP04") == "lane-a"
    assert manifest.lane_of("WP05") is None
    for lane_id, wp_ids in LANES.items():
        lane = built.lane(lane_id)
        assert lane.path == built.root / ".worktrees" / f"{built.slug}-{lane_id}"
        assert (lane.path / ".git").is_file()
        assert lane.branch == f"{built.branch}-{lane_id}"
        assert lane.git("rev-list", "--count", f"{built.branch}..HEAD") == "1\n"
        assert lane.work_packages == wp_ids
        assert lane.context_path == built.root / ".kittify" / "workspaces" / f"{built.slug}-{lane_id}.json"
        assert read_contexts(built.root, lane.branch) == [lane.context]
        assert lane.context.base_commit == built.repository.git("rev-parse", built.branch).strip()
    assert built.lane("lane-a").context.current_wp == "WP04"
    assert built.lane("lane-a").git("diff", "--name-only", f"{built.branch}..HEAD") == "src/wp01/work-1.py\n"


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_the_canonical_log_is_where_the_topology_has_it_and_decoys_everywhere_else(
    tmp_path: Path, topology: str
) -> None:
    built = whole(tmp_path / "repo", topology=topology)
    right = built.coord if "coord" in topology else built.primary
    rows = {wp: lane for wp, lane in built.expected.items() if lane != "genesis"}

    assert built.log.path == built.copy_in(right)
    assert built.log.path.read_bytes() == built.log.data
    assert lanes_in(built.log.path) == rows
    assert built.meta.get("coordination_branch") == (built.branch if "coord" in topology else None)
    assert json.loads(built.paths.meta.read_bytes()) == built.meta
    wrong = [checkout for checkout in checkouts(built) if checkout is not right]
    assert len(wrong) == {"single_branch": 0, "lanes": 2, "coord": 1, "lanes_with_coord": 3}[topology]
    for checkout in wrong:
        copy = built.copy_in(checkout)
        said = lanes_in(copy)
        assert set(said) == set(PACKAGES)
        assert all(said[wp] != lane for wp, lane in built.expected.items())
        assert {json.loads(line)["actor"] for line in copy.read_bytes().splitlines()} == {"decoy"}
        assert copy.parent.joinpath("meta.json").read_bytes() == built.paths.meta.read_bytes()


def test_a_merged_lane_brings_no_decoy_back(tmp_path: Path) -> None:
    built = repository(tmp_path / "repo").mission(PACKAGES, lanes=LANES)

    built.repository.git("merge", "--quiet", "--no-edit", built.lane("lane-a").branch)

    assert built.log.path.read_bytes() == built.log.data


def test_without_decoys_the_log_has_no_wrong_copy(tmp_path: Path) -> None:
    lanes = repository(tmp_path / "lanes").mission(PACKAGES, lanes=LANES, decoys=False)
    coord = repository(tmp_path / "coord").mission(PACKAGES, topology="coord", decoys=False)

    assert lanes.copy_in(lanes.lane("lane-a")).read_bytes() == lanes.log.data
    assert not coord.copy_in(coord.primary).exists()
    assert list(coord.root.rglob(EVENT_LOG_NAME)) == [coord.log.path]


def test_the_log_of_a_coordinated_mission_goes_on_in_its_worktree(tmp_path: Path) -> None:
    built = repository(tmp_path / "repo").mission({"WP01": "planned"}, topology="coord")

    built.log.lane("WP01", "claimed")

    assert built.expected == {"WP01": "claimed"}
    assert lanes_in(built.copy_in(built.coord)) == {"WP01": "claimed"}
    assert built.coord.status.split() == ["M", f"kitty-specs/{built.slug}/{EVENT_LOG_NAME}"]
    assert built.primary.status == ""


def test_a_mission_without_a_log_has_none_anywhere(tmp_path: Path) -> None:
    built = repository(tmp_path / "repo").mission(PACKAGES, topology="lanes_with_coord", lanes=LANES, log=False)

    assert list(built.root.rglob(EVENT_LOG_NAME)) == []


def test_two_missions_share_a_repository(tmp_path: Path) -> None:
    made = repository(tmp_path / "repo")
    one = made.mission(PACKAGES, lanes=LANES)
    two = made.mission(PACKAGES, topology="coord", name="other")

    assert made.missions == [one, two]
    assert one.branch != two.branch
    assert all(checkout.status == "" for checkout in [*checkouts(one), *checkouts(two)])


def test_the_planning_lane_has_no_branch(tmp_path: Path) -> None:
    built = repository(tmp_path / "repo").mission(PACKAGES, lanes={"lane-planning": ["WP01"], "lane-b": ["WP02"]})

    assert list(built.lane_checkouts) == ["lane-b"]
    with pytest.raises(BuildError, match=r"'lane-planning'; there are: lane-b"):
        built.lane("lane-planning")


def test_a_mission_aims_at_the_branch_of_its_repository(tmp_path: Path) -> None:
    made = repository(tmp_path / "repo", branch="trunk")

    assert made.mission().meta["target_branch"] == "trunk"
    assert made.mission(name="other", meta={"target_branch": "dev"}).meta["target_branch"] == "dev"


def test_a_lane_can_be_the_working_directory(tmp_path: Path) -> None:
    lane = repository(tmp_path / "repo").mission(PACKAGES, lanes=LANES).lane("lane-a")
    before = Path.cwd()

    with lane.cwd() as here:
        assert Path.cwd() == here.resolve() == lane.path.resolve()

    assert Path.cwd() == before


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"lanes": LANES, "topology": "coord"}, "'coord' has no lanes"),
        ({"lanes": LANES, "lane_manifest": LANES}, "not both"),
        ({"lanes": {"a": ["WP01"]}}, "'a' is not a lane id"),
        ({"lanes": {"lane-a": []}}, "lane-a has no work package"),
        ({"lanes": {"lane-a": ["WP09"]}}, "no work package 'WP09'"),
        ({"lanes": {"lane-a": ["WP01"], "lane-b": ["WP01"]}}, "WP01 is in lane-a and in lane-b"),
        ({"topology": "round"}, "unknown topology 'round'"),
        ({"lanes": LANES, "context": "odd"}, "unknown context 'odd'"),
    ],
)
def test_wrong_lanes_are_named_and_nothing_is_written(tmp_path: Path, options: Any, text: str) -> None:
    made = repository(tmp_path / "repo")

    with pytest.raises(BuildError, match=text):
        made.mission(PACKAGES, **options)

    assert made.status == ""
    assert made.git("rev-list", "--count", "--all") == "1\n"
    assert made.missions == []


def test_a_topology_without_coordination_has_no_such_worktree(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="'single_branch' has no coordination worktree"):
        _ = repository(tmp_path / "repo").mission(PACKAGES).coord


# --- workspace contexts


def test_contexts_are_stale_ambiguous_missing_or_unreadable_by_option(tmp_path: Path) -> None:
    found = {}
    for context in ("fresh", "stale", "ambiguous", "missing", "unreadable"):
        built = repository(tmp_path / context).mission(PACKAGES, lanes={"lane-a": ["WP01", "WP04"]}, context=context)
        lane = built.lane("lane-a")
        found[context] = [known.current_wp for known in read_contexts(built.root, lane.branch)]
        assert lane.context_path.exists() == (context != "missing")
        assert built.primary.status == ""

    assert found == {
        "fresh": ["WP04"],
        "stale": ["WP01"],
        "ambiguous": ["WP04", "WP04"],
        "missing": [],
        "unreadable": [],
    }


def test_a_lane_with_one_work_package_is_stale_only_with_another_one(tmp_path: Path) -> None:
    lane = repository(tmp_path / "repo").mission(PACKAGES, lanes=LANES).lane("lane-b")

    with pytest.raises(BuildError, match="lane-b has one work package"):
        lane.stale_context()
    stale = read_context(lane.stale_context("WP09").context_path)
    assert stale is not None
    assert stale.current_wp == "WP09"
    assert read_context(lane.missing_context().context_path) is None
    assert read_context(lane.fresh_context().context_path) == lane.context


def test_a_manifest_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "lanes.json"
    assert read_lane_manifest(path) is None

    good = repository(tmp_path / "repo").mission(PACKAGES, lanes=LANES).paths.lanes.read_bytes()
    path.write_bytes(good)
    read = read_lane_manifest(path)
    assert read is not None
    assert read.encode() == good
    for text in ("{", "[]", '{"version": 2}', '{"version": 1}'):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(LaneManifestError, match=r"lanes\.json"):
            read_lane_manifest(path)


# --- staging

NAMES = ["plain.txt", "ü/猫.txt", "with space.txt", "[id]/[id].txt", "-leading.txt", "src/-x", "*.py", "a#b", "q'uo"]
if os.name == "posix":
    NAMES += ["new\nline.txt", 'dou"ble', "back\\slash", "colon:x", ":(glob)x"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("where", ["primary", "lane"])
def test_any_name_is_staged_as_it_is(tmp_path: Path, name: str, where: str) -> None:
    built = repository(tmp_path / "repo").mission(PACKAGES, lanes=LANES)
    checkout = built.primary if where == "primary" else built.lane("lane-a")

    assert checkout.add(name).staged == [name]
    checkout.commit()
    assert checkout.edit(name).staged == [name]
    checkout.commit()
    assert checkout.chmod(name).staged == [name]
    assert checkout.git("--literal-pathspecs", "ls-files", "--stage", "--", name)[:6] == "100755"
    checkout.commit()
    assert sorted(checkout.rename(name, "moved/to.txt").staged) == sorted([name, "moved/to.txt"])
    checkout.commit()
    assert checkout.delete("moved/to.txt").staged == ["moved/to.txt"]
    checkout.commit()
    assert checkout.status == ""


def test_staging_in_a_lane_leaves_the_other_checkouts_alone(tmp_path: Path) -> None:
    built = repository(tmp_path / "repo").mission(PACKAGES, lanes=LANES)

    built.lane("lane-a").delete("README.md").add("src/wp04/x.py")

    assert built.lane("lane-a").staged == ["README.md", "src/wp04/x.py"]
    assert [checkout.staged for checkout in (built.primary, built.lane("lane-b"))] == [[], []]


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (lambda here: here.add("README.md"), "'README.md' exists"),
        (lambda here: here.edit("nothing"), "no file 'nothing'"),
        (lambda here: here.delete("nothing"), "no file 'nothing'"),
        (lambda here: here.rename("nothing", "x"), "no file 'nothing'"),
        (lambda here: here.chmod("nothing"), "no file 'nothing'"),
        (lambda here: here.add("../out"), "'../out' is not a path inside"),
        (lambda here: here.add("/out"), "'/out' is not a path inside"),
        (lambda here: here.add(".git/x"), "'.git/x' is not a path inside"),
        (lambda here: here.add("README.md/x"), "'README.md/x' cannot be written"),
    ],
)
def test_wrong_staging_names_the_file(tmp_path: Path, use: Any, text: str) -> None:
    here = repository(tmp_path / "repo").checkout

    with pytest.raises(BuildError, match=text):
        use(here)

    assert here.status == ""


# --- the same every time


def test_two_builds_give_the_same_ids_in_two_processes(tmp_path: Path) -> None:
    script = (
        "import sys; from kitty_reliability.build.repository import repository;"
        "r = repository(sys.argv[1], remote=True);"
        "r.mission({'WP01': 'done', 'WP04': 'blocked'}, topology='lanes_with_coord');"
        "r.diverge(ahead=2, behind=1); print(r.git('for-each-ref'))"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / seed)],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone},
            capture_output=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Kolkata"))
    ]

    assert said[0] == said[1]
    assert said[0].count(b"refs/") == 4


def test_owned_files_say_where_a_lane_works(tmp_path: Path) -> None:
    packages = {"WP01": WorkPackage("done", owned_files=["lib/one/*.py"]), "WP04": WorkPackage("in_progress")}
    built = repository(tmp_path / "repo").mission(packages, lanes={"lane-a": ["WP01", "WP04"]})

    assert built.lane("lane-a").git("diff", "--name-only", f"{built.branch}..HEAD") == "lib/one/work-1.py\n"
    manifest = read_lane_manifest(built.paths.lanes)
    assert manifest is not None
    assert manifest.lanes[0].write_scope == ["lib/one/*.py", "src/wp04/**"]
