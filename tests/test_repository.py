from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kitty_reliability.build.clock import Clock
from kitty_reliability.build.errors import BuildError
from kitty_reliability.build.repository import Repository, git_environment, repository
from kitty_reliability.observe.tree import mark_tree

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

REDIRECTIONS = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
]


@pytest.fixture
def decoy(tmp_path: Path) -> Path:
    """A repository that nobody means."""
    return repository(tmp_path / "decoy").root


def pointing_at(decoy: Path) -> dict[str, str]:
    git = decoy / ".git"
    places = [git, decoy, git / "index", git / "objects", git, "decoy", "decoy/"]
    return {name: str(place) for name, place in zip(REDIRECTIONS, places, strict=True)}


def plain_git(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run git as anyone would, with whatever the environment says."""
    environment: Mapping[str, str] = {**os.environ, **variables}
    return subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True, check=False)


# --- what is built


def test_a_repository_has_one_commit_on_its_branch_and_is_clean(tmp_path: Path) -> None:
    made = repository(tmp_path / "repo")

    assert made.git("symbolic-ref", "HEAD") == "refs/heads/main\n"
    assert made.git("rev-list", "--count", "HEAD") == "1\n"
    assert made.git("ls-files") == "README.md\n"
    assert made.status == ""


def test_the_branch_can_be_named(tmp_path: Path) -> None:
    assert repository(tmp_path, branch="trunk/1").git("branch", "--show-current") == "trunk/1\n"


def test_a_mission_is_committed_whole(tmp_path: Path) -> None:
    made = repository(tmp_path / "repo")
    before = made.head

    built = made.mission({"WP01": "approved"})

    assert made.status == ""
    assert made.missions == [built]
    assert made.git("rev-parse", "HEAD~1").strip() == before
    files = {path.relative_to(made.root).as_posix() for path in built.directory.rglob("*") if path.is_file()}
    assert files <= set(made.git("ls-files").split())
    assert made.git("show", f"HEAD:kitty-specs/{built.slug}/status.events.jsonl").encode() == built.log.data


def test_a_built_repository_passes_the_strictest_check_of_git(tmp_path: Path) -> None:
    made = repository(tmp_path / "repo")
    made.mission({"WP01": "done"})
    made.mission({"WP01": "planned"}, name="other")

    made.git("fsck", "--strict", "--full")
    assert made.git("rev-list", "--count", "HEAD") == "3\n"


def test_two_builds_give_equal_commit_ids_wherever_and_whenever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = []
    for name, zone, language in (("one", "UTC", "C"), ("two", "Asia/Kolkata", "de_DE.UTF-8")):
        monkeypatch.setenv("TZ", zone)
        monkeypatch.setenv("LANG", language)
        made = repository(tmp_path / name)
        made.mission({"WP01": "done", "WP02": "blocked"})
        made.commit("More", files={"src/a.py": "x = 1\n", "b.bin": b"\x00\r\n"})
        heads.append(made.head)

    assert heads[0] == heads[1]


def test_a_commit_writes_its_files_and_returns_its_id(tmp_path: Path) -> None:
    made = repository(tmp_path / "repo")

    commit = made.commit("Add things", files={"deep/er/ü.txt": "ü\r\n", "b.bin": b"\x00\xff"})

    assert commit == made.head
    assert (made.root / "deep/er/ü.txt").read_bytes() == "ü\r\n".encode()
    assert made.git("log", "-1", "--format=%s") == "Add things\n"
    assert made.status == ""


def test_a_commit_may_change_nothing(tmp_path: Path) -> None:
    made = repository(tmp_path / "repo")
    before = made.head

    assert made.commit("Nothing") != before
    assert made.git("diff", before, "HEAD") == ""


def test_commits_are_dated_by_the_clock_of_the_repository(tmp_path: Path) -> None:
    made = repository(tmp_path / "repo", clock=Clock(datetime(2024, 2, 29, 12, tzinfo=UTC)))

    made.commit()

    assert made.git("log", "-1", "--format=%aI %cI").split() == [made.clock.now.replace(microsecond=0).isoformat()] * 2


@pytest.mark.parametrize("name", ["with space", "mit ümläut", "猫 🐈", "a'b", "-option"])
def test_a_repository_is_built_under_any_path(tmp_path: Path, name: str) -> None:
    made = repository(tmp_path / name / "repo")

    built = made.mission({"WP01": "done"})

    assert made.status == ""
    assert built.root == tmp_path / name / "repo"


# --- nothing reaches in, nothing reaches out


@pytest.mark.parametrize("variable", REDIRECTIONS)
def test_a_variable_that_points_git_elsewhere_does_nothing(
    tmp_path: Path, decoy: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    before = mark_tree(decoy)
    expected = repository(tmp_path / "plain").mission({"WP01": "done"})
    monkeypatch.setenv(variable, pointing_at(decoy)[variable])

    made = repository(tmp_path / "repo")
    made.mission({"WP01": "done"})

    assert before.changes() == []
    assert made.status == ""
    assert made.head == Repository(expected.root, Clock()).head


def test_all_of_these_variables_together_do_nothing(
    tmp_path: Path, decoy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = mark_tree(decoy)
    for variable, value in pointing_at(decoy).items():
        monkeypatch.setenv(variable, value)
    # The decoy is one that git does follow.
    assert plain_git(tmp_path, "rev-parse", "--absolute-git-dir").stdout.decode().strip() == str(decoy / ".git")

    made = repository(tmp_path / "repo")
    made.mission()
    made.git("checkout", "--quiet", "-b", "other")

    assert before.changes() == []
    assert made.git("branch", "--show-current") == "other\n"


@pytest.mark.parametrize(
    "variables",
    [
        {"GIT_AUTHOR_NAME": "Eve", "GIT_COMMITTER_EMAIL": "eve@example.invalid"},
        {"GIT_AUTHOR_DATE": "1 +0000", "GIT_COMMITTER_DATE": "1 +0000"},
        {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "Eve"},
        {"GIT_CONFIG_PARAMETERS": "'user.name=Eve'"},
        {"GIT_DEFAULT_HASH": "sha256"},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_a_variable_that_changes_a_commit_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    expected = repository(tmp_path / "plain").head
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert repository(tmp_path / "repo").head == expected


@pytest.fixture
def poisoned_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose configuration of git breaks every commit."""
    home = tmp_path / "home"
    hooks = home / "hooks"
    hooks.mkdir(parents=True)
    for name in ("pre-commit", "commit-msg", "post-commit", "reference-transaction", "post-checkout"):
        hook = hooks / name
        hook.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8", newline="\n")
        hook.chmod(0o755)
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Eve\n\temail = eve@example.invalid\n"
        "[commit]\n\tgpgsign = true\n\ttemplate = /nowhere\n"
        f"[gpg]\n\tprogram = {(home / 'no-such-program').as_posix()}\n"
        f"[core]\n\thooksPath = {hooks.as_posix()}\n\tautocrlf = true\n"
        f"[init]\n\tdefaultBranch = poisoned\n\ttemplateDir = {home.as_posix()}\n",
        encoding="utf-8",
        newline="\n",
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return home


def test_the_configuration_of_the_user_does_nothing(tmp_path: Path, poisoned_home: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    plain_git(plain, "init")
    # The poison is one that works.
    assert plain_git(plain, "commit", "--allow-empty", "--message", "x").returncode != 0

    made = repository(tmp_path / "repo")
    made.mission({"WP01": "done"})

    assert (
        made.git("log", "--format=%an %ae %cn %G?").splitlines()
        == ["Kitty Builder kitty@example.invalid Kitty Builder N"] * 2
    )
    assert not (made.root / ".git" / "hooks").exists()


@pytest.mark.parametrize("variable", ["HOME", "XDG_CONFIG_HOME"])
@pytest.mark.parametrize(("name", "text"), [("ignore", "*.jsonl\n*.md\n"), ("attributes", "* text eol=crlf\n")])
def test_the_ignore_and_attribute_files_of_the_user_do_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, name: str, text: str
) -> None:
    first = repository(tmp_path / "plain")
    first.mission({"WP01": "done"})
    first.commit("Bytes", files={"a.txt": "x\r\n"})
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    configuration = tmp_path / "home" / ".config"
    (configuration / "git").mkdir(parents=True)
    (configuration / "git" / name).write_text(text, encoding="utf-8")
    monkeypatch.setenv(variable, str(configuration.parent if variable == "HOME" else configuration))

    second = repository(tmp_path / "repo")
    second.mission({"WP01": "done"})
    second.commit("Bytes", files={"a.txt": "x\r\n"})

    assert second.git("ls-files") == first.git("ls-files")
    assert second.head == first.head


def test_a_repository_inside_another_one_leaves_the_outer_one_alone(decoy: Path) -> None:
    git = mark_tree(decoy / ".git")

    inner = repository(decoy / "inner")
    inner.mission()

    assert git.changes() == []
    assert inner.status == ""


def test_git_is_not_run_in_a_repository_further_up(decoy: Path) -> None:
    folder = decoy / "folder"
    folder.mkdir()
    assert plain_git(folder, "rev-parse", "--show-toplevel").returncode == 0

    with pytest.raises(BuildError, match="not a git repository"):
        Repository(folder, Clock()).git("status")


def test_the_environment_for_git_keeps_what_is_not_about_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")

    environment = git_environment()

    assert environment["PATH"] == os.environ["PATH"]
    assert environment["GITHUB_ACTIONS"] == "true"
    assert "GIT_DIR" not in environment
    assert "GIT_AUTHOR_DATE" not in environment
    assert git_environment(Clock())["GIT_AUTHOR_DATE"] == Clock().git_date


def test_building_changes_no_variable_of_this_process(tmp_path: Path) -> None:
    before = dict(os.environ)

    repository(tmp_path / "repo").mission()

    assert dict(os.environ) == before


# --- errors


def test_a_failure_of_git_names_the_command_and_what_git_said(tmp_path: Path) -> None:
    made = repository(tmp_path / "repo")

    with pytest.raises(BuildError, match=r"git checkout no-such-branch ended with 1: .*no-such-branch"):
        made.git("checkout", "no-such-branch")


def test_a_failure_that_is_expected_is_not_an_error(tmp_path: Path) -> None:
    assert repository(tmp_path / "repo").git("rev-parse", "--quiet", "--verify", "nothing", check=False) == ""


def test_output_that_is_not_utf_8_is_kept(tmp_path: Path) -> None:
    made = repository(tmp_path / "repo")
    made.commit("Bytes", files={"b.bin": b"\xff\n"})

    assert made.git("show", "HEAD:b.bin").encode("utf-8", "surrogateescape") == b"\xff\n"


def test_a_repository_is_not_made_over_another_one(tmp_path: Path) -> None:
    head = repository(tmp_path / "repo").head

    with pytest.raises(BuildError, match="is a git repository already"):
        repository(tmp_path / "repo")

    assert Repository(tmp_path / "repo", Clock()).head == head


def test_a_branch_name_that_git_refuses_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"'a\.\.b' is not a name that git takes for a branch"):
        repository(tmp_path / "repo", branch="a..b")


def test_git_that_is_not_installed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BuildError, match="git is not installed"):
        repository(tmp_path / "repo")


def test_a_repository_that_is_gone_is_not_taken_for_a_missing_git(tmp_path: Path) -> None:
    with pytest.raises((BuildError, FileNotFoundError)) as caught:
        _ = Repository(tmp_path / "gone", Clock()).status

    assert "not installed" not in str(caught.value)
