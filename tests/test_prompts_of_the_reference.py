"""Prompts of the reference: where they lie, what they say, what is kept, and what dispatch makes of each."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitty_reliability.build.mission import mission
from kitty_reliability.build.prompts import PROMPT_FIELDS
from kitty_reliability.build.prompts import prompt as built_prompt
from kitty_reliability.build.repository import repository
from kitty_reliability.formats.diagnostics import DiagnosticError
from kitty_reliability.formats.lane_manifest import LaneManifest, ManifestLane
from kitty_reliability.formats.prompts import (
    PromptFormatError,
    PromptMetadata,
    parse_prompt,
    prompt_path,
    read_prompt,
    repository_identity,
)
from kitty_reliability.implementations import protocol
from kitty_reliability.implementations.protocol import Outcome
from kitty_reliability.reference.adapter import Reference
from kitty_reliability.reference.commands import arguments_for, main
from kitty_reliability.reference.prompts import PROMPT_KINDS, PromptIdentity, Prompts

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="permissions are other things there")


class Desk:
    """A mission, the reference, and a directory for temporary files."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.mission = mission(base / "repo", {"WP01": "in_review", "WP02": "in_review"}, slug="demo")
        self.reference = Reference()
        self.temporary = base / "tmp"
        self.temporary.mkdir(mode=0o700)

    def prompt(self, **keys: Any) -> Outcome:
        where = {"root": str(self.mission.root), "mission": "demo", "work_package": "WP01"}
        return self.reference.answer(protocol.Prompt(**{**where, "temporary": str(self.temporary), **keys}))

    def written(self, **keys: Any) -> Path:
        outcome = self.prompt(**keys)
        assert outcome.ok, outcome
        return Path(outcome.value["path"])

    def dispatch(self, path: Path | str, **keys: Any) -> Outcome:
        where = {"root": str(self.mission.root), "mission": "demo", "work_package": "WP01"}
        return self.reference.answer(protocol.Dispatch(**{**where, "prompt_path": str(path), **keys}))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path.resolve())


def code(outcome: Outcome) -> str:
    assert outcome.declined, outcome
    assert "<" not in str(outcome.value["message"]), outcome.value["message"]
    return str(outcome.value["diagnostic_code"])


# --- writing


def test_a_prompt_is_where_the_format_has_it_and_says_all(desk: Desk) -> None:
    outcome = desk.prompt()
    path = Path(outcome.value["path"])
    said = read_prompt(path).metadata
    identity = repository_identity(desk.mission.root)
    assert path.parent == desk.temporary / "spec-kitty-review-prompts" / identity / "demo" / "WP01"
    assert path.stem == said.invocation_id
    assert said.as_dict() == outcome.value["metadata"]
    assert said.created_at.endswith("Z")
    assert (said.lane_worktree, said.lane_branch) == (str(desk.mission.root), "HEAD")


@pytest.mark.parametrize("kind", PROMPT_KINDS)
def test_every_kind_that_is_declared_is_written(desk: Desk, kind: str) -> None:
    assert kind in desk.reference.hello(protocol.Hello()).value["prompt_kinds"]
    assert kind.capitalize() in desk.written(kind=kind).read_text(encoding="utf-8")


def test_lane_manifest_and_context_say_worktree_and_refs(tmp_path: Path) -> None:
    built = repository(tmp_path.resolve() / "repo").mission({"WP01": "in_review"}, lanes={"lane-a": ["WP01"]})
    request = protocol.Prompt(
        root=str(built.lane("lane-a").path), mission=built.slug, work_package="WP01", temporary=str(tmp_path)
    )
    said = Reference().answer(request).value["metadata"]
    assert said["repo_root"] == str(built.root)
    assert said["lane_worktree"] == str(built.lane("lane-a").path)
    assert (said["mission_branch"], said["lane_branch"]) == (built.branch, built.lane("lane-a").branch)
    assert said["base_ref"] == built.branch


@posix_only
def test_modes_are_private_whatever_the_umask(desk: Desk) -> None:
    before = os.umask(0)
    try:
        path = desk.written()
    finally:
        os.umask(before)
    places = [path, *list(path.parents)[:4]]
    assert [stat.S_IMODE(place.stat().st_mode) for place in places] == [0o600, 0o700, 0o700, 0o700, 0o700]


@posix_only
@pytest.mark.parametrize("depth", range(4))
@pytest.mark.parametrize("how", ["link", "open", "file"])
def test_a_directory_that_is_not_ours_alone_is_refused(desk: Desk, depth: int, how: str) -> None:
    place = list(desk.written().parents)[depth]
    kept = place.rename(desk.base / "kept")
    if how == "link":
        place.symlink_to(kept, target_is_directory=True)
    elif how == "file":
        place.write_bytes(b"")
    else:
        place.mkdir()
        place.chmod(0o777)
    before = sorted(kept.rglob("*"))
    told = desk.prompt()
    assert code(told) == "PROMPT_DIRECTORY_UNSAFE"
    assert told.value["path"] == str(place)
    assert sorted(kept.rglob("*")) == before


def test_a_name_that_is_another_in_a_path_is_refused(desk: Desk) -> None:
    mission(desk.mission.root, {"WP01": "in_review"}, slug="demo-", name="other")
    assert code(desk.prompt(mission="demo-")) == "PROMPT_NAME_AMBIGUOUS"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"kind": "fix"}, "PROMPT_KIND_UNKNOWN"),
        ({"mission": ".."}, "MISSION_IDENTIFIER_UNSAFE"),
        ({"work_package": ".."}, "WORK_PACKAGE_IDENTIFIER_UNSAFE"),
        ({"work_package": "WP99"}, "WORK_PACKAGE_NOT_FOUND"),
        ({"lane_worktree": "/x\udcff"}, "TEXT_NOT_ENCODABLE"),
    ],
)
def test_what_cannot_be_asked_is_refused_and_writes_nothing(desk: Desk, keys: dict[str, str], expected: str) -> None:
    assert code(desk.prompt(**keys)) == expected
    assert not list(desk.temporary.rglob("*.md"))


def test_a_manifest_that_cannot_be_read_is_told(desk: Desk) -> None:
    desk.mission.paths.lanes.write_bytes(b"{")
    assert code(desk.prompt()) == "LANE_RECORD_UNREADABLE"


@pytest.mark.parametrize(
    ("lanes", "expected"),
    [
        (["lane-a"], "LANE_RECORD_UNREADABLE"),
        (["a", "b"], "LANE_RECORD_AMBIGUOUS"),
        (["../x"], "LANE_RECORD_AMBIGUOUS"),
    ],
)
def test_a_record_that_does_not_tell_the_lane_is_no_guess(desk: Desk, lanes: list[str], expected: str) -> None:
    manifest = LaneManifest("demo", None, "b", "main", [ManifestLane(lane, ["WP01"]) for lane in lanes], "then")
    desk.mission.paths.lanes.write_bytes(manifest.encode())
    context = desk.mission.root / ".kittify" / "workspaces" / "demo-lane-a.json"
    context.parent.mkdir(parents=True)
    context.write_bytes(b"{}")
    assert code(desk.prompt()) == expected
    assert not list(desk.temporary.rglob("*.md"))


def test_an_invocation_that_is_there_is_not_overwritten(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    path = desk.written()
    data = path.read_bytes()
    monkeypatch.setattr(Prompts, "invocation", lambda self: path.stem)  # noqa: ARG005
    assert not desk.prompt().ok
    assert path.read_bytes() == data


def test_a_disk_that_writes_something_else_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = Prompts.encode
    monkeypatch.setattr(Prompts, "encode", lambda *arguments: encode(*arguments)[:-40].replace(b"demo", b"DEMO"))
    assert code(desk.prompt()) == "PROMPT_READBACK_FAILED"
    assert not list(desk.temporary.rglob("*.md"))


def test_twenty_prompts_of_a_work_package_are_kept(desk: Desk) -> None:
    other = desk.written(work_package="WP02")
    paths = [desk.written() for _ in range(25)]
    assert all(path.exists() for path in paths)
    for age, path in enumerate([*reversed(paths), other]):
        os.utime(path, (1e9 - age, 1e9 - age))
    newest = desk.written()
    assert {path for path in paths if path.exists()} == set(paths[6:])
    assert other.exists()
    assert newest.exists()


def test_the_newest_stays_when_the_clock_went_back(desk: Desk) -> None:
    for path in [desk.written() for _ in range(20)]:
        os.utime(path, (4e9, 4e9))
    assert desk.written().exists()


# --- dispatching


def test_a_prompt_that_the_builder_writes_is_dispatched(desk: Desk) -> None:
    built = built_prompt(desk.mission, temporary=desk.temporary)
    worktree = built.requested.lane_worktree
    outcome = desk.dispatch(built.path, lane_worktree=worktree)
    # The builder names a lane, and this mission has none.
    assert code(outcome) == "REVIEW_PROMPT_METADATA_MISMATCH"
    assert outcome.value["differing"] == "lane_branch"


def test_the_request_alone_decides_eight_fields(desk: Desk) -> None:
    path = desk.written()
    assert desk.dispatch(path).ok
    wrong = desk.dispatch(path, work_package="WP02")
    assert wrong.value["differing"] == "work_package_id"
    assert wrong.value["requested_context"]["work_package_id"] == "WP02"
    assert wrong.value["prompt_context"]["work_package_id"] == "WP01"


@pytest.mark.parametrize("field", PROMPT_FIELDS)
def test_what_is_requested_beyond_it_has_to_be_right_as_well(desk: Desk, field: str) -> None:
    path = desk.written()
    told = desk.dispatch(path, requested={field: "elsewhere"})
    assert code(told) == "REVIEW_PROMPT_METADATA_MISMATCH"
    assert told.value["differing"] == field
    assert told.value["requested_context"][field] == "elsewhere"


def test_what_is_requested_does_not_make_a_wrong_prompt_right(desk: Desk) -> None:
    path = desk.written(work_package="WP02")
    said = read_prompt(path).metadata.as_dict()
    told = desk.dispatch(path, requested=said)
    assert told.value["differing"] == "work_package_id"
    assert told.value["requested_context"]["work_package_id"] == "WP01"


def test_a_field_that_no_prompt_has_is_refused(desk: Desk) -> None:
    assert code(desk.dispatch(desk.written(), requested={"host": "x"})) == "VALUE_INVALID"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (None, "REVIEW_PROMPT_MISSING"),
        (b"", "REVIEW_PROMPT_EMPTY"),
        (b"---\na: 1\n", "REVIEW_PROMPT_TRUNCATED"),
        (b"# Review\n", "REVIEW_PROMPT_NO_FRONTMATTER"),
        (b"---\na: 1\n---\n", "REVIEW_PROMPT_INVALID"),
        (b"---\na: \xff\n---\n", "REVIEW_PROMPT_INVALID"),
    ],
)
def test_what_is_no_prompt_has_its_own_code(desk: Desk, data: bytes | None, expected: str) -> None:
    path = desk.written()
    path.unlink() if data is None else path.write_bytes(data)
    told = desk.dispatch(path)
    assert code(told) == expected
    assert told.value["prompt_context"]["error"]
    assert told.value["prompt_path"] == str(path)


@posix_only
@pytest.mark.parametrize("kind", ["directory", "pipe", "link"])
def test_what_is_no_file_is_unreadable_and_nobody_waits(desk: Desk, kind: str) -> None:
    path = desk.written()
    kept = path.rename(desk.base / "kept.md")
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(kept)
    assert code(desk.dispatch(path)) == "REVIEW_PROMPT_UNREADABLE"


def test_a_path_with_a_nul_is_told(desk: Desk) -> None:
    assert code(desk.dispatch("/x\0y")) == "REVIEW_PROMPT_UNREADABLE"


# --- as commands


def test_the_commands_do_the_same(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    where: dict[str, Any] = {"root": str(desk.mission.root), "mission": "demo", "work_package": "WP01"}
    request = protocol.Prompt(**where, temporary=str(desk.temporary))
    assert main(arguments_for(request, "text"), desk.reference) == 0
    path = capsys.readouterr().out.removeprefix("wrote ").strip()
    asked = protocol.Dispatch(**where, prompt_path=path, requested={"work_package_id": "WP01"})
    done = subprocess.run(
        [sys.executable, "-m", "kitty_reliability.reference", *arguments_for(asked, "json")],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    wrong = asked.model_copy(update={"requested": {"work_package_id": "WP02"}})
    assert main(arguments_for(wrong, "json"), desk.reference) == 1
    assert "REVIEW_PROMPT_METADATA_MISMATCH" in capsys.readouterr().out


# --- any value at all

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
_LIKE_YAML = st.sampled_from(
    ["0123", "1e3", "null", "~", "yes", "true", "2025-01-01", "@x", "- a", "a: b", "#", "'", '"']
)


@given(values=st.lists(_TEXT | _LIKE_YAML, min_size=11, max_size=11), body=_TEXT)
def test_any_identity_reads_back_equal(values: list[str], body: str) -> None:
    metadata = PromptMetadata(*values)
    assert parse_prompt(Prompts(Reference().workflow).encode(metadata, body)).metadata == metadata


_HOSTILE = st.sampled_from(
    ["..", ".", "...", "../x", "/x", "a/../..", "a\\..", "\0", "-", "-a", "a-", "", "demo", "WP01"]
)


@given(names=st.lists(_TEXT | _HOSTILE, min_size=2, max_size=2), invocation=st.uuids())
def test_the_path_of_any_names_is_three_levels_below_the_repository(names: list[str], invocation: UUID) -> None:
    temporary, root = Path("/tmp-of-somebody"), "/a repository"
    try:
        path = prompt_path(temporary, root, *names, invocation.hex)
    except PromptFormatError as error:
        assert error.finding == "unsafe-segment"  # noqa: PT017 - most names have a path
        return
    assert os.path.normpath(path) == str(path)
    assert path.parents[2] == temporary / "spec-kitty-review-prompts" / repository_identity(root)
    assert "\0" not in str(path)


@given(one=st.tuples(_TEXT | _HOSTILE, _TEXT | _HOSTILE), other=st.tuples(_TEXT | _HOSTILE, _TEXT | _HOSTILE))
def test_names_that_differ_have_places_that_differ(one: tuple[str, str], other: tuple[str, str]) -> None:
    prompts = Prompts(Reference().workflow)

    def place(names: tuple[str, str]) -> Path | None:
        try:
            return prompts.path(Path("/tmp"), PromptIdentity("/repo", "", *names, "", "", "", ""), "0").parent
        except (DiagnosticError, PromptFormatError):
            return None

    assert one == other or place(one) is None or place(one) != place(other)


@pytest.mark.parametrize("name", ["a name", "Größe", "plain", "\u732b", "a'b\"c", "-x", "a\nb"])
def test_a_repository_of_any_name_is_one_however_it_is_reached(tmp_path: Path, name: str) -> None:
    root = tmp_path.resolve() / name
    (root / "inside").mkdir(parents=True)
    spellings = [f"{root}{os.sep}", f"{root}{os.sep}{os.curdir}", f"{root / 'inside'}{os.sep}..", os.path.relpath(root)]
    if sys.platform != "win32":
        link = tmp_path / "link"
        link.symlink_to(root, target_is_directory=True)
        spellings += [str(link), f"{link}{os.sep}"]
    assert {repository_identity(spelling) for spelling in spellings} == {repository_identity(root)}
    assert repository_identity(root / "inside") != repository_identity(root)


@settings(max_examples=60)
@given(
    slug=_TEXT | st.sampled_from(["..", "../x", "/x", "a/../..", "."]), package=_TEXT | st.just("..") | st.just("WP01")
)
def test_no_name_at_all_leads_out_of_the_directory(slug: str, package: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        desk = Desk(Path(name).resolve())
        before = {path for path in desk.base.rglob("*") if not path.is_relative_to(desk.temporary)}
        outcome = desk.prompt(mission=slug, work_package=package)
        assert outcome.declined or (slug, package) == ("demo", "WP01")
        assert {path for path in desk.base.rglob("*") if not path.is_relative_to(desk.temporary)} == before
        assert not list(desk.temporary.rglob("*.md"))
