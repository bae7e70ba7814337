from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kitty_reliability.faults.process import Running, Sandbox
from kitty_reliability.observe.leaks import LeakMark, mark_leaks

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the environment of a process")


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "sandbox") as sandbox:
        yield sandbox


@pytest.fixture
def git(sandbox: Sandbox) -> Callable[..., str]:
    """Runs git in ``work``, which is a repository with one commit."""

    def run(*arguments: str) -> str:
        ran = sandbox.run(["git", *arguments])
        assert ran.status == 0, ran.stderr
        return ran.text.strip()

    run("init", "--quiet")
    (sandbox.work / "README").write_bytes(b"demo\n")
    run("add", "--all")
    run("commit", "--quiet", "--message", "Begin")
    return run


def mark(sandbox: Sandbox) -> LeakMark:
    return mark_leaks(home=sandbox.home, temporary=sandbox.temporary, checkout=sandbox.work)


def told(before: LeakMark, *ignore: str) -> list[str]:
    return [str(leak) for leak in before.left(ignore=ignore)]


def has_begun(running: Running) -> None:
    """Wait until it prints: for an instant after it was started a process has no environment to look at."""
    deadline = time.monotonic() + 60
    while not running.stdout:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_nothing_left_is_nothing_said(sandbox: Sandbox, git: Callable[..., str]) -> None:
    before = mark(sandbox)
    git("status")
    git("log")
    assert before.left() == []


def test_files_are_named_where_they_are(sandbox: Sandbox) -> None:
    before = mark(sandbox)
    (sandbox.home / ".kittyrc").write_bytes(b"12345")
    (sandbox.temporary / "prompt.md").write_bytes(b"1")
    (sandbox.work / "link").symlink_to("nowhere")
    assert told(before) == [
        "HOME/.kittyrc was left: a file of 5 bytes",
        "TMPDIR/prompt.md was left: a file of 1 bytes",
        "checkout/link was left: a link to nowhere",
    ]


def test_of_a_new_folder_the_top_is_named_with_some_of_what_is_in_it(sandbox: Sandbox) -> None:
    before = mark(sandbox)
    for name in "abcd":
        (sandbox.home / "new" / name).mkdir(parents=True)
        (sandbox.home / "new" / name / "file").touch()
    (sandbox.temporary / "empty").mkdir()
    assert told(before) == [
        "HOME/new was left: a folder with HOME/new/a/file, HOME/new/b/file, HOME/new/c/file ...",
        "TMPDIR/empty was left: a folder",
    ]


def test_removed_and_changed_files_are_named(sandbox: Sandbox) -> None:
    (sandbox.home / "folder").mkdir()
    (sandbox.home / "folder" / "file").write_bytes(b"1")
    (sandbox.work / "file").write_bytes(b"12")
    before = mark(sandbox)
    (sandbox.home / "folder" / "file").unlink()
    (sandbox.home / "folder").rmdir()
    (sandbox.work / "file").write_bytes(b"123")
    removed, changed = told(before)
    assert removed == "HOME/folder was removed: it was a folder"
    assert changed.startswith("checkout/file was changed: it was a file of 2 bytes")
    assert "it is a file of 3 bytes" in changed


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_changed_permissions_are_named(sandbox: Sandbox) -> None:
    (sandbox.home / "file").touch(mode=0o600)
    before = mark(sandbox)
    (sandbox.home / "file").chmod(0o640)
    [said] = told(before)
    assert "permissions 600" in said
    assert "permissions 640" in said


def test_a_folder_in_another_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    before = mark_leaks(home=tmp_path, temporary=tmp_path / "tmp")
    (tmp_path / "tmp" / "file").touch()
    assert told(before) == ["TMPDIR/file was left: a file of 0 bytes"]


def test_what_matches_a_pattern_is_ignored(sandbox: Sandbox) -> None:
    before = mark(sandbox)
    (sandbox.home / ".cache" / "pip" / "deep").mkdir(parents=True)
    (sandbox.home / ".cache" / "pip" / "deep" / "file").touch()
    (sandbox.temporary / "a.lock").touch()
    assert told(before, "HOME/.cache/pip/deep/*", "TMPDIR/*.lock") == []
    assert told(before, "HOME/.cache", "*.lock") == []
    assert told(before, "HOME/.cache/pip/other", "*.lock") == [
        "HOME/.cache/pip was left: a folder with HOME/.cache/pip/deep/file"
    ]


def test_refs_are_named(sandbox: Sandbox, git: Callable[..., str]) -> None:
    git("branch", "doomed")
    git("branch", "moving")
    first = git("rev-parse", "HEAD")
    before = mark(sandbox)
    git("branch", "kitty/left")
    git("branch", "--delete", "doomed")
    git("checkout", "--quiet", "moving")
    git("commit", "--quiet", "--allow-empty", "--message", "More")
    second = git("rev-parse", "HEAD")
    assert told(before) == [
        "HEAD names refs/heads/moving, it named refs/heads/main",
        f"ref refs/heads/doomed was removed: it was at {first}",
        f"ref refs/heads/kitty/left was left, at {first}",
        f"ref refs/heads/moving was moved from {first} to {second}",
    ]
    assert told(before, "HEAD", "refs/heads/*") == []


def test_a_staged_file_is_named(sandbox: Sandbox, git: Callable[..., str]) -> None:
    (sandbox.work / "README").write_bytes(b"other\n")
    before = mark(sandbox)
    git("add", "README")
    assert told(before) == ["the index was changed: README"]


def test_worktrees_are_named(sandbox: Sandbox, git: Callable[..., str]) -> None:
    git("worktree", "add", "--quiet", "--detach", "../old")
    before, seen_from_old = mark(sandbox), mark_leaks(checkout=sandbox.base / "old")
    git("worktree", "add", "--quiet", "--detach", "../left")
    git("worktree", "remove", "../old")
    assert told(before) == [
        f"worktree left was left, at {sandbox.base / 'left'}",
        f"worktree old was removed: it was at {sandbox.base / 'old'}",
    ]
    assert seen_from_old.worktrees == before.worktrees
    assert list(before.worktrees) == ["old"]


def test_a_worktree_that_moved_is_named(sandbox: Sandbox, git: Callable[..., str]) -> None:
    git("worktree", "add", "--quiet", "--detach", "../old")
    before = mark(sandbox)
    git("worktree", "move", "../old", "../new")
    assert told(before) == [f"worktree old was moved from {sandbox.base / 'old'} to {sandbox.base / 'new'}"]


def test_what_lies_about_in_the_repository_is_named(sandbox: Sandbox, git: Callable[..., str]) -> None:
    before = mark(sandbox)
    (sandbox.work / ".git" / "index.lock").touch()
    git("config", "core.bare", "false")
    (sandbox.work / ".git" / "hooks" / "pre-commit").write_bytes(b"#!/bin/sh\n")
    assert [leak.name for leak in before.left()] == ["checkout/.git/hooks/pre-commit", "checkout/.git/index.lock"]
    git("config", "demo.key", "value")
    names = [leak.name for leak in before.left()]
    assert names == ["checkout/.git/config", "checkout/.git/hooks/pre-commit", "checkout/.git/index.lock"]


def test_a_checkout_without_commits_or_without_git_is_looked_at_all_the_same(sandbox: Sandbox) -> None:
    before = mark(sandbox)
    sandbox.run(["git", "init", "--quiet"])
    unborn = mark(sandbox)
    sandbox.run(["git", "commit", "--quiet", "--allow-empty", "--message", "Begin"])
    assert [leak.name for leak in unborn.left()] == ["refs/heads/main"]
    assert {leak.name for leak in before.left()} == {"checkout/.git", "refs/heads/main"}


@linux_only
def test_processes_with_our_home_are_named(sandbox: Sandbox, tmp_path: Path) -> None:
    code = "import time; print('begun', flush=True); time.sleep(120)"
    with sandbox.start([sys.executable, "-c", code]) as earlier:
        has_begun(earlier)
        before = mark(sandbox)
        with sandbox.start([sys.executable, "-c", code, "left"]) as later:
            has_begun(later)
            expected = f"{sys.executable} -c {code} left"
            assert [(leak.name, leak.sentence) for leak in before.left(settle=0.1)] == [
                (f"process/{expected}", f"process {later.pid} still runs with this HOME: {expected}")
            ]
            assert told(before, "process/*left") == []
            elsewhere = mark_leaks(home=tmp_path)
            assert elsewhere.processes == {}
        assert told(before) == []


@linux_only
def test_a_process_is_given_time_to_end(sandbox: Sandbox) -> None:
    before = mark(sandbox)
    code = "print('begun', flush=True); input()"
    with sandbox.start([sys.executable, "-c", code], stdin=subprocess.PIPE) as running:
        has_begun(running)
        assert before.left(settle=0) != []
        running.write(b"\n")
        assert before.left(settle=60) == []
