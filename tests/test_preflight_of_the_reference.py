"""The reference's preflight and its branch for a pull request, where the suite does not look: codes, odd records, odd files."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.build.lanes import RepositoryMission
from kitty_reliability.build.mission import WorkPackage
from kitty_reliability.build.repository import Repository, git_environment, repository
from kitty_reliability.formats.profiles import CONTRACT_320, SPEC_KITTY_32, Profile
from kitty_reliability.implementations.protocol import Preflight
from kitty_reliability.observe.refs import mark_repository
from kitty_reliability.observe.tree import mark_tree
from kitty_reliability.reference.adapter import Reference
from kitty_reliability.reference.focused import Focused
from kitty_reliability.reference.focused_name import focused_name
from kitty_reliability.reference.git_process import GitError
from kitty_reliability.reference.preflight import Preflight as PreflightOfOne


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return repository(tmp_path / "repo", remote=True)


@pytest.fixture
def built(repo: Repository) -> RepositoryMission:
    return repo.mission({"WP01": "approved", "WP02": "planned"}, lanes={"lane-a": ["WP01"]}, lane_commits=0)


def ask(built: RepositoryMission, *, publish: bool = False, reference: Reference | None = None) -> Any:
    outcome = (reference or Reference()).answer(Preflight(root=str(built.root), mission=built.slug, publish=publish))
    assert outcome.ok, outcome
    return outcome.value


def codes(answer: Any) -> list[str]:
    return [finding["diagnostic_code"] for finding in answer["findings"]]


def focus(built: RepositoryMission, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the printed command with more options."""
    answer = ask(built)
    (argv,) = answer["commands"]
    assert answer["lines"] == [shlex.join(argv)]
    return subprocess.run(
        [*argv, *options], cwd=answer["cwd"], env=git_environment(), capture_output=True, text=True, check=False
    )


def made(built: RepositoryMission) -> dict[str, Any]:
    done = focus(built, "--format=json")
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def refused(built: RepositoryMission) -> tuple[str, str]:
    done = focus(built, "--format=json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert built.repository.git("for-each-ref", "refs/heads/kitty/pr") == ""
    return told["diagnostic_code"], told["message"]


# --- the preflight


def test_findings_have_the_names_that_released_versions_give(built: RepositoryMission) -> None:
    built.repository.diverge(ahead=84, behind=6, fetched=False)
    answer = ask(built, publish=True)
    assert codes(answer) == ["TARGET_BRANCH_NOT_SYNCHRONIZED", "TRACKING_BRANCH_STALE"]
    finding = answer["findings"][0]
    assert finding["violated_invariant"] == "local_target_branch_must_match_tracking_branch"
    assert (finding["ahead_count"], finding["behind_count"]) == (84, 6)
    assert ["git", "fetch", "--", "origin"] in finding["remediation_commands"]
    assert all(shlex.join(argv) in finding["remediation"] for argv in finding["remediation_commands"])


def test_the_other_profile_blocks_only_what_is_published(built: RepositoryMission) -> None:
    built.repository.diverge(ahead=1, behind=1)
    reference = Reference(SPEC_KITTY_32)
    assert not ask(built, reference=reference)["blocked"]
    assert ask(built, publish=True, reference=reference)["blocked"]
    built.repository.detach()
    assert ask(built, reference=reference)["blocked"]


def test_not_even_an_object_stays_of_what_was_asked_of_the_remote(built: RepositoryMission) -> None:
    built.repository.diverge(ahead=2, behind=30, fetched=False)
    marks = mark_repository(built.root), mark_tree(built.root)
    assert ask(built, publish=True)["behind"] == 30
    assert marks[0].changes() == []
    assert marks[1].changes() == []


def test_a_path_with_a_colon_and_quotes_is_no_list_of_paths(tmp_path: Path) -> None:
    repo = repository(tmp_path / 'a:b"c\\d', remote=True)
    built = repo.mission({"WP01": "approved"})
    repo.diverge(ahead=1, behind=1, fetched=False)
    assert ask(built, publish=True)["state"] == "diverged"


def test_an_upstream_that_nothing_remembers_is_asked_for_only_when_publishing(built: RepositoryMission) -> None:
    repo = built.repository
    repo.diverge(ahead=1, behind=2)
    repo.git("config", "--unset-all", "remote.origin.fetch")
    answer = ask(built)
    assert (answer["state"], codes(answer)) == ("unknown", ["TARGET_BRANCH_STATE_UNKNOWN"])
    answer = ask(built, publish=True)
    assert (answer["state"], answer["ahead"], answer["behind"]) == ("diverged", 1, 2)


def test_a_remote_that_is_gone_is_named_without_its_password(built: RepositoryMission) -> None:
    built.repository.git("remote", "set-url", "origin", "http://me:secret@127.0.0.1:9/x.git")
    answer = ask(built, publish=True)
    assert codes(answer) == ["TARGET_BRANCH_REFRESH_FAILED"]
    assert "secret" not in json.dumps(answer)
    assert "secret" not in str(GitError("fatal: unable to access 'https://me:secret@host/x.git/'"))


def test_the_target_of_the_lane_manifest_counts_when_meta_has_none(repo: Repository) -> None:
    built = repo.mission({"WP01": "approved"}, lanes={"lane-a": ["WP01"]}, meta_drop=["target_branch"])
    assert ask(built)["target_branch"] == "main"
    built.paths.lanes.unlink()
    outcome = Reference().answer(Preflight(root=str(built.root), mission=built.slug))
    assert outcome.value["diagnostic_code"] == "TARGET_BRANCH_UNKNOWN"


@pytest.mark.parametrize("target", ["main~1", "refs/heads/main", "HEAD", "*", "no such\nbranch", "../x", "main/"])
def test_a_target_that_is_no_branch_is_missing(built: RepositoryMission, target: str) -> None:
    built.paths.meta.write_text(json.dumps({**built.meta, "target_branch": target}), encoding="utf-8")
    answer = ask(built, publish=True)
    assert (answer["state"], answer["blocked"], answer["commands"]) == ("missing_branch", True, [])


@pytest.mark.parametrize("target", ["half \ud800", "nul\0"])
def test_a_target_that_no_command_line_holds_does_not_pass(built: RepositoryMission, target: str) -> None:
    built.paths.meta.write_text(json.dumps({**built.meta, "target_branch": target}), encoding="utf-8")
    outcome = Reference().answer(Preflight(root=str(built.root), mission=built.slug))
    assert not outcome.ok or outcome.value["blocked"]


def test_a_directory_without_git_is_unknown(tmp_path: Path, built: RepositoryMission) -> None:
    (built.root / ".git").rename(tmp_path / "elsewhere")
    outer = repository(tmp_path)
    answer = ask(built)
    assert (answer["state"], answer["blocked"]) == ("unknown", True)
    assert outer.root == tmp_path


def test_variables_of_git_redirect_nothing(
    built: RepositoryMission, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GIT_DIR", str(repository(tmp_path / "other").root / ".git"))
    built.repository.diverge(ahead=2)
    assert ask(built)["ahead"] == 2


def test_it_is_asked_from_a_lane(built: RepositoryMission) -> None:
    built.repository.diverge(ahead=2)
    lane = built.lane("lane-a").path
    outcome = Reference().answer(Preflight(root=str(lane), mission=built.slug))
    assert (outcome.value["ahead"], outcome.value["cwd"]) == (2, str(built.root))


# --- its name


def test_the_name_is_that_of_released_versions() -> None:
    assert focused_name("demo-01J", "main") == "kitty/pr/demo-01J-to-main"
    assert focused_name("demo-01J", "release/2/x") == "kitty/pr/demo-01J-to-release-2-x"


@pytest.mark.parametrize(
    "target", ["", "@", "a b", "a..b", "x.lock", "x.lock/y", ".x", "x/.y", "x.", "/x", "x/", "x@{1}"]
)
def test_what_no_branch_can_be_called_has_none(target: str) -> None:
    assert focused_name("demo", target) is None


def test_long_names_stay_apart_and_short_enough() -> None:
    one, other = (focused_name("s" * 120, "ü" * 90 + end) for end in "ab")
    assert one != other
    assert one is not None
    assert len(one.rpartition("/")[2].encode()) <= 200


# --- the branch


def test_a_merged_lane_is_taken_as_the_target_has_it(built: RepositoryMission) -> None:
    repo = built.repository
    built.lane("lane-a").add("src/wp01/a.py", "lane\n").commit()
    repo.git("merge", "--quiet", "--squash", built.lane("lane-a").branch)
    repo.git("commit", "--quiet", "--message", "Squash")
    assert made(built)["files"] == ["src/wp01/a.py"]


def test_two_versions_of_one_file_stop_it(built: RepositoryMission) -> None:
    built.lane("lane-a").add("src/wp01/a.py", "lane\n").commit()
    built.repository.commit("Other", files={"src/wp01/a.py": "target\n"})
    code, message = refused(built)
    assert code == "FOCUSED_BRANCH_CONFLICT"
    assert "src/wp01/a.py" in message
    assert built.lane("lane-a").branch in message


def test_a_lane_that_went_on_from_the_target_is_newer(built: RepositoryMission) -> None:
    repo, lane = built.repository, built.lane("lane-a")
    repo.commit("Begin", files={"src/wp01/a.py": "target\n"})
    lane.git("merge", "--quiet", "--ff-only", "main")
    lane.edit("src/wp01/a.py", "lane\n").commit()
    found = made(built)
    assert repo.git("show", f"{found['commit']}:src/wp01/a.py") == "lane\n"


def test_the_mission_is_that_of_the_main_checkout(built: RepositoryMission) -> None:
    repo, plan = built.repository, f"kitty-specs/{built.slug}/plan.md"
    built.lane("lane-a").add(plan, "stale\n").commit()
    repo.commit("Plan", files={plan: "plan\n"})
    found = made(built)
    assert found["files"] == [plan]
    assert repo.git("show", f"{found['commit']}:{plan}") == "plan\n"


def test_the_mission_is_that_of_the_target_where_something_else_is_checked_out(built: RepositoryMission) -> None:
    repo, directory = built.repository, f"kitty-specs/{built.slug}"
    repo.commit("Begin", files={f"{directory}/plan.md": "1\n"})
    repo.git("branch", "side")
    repo.commit("Plan", files={f"{directory}/plan.md": "2\n"})
    repo.git("checkout", "--quiet", "side")
    repo.commit("Research", files={f"{directory}/research.md": "1\n"})
    found = made(built)
    assert found["files"] == [f"{directory}/plan.md", f"{directory}/research.md"]
    assert repo.git("show", f"{found['commit']}:{directory}/plan.md") == "2\n"
    repo.git("branch", "--delete", "--force", found["branch"])
    repo.commit("Plan", files={f"{directory}/plan.md": "3\n"})
    code, message = refused(built)
    assert code == "FOCUSED_BRANCH_CONFLICT"
    assert "main and the checkout differ" in message


def test_log_and_snapshot_are_those_of_the_coordination_branch(repo: Repository) -> None:
    built = repo.mission({"WP01": "planned"}, topology="lanes_with_coord")
    built.log.lane("WP01", "claimed")
    built.coord.git("add", "--all")
    built.coord.commit()
    found = made(built)
    log = f"kitty-specs/{built.slug}/status.events.jsonl"
    assert log in found["files"]
    assert repo.git("show", f"{found['commit']}:{log}").encode() == built.log.path.read_bytes()


def test_a_lane_whose_record_cannot_be_read_stops_it(built: RepositoryMission) -> None:
    built.lane("lane-a").unreadable_context()
    assert refused(built)[0] == "LANE_RECORD_UNREADABLE"


def test_what_no_work_package_owns_is_left_out_and_told(built: RepositoryMission) -> None:
    built.lane("lane-a").add("src/wp01/a.py", "a\n").add("pyproject.toml", "x\n").commit()
    found = made(built)
    assert (found["files"], found["left_out"]) == (["src/wp01/a.py"], ["pyproject.toml"])


def test_without_owned_files_the_commits_decide(repo: Repository) -> None:
    built = repo.mission(
        {"WP01": WorkPackage("approved", drop=["owned_files"])}, lanes={"lane-a": ["WP01"]}, lane_commits=0
    )
    repo.commit("Others", files={"src/others.py": "1\n"})
    built.lane("lane-a").git("merge", "--quiet", "--ff-only", "main")
    built.lane("lane-a").add("src/any.py", "a\n").commit()
    repo.commit("Others", files={"src/others.py": "2\n"})
    assert made(built)["files"] == ["src/any.py"]


def test_with_nothing_to_ship_it_is_the_tip(built: RepositoryMission) -> None:
    built.repository.diverge(ahead=1, behind=1)
    found = made(built)
    assert (found["files"], found["commit"]) == ([], found["base"])


def test_what_the_remote_has_already_is_no_conflict(built: RepositoryMission) -> None:
    repo = built.repository
    repo.begin()
    repo.leave()
    repo.grow_remote("refs/heads/main", [repo.change("Took it", {"src/wp01/a.py": b"a\n"})])
    repo.commit("Go on", files={"src/wp01/a.py": "a\n", "src/wp01/b.py": "b\n"})
    assert made(built)["files"] == ["src/wp01/b.py"]


def test_a_file_in_the_way_of_a_directory_stops_it(built: RepositoryMission) -> None:
    repo = built.repository
    repo.begin()
    repo.leave()
    repo.grow_remote("refs/heads/main", [repo.change("In the way", {"src/wp01": b"a file\n"})])
    repo.commit("Go on", files={"src/wp01/a.py": "a\n"})
    code, message = refused(built)
    assert code == "FOCUSED_BRANCH_CONFLICT"
    assert "src/wp01" in message


def test_a_file_can_become_a_directory_and_the_other_way_round(built: RepositoryMission) -> None:
    repo = built.repository
    repo.commit("Begin", files={"src/wp01/a": "file\n", "src/wp01/b/c": "file\n", "src/wp01/link": "x\n"})
    repo.diverge()
    for name in ("a", "b/c", "link"):
        (repo.root / "src/wp01" / name).unlink()
    (repo.root / "src/wp01/b").rmdir()
    (repo.root / "src/wp01/link").symlink_to("a")
    repo.commit("Go on", files={"src/wp01/a/d": "directory\n", "src/wp01/b": "now a file\n"})
    found = made(built)
    assert repo.git("diff", "--name-only", found["commit"], "main") == ""
    assert repo.git("ls-tree", found["commit"], "src/wp01/link").startswith("120000")


def test_a_branch_of_the_name_is_told_with_its_commit(built: RepositoryMission) -> None:
    repo = built.repository
    repo.commit("Go on", files={"src/wp01/a.py": "a\n"})
    name = ask(built)["focused_branch"]
    repo.git("branch", name, "HEAD")
    done = focus(built)
    assert done.returncode == 1
    assert repo.head in done.stderr
    assert "FOCUSED_BRANCH_TAKEN" in done.stderr


@pytest.mark.parametrize("what", ["shallow", "detached", "unrelated", "untracked", "gone", "missing", "unreadable"])
def test_where_nothing_can_be_told_nothing_is_made(built: RepositoryMission, what: str) -> None:
    repo = built.repository
    repo.diverge(ahead=1, behind=2)
    (argv,) = ask(built)["commands"]
    {
        "shallow": lambda: repo.shallow(1),
        "detached": repo.detach,
        "unrelated": repo.unrelate,
        "untracked": lambda: repo.git("branch", "--unset-upstream"),
        "gone": lambda: repo.remote and repo.remote.rename(repo.remote.with_name("gone")),
        "missing": repo.drop_branch,
        "unreadable": lambda: (built.directory / "tasks" / "WP09.md").write_bytes(b"---\n{\n---\n"),
    }[what]()
    done = subprocess.run(argv, cwd=built.root, env=git_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "FOCUSED_BRANCH_IMPOSSIBLE" in done.stderr
    assert repo.git("for-each-ref", "refs/heads/kitty/pr") == ""


@pytest.mark.parametrize("profile", [CONTRACT_320, SPEC_KITTY_32], ids=lambda profile: profile.name)
def test_globs_are_those_of_the_guard(repo: Repository, profile: Profile) -> None:
    built = repo.mission({"WP01": WorkPackage("approved", owned_files=["src/*.py", "docs"])}, topology="single_branch")
    repo.commit("Go on", files={"src/a.py": "a\n", "src/b/c.py": "c\n", "docs/d.md": "d\n"})
    focused = Focused(PreflightOfOne(built.paths, profile, []))
    expected = ["src/a.py"] if profile.exact_globs else ["docs/d.md", "src/a.py", "src/b/c.py"]
    assert focused.make().files == expected


def test_the_command_prints_for_people(built: RepositoryMission) -> None:
    built.repository.diverge(ahead=1, behind=1)
    words = ["-m", "kitty_reliability.reference", "preflight", f"--root={built.root}", f"--mission={built.slug}"]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "main: diverged from origin/main: 1 ahead, 1 behind; blocked"
    assert lines[-1].strip() == ask(built)["lines"][0]
    assert lines[-2] == f"{ask(built)['focused_branch']} is made in {built.root} by"
