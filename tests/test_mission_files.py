from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.formats.diagnostics import DiagnosticError
from kitty_reliability.formats.mission import Meta, MissionPaths, encode_meta, read_meta, validate_meta
from kitty_reliability.formats.work_package import (
    KNOWN_KEYS,
    find_work_package,
    read_work_package,
    work_package_files,
)

META: dict[str, Any] = {
    "created_at": "2025-03-03T09:00:00+00:00",
    "friendly_name": "A demo",
    "mission_id": "01JNDKSD00000000000000000A",
    "mission_number": None,
    "mission_slug": "demo-01JNDKSD",
    "mission_type": "software-dev",
    "slug": "demo-01JNDKSD",
    "target_branch": "main",
    "topology": "lanes",
}


def code_of(caught: pytest.ExceptionInfo[DiagnosticError]) -> str:
    return caught.value.diagnostic.code


# --- where a mission is


def test_the_files_of_a_mission_are_in_its_directory(tmp_path: Path) -> None:
    paths = MissionPaths.under(tmp_path, "demo-01JNDKSD")

    assert paths.slug == "demo-01JNDKSD"
    assert {
        path.relative_to(tmp_path).as_posix()
        for path in (paths.directory, paths.meta, paths.log, paths.snapshot, paths.tasks, paths.lanes)
    } == {
        "kitty-specs/demo-01JNDKSD",
        "kitty-specs/demo-01JNDKSD/meta.json",
        "kitty-specs/demo-01JNDKSD/status.events.jsonl",
        "kitty-specs/demo-01JNDKSD/status.json",
        "kitty-specs/demo-01JNDKSD/tasks",
        "kitty-specs/demo-01JNDKSD/lanes.json",
    }


@pytest.mark.parametrize("slug", ["a", "7", "042-old-name", "A.b_c-d", "demo-01JNDKSD", "a.b", "x" * 200])
def test_one_safe_segment_names_a_mission(tmp_path: Path, slug: str) -> None:
    assert MissionPaths.under(tmp_path, slug).directory == tmp_path / "kitty-specs" / slug


@pytest.mark.parametrize(
    "slug",
    ["../../x", "..", ".", "/etc", "/", "a/b", "a/", "a..b", "..a", "a..", ".hidden", "-option", "_x", "a\\b", "\\\\h\\s",
     "C:\\x", "C:x", "a\x00", "\x00", "", " ", " a", "a ", "a b", "a\n", "\na", "a\r", "a\u2028", "ü", "\u0661", "a\u202eb",
     "%2e%2e", "~", "$HOME", "a;b", "a*"],
    ids=ascii,
)  # fmt: skip
def test_a_slug_that_is_not_one_safe_segment_is_refused(tmp_path: Path, slug: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        MissionPaths.under(tmp_path, slug)

    assert code_of(caught) == "MISSION_IDENTIFIER_UNSAFE"
    assert caught.value.diagnostic.fields["mission_slug"] == slug


# --- meta.json


def test_what_is_written_is_read_back_with_every_key(tmp_path: Path) -> None:
    path = tmp_path / "meta.json"
    path.write_bytes(encode_meta({**META, "unknown": {"ü": [1]}}))

    meta = read_meta(path)

    assert meta.data == {**META, "unknown": {"ü": [1]}}
    assert (meta.mission_id, meta.mission_slug) == (META["mission_id"], META["mission_slug"])
    assert (meta.mission_type, meta.target_branch, meta.mission_number) == ("software-dev", "main", None)


def test_meta_is_written_sorted_with_two_blanks_and_a_newline() -> None:
    assert encode_meta({"b": "ü", "a": [1]}) == '{\n  "a": [\n    1\n  ],\n  "b": "ü"\n}\n'.encode()


def test_a_missing_meta_says_nothing(tmp_path: Path) -> None:
    meta = read_meta(tmp_path / "none" / "meta.json")

    assert meta == Meta({})
    assert (meta.mission_id, meta.mission_slug, meta.mission_type, meta.target_branch) == (None, None, "", None)


@pytest.mark.parametrize("value", [None, "", 7, [], {}])
def test_a_meta_of_the_wrong_types_reads_as_if_it_did_not_say(value: Any) -> None:
    meta = Meta(dict.fromkeys(("mission_id", "mission_slug", "mission_type", "target_branch"), value))

    assert (meta.mission_id, meta.mission_slug, meta.mission_type, meta.target_branch) == (None, None, "", None)


@pytest.mark.parametrize(
    ("value", "number"),
    [(7, 7), (0, 0), ("042", 42), (" 7 ", 7), (None, None), (True, None), (1.0, None), ("TBD", None), ("", None)],
)
def test_a_mission_number_is_an_integer_or_digits(value: Any, number: int | None) -> None:
    assert Meta({"mission_number": value}).mission_number == number


@pytest.mark.parametrize("value", ["\u00b2", "\u2460", "9" * 5000], ids=["superscript", "circled", "endless"])
def test_a_mission_number_that_is_no_number_reads_as_none(value: str) -> None:
    assert Meta({"mission_number": value}).mission_number is None


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"\xff", "not JSON"),
        (b'{"a": NaN}', "not JSON"),
        (b'{"slug": "a", "slug": "b"}', "'slug' twice"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
    ],
)
def test_a_meta_that_is_no_object_is_refused_by_path_and_problem(tmp_path: Path, data: bytes, problem: str) -> None:
    path = tmp_path / "meta.json"
    path.write_bytes(data)

    with pytest.raises(DiagnosticError) as caught:
        read_meta(path)

    assert code_of(caught) == "MISSION_METADATA_INVALID"
    assert str(path) in caught.value.diagnostic.message
    assert problem in caught.value.diagnostic.message


@pytest.mark.skipif(sys.platform == "win32", reason="opening a directory fails in another way on Windows")
def test_a_meta_that_is_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError, match="Is a directory") as caught:
        read_meta(tmp_path)

    assert code_of(caught) == "MISSION_METADATA_INVALID"


def test_a_sound_meta_has_nothing_that_a_writer_would_refuse() -> None:
    assert validate_meta({**META, "unknown": 1, "mission_number": 7, "change_mode": "bulk_edit"}) == []


@pytest.mark.parametrize(
    "key", ["created_at", "friendly_name", "mission_slug", "mission_type", "slug", "target_branch"]
)
def test_each_required_key_is_missed_by_name(key: str) -> None:
    assert validate_meta({name: value for name, value in META.items() if name != key}) == [f"{key}: Field required"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("created_at", " "),
        ("friendly_name", ""),
        ("friendly_name", 7),
        ("mission_type", None),
        ("target_branch", "\n"),
        ("slug", "../x"),
        ("slug", "a\n"),
        ("slug", ".a"),
        ("mission_slug", "a/b"),
        ("mission_id", "01jndksd00000000000000000a"),
        ("mission_id", "01JNDKSD00000000000000000"),
        ("mission_id", "01JNDKSD00000000000000000U"),
        ("mission_number", True),
        ("mission_number", "7"),
        ("mission_number", 7.0),
        ("mission_number", -1),
        ("topology", "Lanes"),
        ("change_mode", "other"),
        ("purpose_tldr", " "),
        ("purpose_context", 7),
        ("coordination_branch", ""),
    ],
)
def test_a_wrong_value_is_refused_in_one_sentence_that_begins_with_its_key(key: str, value: Any) -> None:
    (sentence,) = validate_meta({**META, key: value})

    assert sentence.startswith(f"{key}: ")


def test_every_problem_of_a_meta_is_told() -> None:
    assert len(validate_meta({})) == 6


# --- files of work packages


def tasks_with(folder: Path, *names: str) -> Path:
    tasks = folder / "tasks"
    tasks.mkdir()
    for name in names:
        (tasks / name).write_text("---\nwork_package_id: WP01\n---\n", encoding="utf-8")
    return tasks


@pytest.mark.parametrize("name", ["WP01-setup.md", "WP01_setup.md", "WP01.setup.md", "WP01.md", "WP01-.md"])
def test_a_work_package_is_found_by_the_beginning_of_its_file_name(tmp_path: Path, name: str) -> None:
    tasks = tasks_with(tmp_path, name, "WP02-other.md")

    assert find_work_package(tasks, "WP01") == tasks / name


@pytest.mark.parametrize(
    "name",
    ["WP010-x.md", "WP01b-x.md", "WP011.md", "wp01-x.md", "xWP01-x.md", "WP1-x.md", "WP01-x.txt", "WP01-x.md~", "WP01",
     "README.md", ".WP01.md", "WP01 x.md", "WP\u0660\u0661-x.md"],
    ids=ascii,
)  # fmt: skip
def test_a_file_with_another_name_is_not_the_work_package(tmp_path: Path, name: str) -> None:
    assert find_work_package(tasks_with(tmp_path, name), "WP01") is None


def test_a_longer_number_is_another_work_package(tmp_path: Path) -> None:
    tasks = tasks_with(tmp_path, "WP01-a.md", "WP010-b.md", "README.md")

    assert work_package_files(tasks) == {"WP01": [tasks / "WP01-a.md"], "WP010": [tasks / "WP010-b.md"]}
    assert find_work_package(tasks, "WP010") == tasks / "WP010-b.md"


def test_a_directory_is_not_a_work_package_file(tmp_path: Path) -> None:
    tasks = tasks_with(tmp_path)
    (tasks / "WP01-work.md").mkdir()

    assert find_work_package(tasks, "WP01") is None


def test_without_a_tasks_directory_there_is_no_work_package(tmp_path: Path) -> None:
    assert find_work_package(tmp_path / "tasks", "WP01") is None


def test_two_files_for_one_work_package_are_ambiguous_and_both_are_named(tmp_path: Path) -> None:
    tasks = tasks_with(tmp_path, "WP01-b.md", "WP01-a.md", "WP02-c.md")

    with pytest.raises(DiagnosticError) as caught:
        find_work_package(tasks, "WP01")

    assert code_of(caught) == "WORK_PACKAGE_FILE_AMBIGUOUS"
    assert "WP01-a.md, WP01-b.md" in caught.value.diagnostic.message
    assert find_work_package(tasks, "WP02") == tasks / "WP02-c.md"


@pytest.mark.parametrize(
    "work_package",
    ["../WP01", "WP01/..", "WP1", "WP", "wp01", "WP01b", "WP01-x", " WP01", "WP01\n", "WP01\x00", "", "WP*", "/WP01",
     "WP\u0660\u0661", "."],
    ids=ascii,
)  # fmt: skip
def test_an_unsafe_work_package_id_is_refused(tmp_path: Path, work_package: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        find_work_package(tasks_with(tmp_path, "WP01-x.md"), work_package)

    assert code_of(caught) == "WORK_PACKAGE_IDENTIFIER_UNSAFE"


def work_package_in(folder: Path, text: str) -> Path:
    path = folder / "WP01-x.md"
    path.write_bytes(text.encode())
    return path


def test_a_work_package_file_is_read_with_every_key_and_its_body(tmp_path: Path) -> None:
    path = work_package_in(
        tmp_path,
        "---\nwork_package_id: WP01\ntitle: 'yes'\nsubtasks: [T001, T002]\nowned_files:\n- src/**\n---\n# Body\n",
    )

    package = read_work_package(path)

    assert package.path == path
    assert package.work_package_id == "WP01"
    assert package.frontmatter["title"] == "yes"
    assert package.subtasks == ["T001", "T002"]
    assert package.owned_files == ["src/**"]
    assert package.body == "# Body\n"


def test_every_known_key_is_allowed(tmp_path: Path) -> None:
    lines = "".join(f"{key}: x\n" for key in sorted(KNOWN_KEYS - {"work_package_id"}))

    package = read_work_package(work_package_in(tmp_path, f"---\nwork_package_id: WP01\n{lines}---\n"))

    assert set(package.frontmatter) == KNOWN_KEYS


def test_a_file_with_carriage_returns_is_read(tmp_path: Path) -> None:
    package = read_work_package(work_package_in(tmp_path, "---\r\nwork_package_id: WP01\r\n---\r\nbody\r\n"))

    assert (package.work_package_id, package.body) == ("WP01", "body\n")


@pytest.mark.parametrize(
    ("line", "roster"),
    [("", None), ("subtasks:\n", []), ("subtasks: []\n", []), ("subtasks: T001\n", None), ("subtasks: [1, a]\n", ["1", "a"])],
    ids=["no key", "empty", "empty list", "a text", "texts"],
)  # fmt: skip
def test_the_roster_tells_a_missing_key_from_an_empty_list(tmp_path: Path, line: str, roster: list[str] | None) -> None:
    assert read_work_package(work_package_in(tmp_path, f"---\nwork_package_id: WP01\n{line}---\n")).subtasks == roster


def test_owned_files_that_are_no_list_are_none(tmp_path: Path) -> None:
    path = work_package_in(tmp_path, "---\nwork_package_id: WP01\nowned_files: src/**\n---\n")

    assert read_work_package(path).owned_files == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no frontmatter"),
        ("# WP01\n", "no frontmatter"),
        ("---\nwork_package_id: WP01\n", "no frontmatter"),
        ("\ufeff---\nwork_package_id: WP01\n---\n", "no frontmatter"),
        ("---\n---\n", "not a mapping"),
        ("---\n- WP01\n---\n", "not a mapping"),
        ("---\nwork_package_id: [\n---\n", "line"),
        ("---\nwork_package_id: WP01\nwork_package_id: WP01\n---\n", "twice"),
        ("---\nwork_package_id: &a WP01\ntitle: *a\n---\n", "alias"),
        ("---\nwork_package_id: WP01\nzz: 1\nowner: 2\n---\n", "unknown keys: owner, zz"),
        ("---\nwork_package_id: WP01\n7: x\n---\n", "unknown keys: 7"),
        ("---\ntitle: x\n---\n", "work_package_id is None"),
        ("---\nwork_package_id: 1\n---\n", "work_package_id is 1"),
        ("---\nwork_package_id: ../WP01\n---\n", "work_package_id is '../WP01'"),
        ('---\nwork_package_id: "WP01\\n"\n---\n', "work_package_id is"),
    ],
)
def test_a_work_package_file_that_cannot_be_used_is_refused_by_path_and_problem(
    tmp_path: Path, text: str, problem: str
) -> None:
    path = work_package_in(tmp_path, text)

    with pytest.raises(DiagnosticError) as caught:
        read_work_package(path)

    assert code_of(caught) == "WORK_PACKAGE_FILE_INVALID"
    assert str(path) in caught.value.diagnostic.message
    assert problem in caught.value.diagnostic.message


def test_a_missing_work_package_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError, match="No such file"):
        read_work_package(tmp_path / "WP01-x.md")


def test_a_work_package_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "WP01-x.md"
    path.write_bytes(b"---\nwork_package_id: WP01\ntitle: \xff\n---\n")

    with pytest.raises(DiagnosticError, match="utf-8"):
        read_work_package(path)


def test_a_diagnostic_is_json_with_its_clause_and_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError) as caught:
        MissionPaths.under(tmp_path, "a\x1b[31m")

    told = json.loads(json.dumps(caught.value.diagnostic.as_dict()))

    assert told["violated_invariant"] == "SEC-001"
    assert told["remediation"]
    assert "\x1b" not in str(caught.value)
