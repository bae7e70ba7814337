from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.build.event_log import EventLog
from kitty_reliability.build.repository import Repository, repository
from kitty_reliability.observe.output import OutputError, one_json_value
from kitty_reliability.observe.refs import mark_repository
from kitty_reliability.observe.rows import lane_from_bytes, mark_log, rows_from_bytes
from kitty_reliability.observe.tree import find_bytes, mark_tree

posix = pytest.mark.skipif(sys.platform == "win32", reason="permissions, links and pipes are those of POSIX")
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

A, B, C = b'{"a": 1}\n', b'{"b": 2}\n', b'{"c": 3}\n'


# --- a log at two moments


def become(path: Path, data: bytes | None) -> None:
    path.unlink(missing_ok=True)
    if data is not None:
        path.write_bytes(data)


@pytest.mark.parametrize(
    ("before", "after", "unchanged", "intact"),
    [
        (None, None, True, True),
        (None, A, False, True),
        (b"", b"", True, True),
        (b"", None, False, True),
        (A, A, True, True),
        (A, A + B, False, True),
        (A, b"", False, False),
        (A, None, False, False),
        (A, B, False, False),
        (A + B, B + A, False, False),
        (A + B, A, False, False),
        (A, b" " + A, False, False),
        (A, A.replace(b"\n", b"\r\n"), False, False),
        (A, A.strip() + B, False, False),
        (A + b'{"half', A + b'{"half', True, True),
        (A + b'{"half', A + B, False, True),
        (A + b'{"half', A + b'{"half\n' + B, False, True),
        (A + B.strip(), A + B, False, True),
    ],
)
def test_a_mark_says_whether_a_log_is_unchanged_and_whether_it_is_intact(
    tmp_path: Path, before: bytes | None, after: bytes | None, unchanged: bool, intact: bool
) -> None:
    path = tmp_path / "log"
    become(path, before)
    mark = mark_log(path)
    become(path, after)

    assert (mark.data, mark.now) == (before, after)
    assert (mark.unchanged, mark.intact) == (unchanged, intact)


@pytest.mark.parametrize(
    ("before", "after", "rows", "debris"),
    [
        pytest.param(A, A, [], [], id="nothing"),
        pytest.param(None, A, [{"a": 1}], [], id="a new log"),
        pytest.param(A, A + B + C, [{"b": 2}, {"c": 3}], [], id="two rows"),
        pytest.param(A, A + b"\n\n" + B, [{"b": 2}], [], id="a row after blank lines"),
        pytest.param(A, A + B.strip(), [{"b": 2}], [], id="a row without its newline"),
        pytest.param(A, A + B.strip() + C, [], [b'{"b": 2}{"c": 3}'], id="two rows glued to each other"),
        pytest.param(A, A + b'{"half', [], [b'{"half'], id="a torn row"),
        pytest.param(A, A + b'{"half\n' + B, [{"b": 2}], [b'{"half'], id="a torn row that was ended"),
        pytest.param(A, A + b"[1]\n\xff\n", [], [b"[1]", b"\xff"], id="lines that are no rows"),
        pytest.param(A + b'{"half', A + b'{"half' + B, [], [b'{"half{"b": 2}'], id="a row glued to a torn one"),
        pytest.param(A + b'{"half', A + b'{"half\n' + B, [{"b": 2}], [b'{"half'], id="a torn row ended first"),
        pytest.param(A + b'{"half', A + B, [{"b": 2}], [], id="a torn row taken away"),
        pytest.param(A + B.strip(), A + B, [], [], id="only the newline repaired"),
        pytest.param(A + B.strip(), A + B + C, [{"c": 3}], [], id="the newline repaired and a row"),
        pytest.param(B.strip(), B + C, [{"c": 3}], [], id="the same for a first row"),
    ],
)
def test_what_was_added_is_rows_and_debris(
    tmp_path: Path, before: bytes | None, after: bytes, rows: list[Any], debris: list[bytes]
) -> None:
    path = tmp_path / "log"
    become(path, before)
    mark = mark_log(path)
    become(path, after)

    added = mark.added()

    assert (added.rows, added.debris) == (rows, debris)
    assert after.endswith(added.data)


def test_a_row_glued_to_a_whole_one_without_its_newline_is_debris(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(A + B.strip())
    mark = mark_log(path)
    path.write_bytes(A + B.strip() + C)

    added = mark.added()

    assert (added.rows, added.debris) == ([], [b'{"b": 2}{"c": 3}'])


def test_nothing_can_be_called_added_to_a_log_that_was_rewritten(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(A)
    mark = mark_log(path)
    path.write_bytes(B + A)

    with pytest.raises(ValueError, match="have changed"):
        mark.added()


def test_a_log_that_is_a_directory_is_remembered_as_missing(tmp_path: Path) -> None:
    assert mark_log(tmp_path).data is None
    assert mark_log(tmp_path / "none" / "log").data is None


def test_rows_are_the_lines_that_are_objects() -> None:
    assert rows_from_bytes(A + b"[]\n\nnull\n" + b"[" * 5000 + b"\n\xff\n" + B.strip()) == [{"a": 1}, {"b": 2}]


# --- the lane from the bytes


def moved(to: str, at: str, event_id: str = "e", work_package: str = "WP01", **keys: Any) -> bytes:
    row = {"wp_id": work_package, "to_lane": to, "at": at, "event_id": event_id, **keys}
    return json.dumps(row).encode() + b"\n"


def test_the_lane_is_where_the_log_says_the_work_package_was_moved_last(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "log", mission_slug="demo", mission_id=None)
    log.route("WP01", ["planned", "claimed", "in_progress"]).lane("WP02", "planned").note("WP01", "n")
    log.lifecycle("MissionCreated").decision("d1").retrospective()

    assert [lane_from_bytes(log.data, name) for name in ("WP01", "WP02", "WP03")] == ["in_progress", "planned", None]


def test_the_latest_instant_decides_wherever_its_row_stands() -> None:
    early = moved("planned", "2025-03-03T09:00:00+00:00")
    late = moved("claimed", "2025-03-03T09:00:01+00:00")

    assert lane_from_bytes(late + early, "WP01") == lane_from_bytes(early + late, "WP01") == "claimed"


@pytest.mark.parametrize(
    ("early", "late"),
    [
        ("2025-03-03T09:00:00Z", "2025-03-03T09:00:00.000001+00:00"),
        ("2025-03-03T10:00:00+02:00", "2025-03-03T09:00:00+00:00"),
        ("2025-03-03T09:00:00+00:00", "2025-03-03T08:00:00-02:00"),
        ("2025-03-03T09:00:00", "2025-03-03T09:00:00.5Z"),
    ],
)
def test_instants_are_compared_not_their_spellings(early: str, late: str) -> None:
    assert lane_from_bytes(moved("claimed", late) + moved("planned", early), "WP01") == "claimed"


def test_at_one_instant_the_greater_event_id_decides() -> None:
    rows = [moved("claimed", "2025-03-03T09:00:00Z", "b"), moved("planned", "2025-03-03T10:00:00+01:00", "a")]

    assert lane_from_bytes(b"".join(rows), "WP01") == lane_from_bytes(b"".join(rows[::-1]), "WP01") == "claimed"


@pytest.mark.parametrize(
    "row",
    [
        moved("done", "2026-01-01T00:00:00Z", work_package="WP010"),
        moved("done", "2026-01-01T00:00:00Z", kind="annotation"),
        moved("done", "2026-01-01T00:00:00Z", event_type="MissionCreated"),
        moved("done", "never"),
        json.dumps({"wp_id": "WP01", "to_lane": "done", "event_id": "e"}).encode() + b"\n",
        json.dumps({"wp_id": "WP01", "to_lane": 7, "event_id": "e", "at": "2026-01-01T00:00:00Z"}).encode() + b"\n",
        json.dumps({"wp_id": "WP01", "to_lane": "done", "event_id": "e", "at": 7}).encode() + b"\n",
        b"[]\n",
        moved("done", "2026-01-01T00:00:00Z")[:-9] + b"\n",
    ],
)
def test_a_row_that_moves_nothing_does_not_count(row: bytes) -> None:
    assert lane_from_bytes(moved("planned", "2025-03-03T09:00:00Z") + row, "WP01") == "planned"
    assert lane_from_bytes(row, "WP01") is None


# --- a tree at two moments


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "folder" / "deep").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"a")
    (root / "folder" / "b.txt").write_bytes(b"b")
    return root


def test_a_tree_that_was_only_read_has_not_changed(tree: Path) -> None:
    mark = mark_tree(tree)

    assert (tree / "a.txt").read_bytes() == b"a"
    (tree / "a.txt").touch()

    assert mark.changes() == []
    assert set(mark.entries) == {"a.txt", "folder", "folder/b.txt", "folder/deep"}


def test_what_was_added_removed_and_changed_is_told_in_order(tree: Path) -> None:
    mark = mark_tree(tree)
    (tree / "folder" / "b.txt").unlink()
    (tree / "folder" / "deep" / "new.txt").write_bytes(b"")
    (tree / "a.txt").write_bytes(b"A")

    assert mark.changes() == ["changed a.txt", "removed folder/b.txt", "added folder/deep/new.txt"]


def test_an_empty_directory_is_part_of_a_tree(tree: Path) -> None:
    mark = mark_tree(tree)
    (tree / "folder" / "deep").rmdir()
    (tree / "more").mkdir()

    assert mark.changes() == ["removed folder/deep", "added more"]


def test_a_file_that_became_a_directory_has_changed(tree: Path) -> None:
    mark = mark_tree(tree)
    (tree / "a.txt").unlink()
    (tree / "a.txt").mkdir()

    assert mark.changes() == ["changed a.txt"]


@posix
@pytest.mark.parametrize("name", ["a.txt", "folder"])
def test_permissions_are_part_of_a_tree(tree: Path, name: str) -> None:
    (tree / name).chmod(0o755)
    mark = mark_tree(tree)
    (tree / name).chmod(0o700)

    assert mark.changes() == [f"changed {name}"]


@posix
def test_a_link_is_its_target_and_is_not_followed(tree: Path) -> None:
    (tree / "link").symlink_to("a.txt")
    (tree / "loop").symlink_to(tree)
    mark = mark_tree(tree)
    (tree / "link").unlink()
    (tree / "link").symlink_to("folder")

    assert mark.changes() == ["changed link"]
    assert not any(name.startswith("loop/") for name in mark.entries)


@posix
def test_a_file_replaced_by_a_link_to_the_same_content_has_changed(tree: Path) -> None:
    (tree / "copy").write_bytes(b"a")
    mark = mark_tree(tree)
    (tree / "copy").unlink()
    (tree / "copy").symlink_to("a.txt")

    assert mark.changes() == ["changed copy"]


@posix
def test_a_pipe_is_seen_and_not_opened(tree: Path) -> None:
    mark = mark_tree(tree)
    os.mkfifo(tree / "pipe")

    assert mark.changes() == ["added pipe"]
    assert find_bytes(tree, b"a") == [tree / "a.txt"]


def test_paths_and_folders_can_be_ignored_and_their_namesakes_are_not(tree: Path) -> None:
    mark = mark_tree(tree)
    (tree / "folder" / "b.txt").write_bytes(b"B")
    (tree / "folder-2").mkdir()
    (tree / "a.txt").unlink()

    assert mark.changes(ignore=["folder", "a.txt"]) == ["added folder-2"]
    assert mark.changes(ignore=["folder/b.txt"]) == ["removed a.txt", "added folder-2"]


def test_a_tree_that_is_gone_was_removed(tree: Path) -> None:
    mark = mark_tree(tree)
    shutil.rmtree(tree)

    assert mark.changes() == ["removed a.txt", "removed folder", "removed folder/b.txt", "removed folder/deep"]


def test_bytes_are_found_in_every_file_that_holds_them(tree: Path) -> None:
    (tree / "folder" / "c.bin").write_bytes(b"\x00\xffneedle\x00")
    (tree / "d.txt").write_bytes(b"a needle")

    assert find_bytes(tree, b"needle") == [tree / "d.txt", tree / "folder" / "c.bin"]
    assert find_bytes(tree, b"needle", ignore=[tree / "d.txt"]) == [tree / "folder" / "c.bin"]
    assert find_bytes(tree, b"nothing") == []


# --- what a command printed


@pytest.mark.parametrize(
    ("output", "value"),
    [
        (b'{"a": 1}\n', {"a": 1}),
        ('{"a": "ü"}', {"a": "ü"}),
        (b"\r\n [1, 2] \n\n", [1, 2]),
        (b'"text"', "text"),
        (b"null", None),
        (b'{\n  "a": {"b": "} {"}\n}\n', {"a": {"b": "} {"}}),
    ],
)
def test_output_that_is_one_json_value_is_that_value(output: bytes | str, value: Any) -> None:
    assert one_json_value(output) == value


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        ("", "empty"),
        (b'{"a": 1}\n{"b": 2}\n', r"more than one JSON value; after the first: '{\"b\": 2}'"),
        (b"{}{}", "more than one"),
        (b"1 2", "more than one"),
        (b'{"a": 1}\nDone.\n', "after the first: 'Done.'"),
        (b'Warning!\n{"a": 1}\n', "not JSON: 'Warning!"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"\xff{}", "not UTF-8: invalid start byte at byte 0"),
        (b'{"a": "\xc3', "not UTF-8"),
        (b'{"a": 1', "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"1" * 5000, "not JSON"),
        (b"\x1b[0m{}", "not JSON"),
        (b"{}\x00", "more than one"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_output_that_is_anything_else_is_told(output: bytes | str, problem: str) -> None:
    with pytest.raises(OutputError, match=problem):
        one_json_value(output)


@pytest.mark.parametrize("output", [b"NaN", b'{"a": Infinity}', b"[-Infinity]"])
def test_output_with_a_number_that_json_does_not_have_is_not_json(output: bytes) -> None:
    with pytest.raises(OutputError, match="not JSON"):
        one_json_value(output)


# --- a repository at two moments


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    made = repository(tmp_path / "repo")
    made.git("branch", "other")
    made.git("tag", "v1")
    return made


@needs_git
def test_a_repository_is_itself_whatever_a_hook_has_in_the_environment(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = repository(tmp_path / "other", branch="other")
    mark = mark_repository(repo.root)
    for name, value in (("GIT_OBJECT_DIRECTORY", "/nowhere"), ("GIT_COMMON_DIR", str(other.root / ".git"))):
        monkeypatch.setenv(name, value)
        assert mark_repository(repo.root) == mark
        assert os.environ[name] == value


@needs_git
def test_a_repository_that_was_only_read_has_not_changed(repo: Repository) -> None:
    mark = mark_repository(repo.root)

    repo.git("log")
    (repo.root / "untracked.txt").write_bytes(b"x")

    assert mark.changes() == []
    assert mark.head == repo.head
    assert [name for name, _ in mark.refs] == ["refs/heads/main", "refs/heads/other", "refs/tags/v1"]
    assert [name for name, _, _ in mark.index] == ["README.md"]


@needs_git
def test_a_commit_moves_head_its_branch_and_the_index(repo: Repository) -> None:
    mark = mark_repository(repo.root)
    before, after = repo.head, repo.commit("More", files={"a.txt": "a"})

    assert mark.changes() == [
        f"HEAD moved from {before} to {after}",
        f"ref refs/heads/main: {before} -> {after}",
        "the index changed",
        f"the reflog of HEAD has {mark.reflog + 1} entries, it had {mark.reflog}",
    ]


@needs_git
def test_an_empty_commit_leaves_the_index(repo: Repository) -> None:
    mark = mark_repository(repo.root)
    repo.commit("Nothing")

    assert [change.split()[:2] for change in mark.changes()] == [
        ["HEAD", "moved"],
        ["ref", "refs/heads/main:"],
        ["the", "reflog"],
    ]


@needs_git
def test_branches_and_tags_that_come_and_go_are_told(repo: Repository) -> None:
    mark = mark_repository(repo.root)
    repo.git("branch", "new")
    repo.git("branch", "--delete", "other")
    repo.git("tag", "v2")
    repo.git("update-ref", "refs/kitty/x", "HEAD")

    head = repo.head
    assert mark.changes() == [
        f"ref refs/heads/new: absent -> {head}",
        f"ref refs/heads/other: {head} -> absent",
        f"ref refs/kitty/x: absent -> {head}",
        f"ref refs/tags/v2: absent -> {head}",
    ]


@needs_git
@pytest.mark.parametrize("what", ["added", "edited", "removed", "executable"])
def test_a_staged_file_changes_the_index_and_nothing_else(repo: Repository, what: str) -> None:
    mark = mark_repository(repo.root)
    if what == "added":
        (repo.root / "a.txt").write_bytes(b"a")
        repo.git("add", "a.txt")
    elif what == "edited":
        (repo.root / "README.md").write_bytes(b"other\n")
        repo.git("add", "README.md")
    elif what == "removed":
        repo.git("rm", "--quiet", "README.md")
    else:
        repo.git("update-index", "--chmod=+x", "README.md")

    assert mark.changes() == ["the index changed"]


@needs_git
def test_packed_refs_are_the_same_refs(repo: Repository) -> None:
    mark = mark_repository(repo.root)
    repo.git("pack-refs", "--all")

    assert mark.changes() == []


@needs_git
def test_a_linked_worktree_is_marked_with_its_own_head_and_index(repo: Repository, tmp_path: Path) -> None:
    repo.git("worktree", "add", "--quiet", str(tmp_path / "linked"), "other")
    main, linked = mark_repository(repo.root), mark_repository(tmp_path / "linked")
    (tmp_path / "linked" / "a.txt").write_bytes(b"a")
    Repository(tmp_path / "linked", repo.clock).git("add", "a.txt")

    assert main.changes() == []
    assert linked.changes() == ["the index changed"]


@needs_git
@pytest.mark.parametrize("arguments", [("checkout", "--quiet", "other"), ("checkout", "--quiet", "--detach")])
def test_a_head_that_names_another_branch_has_moved(repo: Repository, arguments: tuple[str, ...]) -> None:
    mark = mark_repository(repo.root)
    repo.git(*arguments)

    assert mark.changes() != []


@needs_git
@pytest.mark.parametrize(
    "variable",
    [
        "GIT_DIR",
        "GIT_INDEX_FILE",
        "GIT_WORK_TREE",
        "GIT_OBJECT_DIRECTORY",
    ],
)
def test_a_variable_that_points_elsewhere_does_not_mislead_the_mark(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    repo.commit("More", files={"a.txt": "a"})
    expected = mark_repository(repo.root)
    decoy = repository(tmp_path / "decoy").root
    monkeypatch.setenv(variable, str(decoy if variable == "GIT_WORK_TREE" else decoy / ".git"))

    assert mark_repository(repo.root) == expected
