"""Review prompts: the eleven fields, their file, its place, and what the builder makes of them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitty_reliability.build.errors import BuildError
from kitty_reliability.build.mission import Mission, mission
from kitty_reliability.build.prompts import DIFFERENCES, SPELLINGS, BuiltPrompt, prompt, prompt_pair
from kitty_reliability.formats.frontmatter import parse_yaml, split
from kitty_reliability.formats.prompts import (
    PROMPT_FIELDS,
    Prompt,
    PromptFinding,
    PromptFormatError,
    PromptMetadata,
    differences,
    encode_prompt,
    parse_prompt,
    prompt_path,
    read_prompt,
    repository_identity,
    sanitised,
)

METADATA = PromptMetadata(**{name: f"the {name}" for name in PROMPT_FIELDS})
SYMLINKS = pytest.mark.skipif(sys.platform == "win32", reason="links need a right of their own on Windows")


@pytest.fixture
def made(tmp_path: Path) -> Mission:
    return mission(tmp_path / "repo", {"WP01": "in_review", "WP02": "in_review"})


@pytest.fixture
def built(made: Mission, tmp_path: Path) -> BuiltPrompt:
    return prompt(made, temporary=tmp_path / "tmp")


def finding_of(path: Path) -> str:
    with pytest.raises(PromptFormatError) as refused:
        read_prompt(path)
    return str(refused.value.finding)


# --- the format


def test_a_prompt_has_eleven_fields_in_the_order_of_the_contract() -> None:
    assert PROMPT_FIELDS == (
        "invocation_id", "repo_root", "mission_id", "mission_slug", "work_package_id", "lane_worktree",
        "mission_branch", "lane_branch", "base_ref", "prompt_path", "created_at",
    )  # fmt: skip


def test_a_file_has_work_package_and_time_first_and_the_rest_by_the_alphabet() -> None:
    data = encode_prompt(METADATA, "# Review\n")

    parts = split(data.decode())
    assert parts is not None
    assert parts[1] == "\n# Review\n"
    assert list(parse_yaml(parts[0])) == [
        "work_package_id", "created_at", "base_ref", "invocation_id", "lane_branch", "lane_worktree",
        "mission_branch", "mission_id", "mission_slug", "prompt_path", "repo_root",
    ]  # fmt: skip


values = st.sampled_from(
    [
        "",
        "0123",
        "1e5",
        "null",
        "true",
        "2025-03-03",
        "2025-03-03T09:00:00Z",
        "a\nb",
        "@x",
        "yes",
        "---",
        "a: b",
        "\ud7ff",
    ]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=200)
@given(st.lists(values, min_size=11, max_size=11), st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_values_that_look_like_something_else_come_back_as_they_were(texts: list[str], body: str) -> None:
    metadata = PromptMetadata(*texts)

    assert parse_prompt(encode_prompt(metadata, f"\n{body}")) == Prompt(metadata, f"\n{body}")


def test_other_keys_do_not_count() -> None:
    data = encode_prompt(METADATA, "x").replace(b"---\n", b"---\nkind: review\n", 1)

    assert parse_prompt(data).metadata == METADATA


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"# Review\n", "no-frontmatter"),
        (b"\n---\na: b\n---\n", "no-frontmatter"),
        (b"---\nwork_package_id: WP01\n", "truncated"),
        (b"--", "truncated"),
        (b"---\na: [\n---\n", "bad-yaml"),
        (b"---\n- a\n---\n", "bad-yaml"),
        (b"---\na: b\n---\n", "missing-field"),
        (b"\xff", "not-utf8"),
        (encode_prompt(METADATA, "").replace(b"the base_ref", b"12"), "wrong-type"),
        (encode_prompt(METADATA, "").replace(b"the base_ref", b""), "wrong-type"),
    ],
)
def test_a_damaged_prompt_is_a_typed_finding(data: bytes, finding: str) -> None:
    with pytest.raises(PromptFormatError) as refused:
        parse_prompt(data)

    assert refused.value.finding == finding


def test_a_file_cut_anywhere_in_its_frontmatter_is_refused() -> None:
    data = encode_prompt(METADATA, "x")
    end = data.index(b"\n---\n", 4)

    findings = set()
    for length in range(end + 3):
        with pytest.raises(PromptFormatError) as refused:
            parse_prompt(data[:length])
        findings.add(str(refused.value.finding))
    assert findings == {"empty", "no-frontmatter", "truncated"}


def test_differences_are_told_by_field_with_both_texts() -> None:
    other = PromptMetadata(**{**METADATA.as_dict(), "base_ref": "THE base_ref", "mission_id": ""})

    assert differences(METADATA, METADATA) == {}
    assert differences(METADATA, other) == {
        "mission_id": ("the mission_id", ""),
        "base_ref": ("the base_ref", "THE base_ref"),
    }


# --- where prompts are


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("demo-1.x_y", "demo-1.x_y"),
        ("a/b", "a-b"),
        ("a b\tc", "a-b-c"),
        ("-a-", "a"),
        ("猫", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_name_becomes_a_part_of_a_path(text: str, part: str) -> None:
    assert sanitised(text) == part


def test_a_prompt_lies_under_its_repository_mission_and_work_package(tmp_path: Path) -> None:
    root = tmp_path / "my repo"
    digest = sha256(str(root.resolve()).encode()).hexdigest()[:12]

    path = prompt_path(tmp_path / "tmp", root, "demo", "WP01", "ab12")

    assert repository_identity(root) == f"my-repo-{digest}"
    assert path == tmp_path / "tmp" / "spec-kitty-review-prompts" / f"my-repo-{digest}" / "demo" / "WP01" / "ab12.md"


@pytest.mark.parametrize("names", [("..", "WP01", "a"), ("demo", ".", "a"), ("demo", "WP01", "...")])
def test_a_name_that_leads_out_of_its_directory_is_refused(tmp_path: Path, names: tuple[str, str, str]) -> None:
    with pytest.raises(PromptFormatError) as refused:
        prompt_path(tmp_path, tmp_path, *names)

    assert refused.value.finding is PromptFinding.UNSAFE_SEGMENT


# --- the builder


def test_a_built_prompt_says_who_it_is_and_where(made: Mission, built: BuiltPrompt, tmp_path: Path) -> None:
    root = made.root.resolve()
    branch = f"kitty/mission-{made.slug}"

    said = read_prompt(built.path)

    assert said == Prompt(built.requested, f"\n{built.body}")
    assert built.metadata == built.requested
    assert re.fullmatch(r"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}", said.metadata.invocation_id)
    assert said.metadata.as_dict() == {
        "invocation_id": built.path.stem,
        "repo_root": str(root),
        "mission_id": made.mission_id,
        "mission_slug": made.slug,
        "work_package_id": "WP01",
        "lane_worktree": str(root / ".worktrees" / f"{made.slug}-lane-a"),
        "mission_branch": branch,
        "lane_branch": f"{branch}-lane-a",
        "base_ref": branch,
        "prompt_path": str(built.path),
        "created_at": made.log.clock.text.replace("+00:00", "Z"),
    }
    assert built.path == prompt_path(tmp_path / "tmp", root, made.slug, "WP01", built.path.stem)


def test_without_a_directory_for_temporary_files_a_prompt_stays_in_the_repository(made: Mission) -> None:
    assert prompt(made).path.is_relative_to(made.root.resolve() / ".kittify" / "runtime")


def test_a_mission_without_id_has_the_empty_text(tmp_path: Path) -> None:
    made = mission(tmp_path / "repo", meta_drop=("mission_id",))

    assert read_prompt(prompt(made).path).metadata.mission_id == ""


def test_the_clock_stands_still_and_two_builds_give_the_same_bytes(tmp_path: Path) -> None:
    pair = prompt_pair(tmp_path, differ="repo")
    moment = pair.first.mission.log.clock.now
    first, second = (read_prompt(each.path) for each in pair)
    names = [repository_identity(each.root) for each in pair]

    # Nothing but the repository and its digest differs.
    moved = {key: text.replace("one", "two").replace(*names) for key, text in first.metadata.as_dict().items()}
    assert moved == second.metadata.as_dict()
    assert first.body == second.body
    assert (
        prompt(pair.first.mission, temporary=tmp_path / "tmp").requested.created_at == pair.first.requested.created_at
    )
    assert pair.first.mission.log.clock.now == moment


def test_a_field_can_be_given(made: Mission) -> None:
    built = prompt(made, base_ref="main", created_at="2026-01-01T00:00:00Z", invocation_id="ab12", mission_slug="other")

    assert read_prompt(built.path).metadata.base_ref == "main"
    assert built.path.parts[-3:] == ("other", "WP01", "ab12.md")


@pytest.mark.parametrize("field", PROMPT_FIELDS)
def test_tampering_changes_one_field_and_nothing_else(built: BuiltPrompt, field: str) -> None:
    tampered = built.tampered(field)

    said = read_prompt(built.path).metadata
    assert said == tampered.metadata
    assert list(differences(tampered.requested, said)) == [field]
    assert getattr(said, field).strip()
    assert tampered.path == built.path


def test_a_wrong_value_is_of_the_kind_of_the_right_one(built: BuiltPrompt) -> None:
    wrong = {field: getattr(built.tampered(field).metadata, field) for field in PROMPT_FIELDS}
    right = built.requested.as_dict()

    assert all(Path(wrong[field]).is_absolute() for field in ("repo_root", "lane_worktree", "prompt_path"))
    assert all(len(wrong[field]) == len(right[field]) for field in ("invocation_id", "mission_id", "created_at"))
    assert wrong["work_package_id"] == "WP02"


@pytest.mark.parametrize("field", PROMPT_FIELDS)
def test_a_field_can_be_left_out_or_be_no_text(built: BuiltPrompt, field: str) -> None:
    assert finding_of(built.without(field).path) == "missing-field"
    assert finding_of(built.of_wrong_type(field).path) == "wrong-type"


DAMAGE: dict[str, tuple[Callable[[BuiltPrompt], BuiltPrompt], str]] = {
    "missing": (BuiltPrompt.missing, "missing"),
    "emptied": (BuiltPrompt.emptied, "empty"),
    "truncated": (BuiltPrompt.truncated, "truncated"),
    "cut-to-a-word": (lambda built: built.truncated(40), "truncated"),
    "without-frontmatter": (BuiltPrompt.without_frontmatter, "no-frontmatter"),
    "directory": (BuiltPrompt.as_directory, "unreadable"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_a_typed_finding_and_can_be_taken_back(built: BuiltPrompt, name: str) -> None:
    damage, finding = DAMAGE[name]
    before = built.path.read_bytes()

    damaged = damage(built.tampered("base_ref"))

    assert finding_of(built.path) == finding
    restored = damaged.restored()
    assert built.path.read_bytes() == before
    assert restored.metadata == restored.requested == built.requested


@pytest.mark.parametrize("first", DAMAGE)
@pytest.mark.parametrize("second", DAMAGE)
def test_damage_does_not_depend_on_what_was_there(built: BuiltPrompt, first: str, second: str) -> None:
    DAMAGE[second][0](DAMAGE[first][0](built))

    assert finding_of(built.path) == DAMAGE[second][1]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="nothing is unreadable for this user")
def test_a_file_without_the_right_to_read_is_unreadable(built: BuiltPrompt) -> None:
    assert finding_of(built.unreadable().path) == "unreadable"
    assert read_prompt(built.restored().path).metadata == built.requested


def test_for_root_a_file_is_not_pretended_to_be_unreadable(built: BuiltPrompt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)

    with pytest.raises(BuildError, match="as_directory"):
        built.unreadable()
    assert read_prompt(built.path).metadata == built.requested


# --- pairs


@pytest.mark.parametrize(
    "differ", [pytest.param(name, marks=SYMLINKS if name == "spelling" else ()) for name in DIFFERENCES]
)
def test_a_pair_is_two_files_of_one_second(tmp_path: Path, differ: str) -> None:
    first, second = prompt_pair(tmp_path, differ=differ)

    assert first.path != second.path
    assert read_prompt(first.path).metadata == first.requested
    assert read_prompt(second.path).metadata == second.requested
    assert first.requested.created_at == second.requested.created_at
    assert {path for path in (tmp_path / "tmp").rglob("*") if path.is_file()} == {first.path, second.path}


SAME = {
    "repo": {"mission_id", "mission_slug", "work_package_id", "invocation_id"},
    "mission": {"repo_root", "work_package_id"},
    "work_package": {"repo_root", "mission_id", "mission_slug"},
    "invocation": {"repo_root", "mission_id", "mission_slug", "work_package_id"},
    "spelling": {"repo_root", "mission_id", "mission_slug", "work_package_id"},
    "sanitised-name": {"repo_root", "work_package_id"},
}
IDENTITY = {"repo_root", "mission_id", "mission_slug", "work_package_id", "invocation_id"}


@pytest.mark.parametrize("differ", [pytest.param(name, marks=SYMLINKS if name == "spelling" else ()) for name in SAME])
def test_a_pair_differs_in_what_it_is_named_for(tmp_path: Path, differ: str) -> None:
    first, second = prompt_pair(tmp_path, differ=differ)

    differing = differences(first.requested, second.requested).keys() & IDENTITY
    assert differing == IDENTITY - SAME[differ]


def test_two_repositories_of_one_name_differ_in_the_digest_only(tmp_path: Path) -> None:
    first, second = prompt_pair(tmp_path, differ="repo")

    assert Path(first.root).name == Path(second.root).name == "repo"
    assert first.mission.slug == second.mission.slug
    assert repository_identity(first.root) != repository_identity(second.root)
    assert first.path.name == second.path.name


@pytest.mark.parametrize(
    "spelling", [pytest.param(name, marks=SYMLINKS if name == "symlink" else ()) for name in SPELLINGS]
)
def test_another_spelling_is_the_same_repository(tmp_path: Path, spelling: str) -> None:
    first, second = prompt_pair(tmp_path, differ="spelling", spelling=spelling)

    assert first.root != second.root
    assert repository_identity(first.root) == repository_identity(second.root)
    assert first.path.parent == second.path.parent
    assert Path(second.root).samefile(first.root)


def test_names_that_sanitise_alike_share_a_directory_in_the_released_scheme(tmp_path: Path) -> None:
    first, second = prompt_pair(tmp_path, differ="sanitised-name")

    assert first.mission.slug != second.mission.slug
    assert first.path.parent == second.path.parent


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda built: prompt(built.mission, "WP09"), "no work package 'WP09'; it has: WP01, WP02"),
        (lambda built: prompt(built.mission, colour="red"), "no field 'colour'; it has: invocation_id"),
        (lambda built: prompt(built.mission, mission_slug=".."), "leads out of the directory"),
        (lambda built: [prompt(built.mission, invocation_id="a") for _ in "12"], "invocation a is there already"),
        (lambda built: prompt_pair(built.path.parent, differ="size"), "unknown difference 'size'; known: repo"),
        (
            lambda built: prompt_pair(built.path.parent, "spelling", spelling="x"),
            "unknown spelling 'x'; known: symlink",
        ),
        (lambda built: built.tampered("colour"), "no field 'colour'"),
        (lambda built: built.tampered("base_ref", built.requested.base_ref), "already"),
        (lambda built: built.without("colour"), "no field 'colour'"),
    ],
    ids=["work-package", "field", "dots", "taken", "difference", "spelling", "tampered", "not-tampered", "without"],
)
def test_wrong_use_is_told_by_name(built: BuiltPrompt, call: Callable[[BuiltPrompt], object], problem: str) -> None:
    with pytest.raises(BuildError, match=problem):
        call(built)
