"""Review prompts: whether one is about what was asked for, and where it is (clauses RPM-001 to RPM-008)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from kitty_reliability.formats.diagnostics import diagnostic
from kitty_reliability.formats.profiles import Profile
from kitty_reliability.formats.prompts import (
    PROMPT_FIELDS,
    PromptFormatError,
    PromptMetadata,
    differences,
    encode_prompt,
    encode_prompt_values,
    prompt_path,
)
from kitty_reliability.reference.prompts import Prompts
from kitty_reliability.reference.workflow import Workflow

from .cases import CONTRACT, Case, bytes_of, spelled

__all__ = ["answer", "answer_path", "cases", "path_cases"]

_METADATA: Final = PromptMetadata(
    invocation_id="0123456789abcdef0123456789abcdef",
    repo_root="/no-such-place/demo",
    mission_id="01KVMSSN000000000000000000",
    mission_slug="demo-01KVMSSN",
    work_package_id="WP01",
    lane_worktree="/no-such-place/demo/.worktrees/demo-01KVMSSN-lane-a",
    mission_branch="kitty/mission-demo-01KVMSSN",
    lane_branch="kitty/mission-demo-01KVMSSN-lane-a",
    base_ref="0123456",
    prompt_path="/no-such-place/temporary/spec-kitty-review-prompts/demo-8a172da912e1/demo-01KVMSSN/WP01/0123.md",
    created_at="2026-01-05T09:00:00Z",
)
_VALUES: Final = _METADATA.as_dict()
_BODY: Final = "\n# Review WP01\n"


def answer(given: Mapping[str, Any], profile: Profile) -> Mapping[str, Any]:  # noqa: ARG001 - one rule for both
    """Return what the prompt says of itself, when that is what was asked for."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "prompt.md")
        path.write_bytes(bytes_of(given["file"]))
        found = PromptMetadata(**Prompts(Workflow()).read(path, given["requested"]))
    differing = differences(PromptMetadata(**given["requested"]), found)
    if differing:
        raise diagnostic("REVIEW_PROMPT_METADATA_MISMATCH", differing=[*differing])
    return {"metadata": found.as_dict()}


def cases() -> Iterator[Case]:
    """Yield prompts that are what was asked for, that are about something else, and that are none."""
    whole = encode_prompt(_METADATA, _BODY)
    yield _case("match", "All eleven fields are equal", whole)
    yield _case(
        "extra-key", "Keys beyond the eleven do not count", encode_prompt_values({**_VALUES, "mood": "fine"}, _BODY)
    )
    dashes, *fields, end = whole.partition(_BODY.encode())[0].splitlines(keepends=True)
    yield _case("other-order", "Their order does not count", b"".join([dashes, *fields[::-1], end]) + _BODY.encode())
    for field in PROMPT_FIELDS:
        yield _case(
            f"other-{field.replace('_', '-')}",
            f"Another {field} prevents the dispatch",
            encode_prompt_values(_VALUES | {field: "other"}, _BODY),
        )
        lacking = {key: value for key, value in _VALUES.items() if key != field}
        yield _case(f"without-{field.replace('_', '-')}", f"A prompt has {field}", encode_prompt_values(lacking, _BODY))
    yield _case(
        "several",
        "Every field that differs is named",
        encode_prompt_values(_VALUES | {"mission_slug": "x", "base_ref": "y"}, _BODY),
    )
    yield _case(
        "mission-without-id",
        "A mission without id has the empty text",
        encode_prompt_values(_VALUES | {"mission_id": ""}, _BODY),
        requested={"mission_id": ""},
    )
    for name, shows, value in (
        ("norway", "A branch that is called no is a text", "no"), ("number", "A commit of digits is a text", "0123456"),
        ("exponent", "So is one that looks like a number", "12e4567"), ("date", "And one that looks like a date", "2026-01-05"),
        ("null", "null is a text", "null"), ("dashes", "So are three dashes", "---"), ("colon", "And a: b", "a: b"),
        ("option", "A ref may look like an option", "--upload-pack=x"), ("newline", "A newline stays in the value", "a\nbase_ref: b"),
        ("unicode", "Composed and decomposed differ", "caf\u00e9"),
    ):  # fmt: skip
        yield _case(
            f"value-{name}",
            shows,
            encode_prompt_values(_VALUES | {"base_ref": value}, _BODY),
            requested={"base_ref": value},
        )
    yield _case(
        "value-decomposed",
        "Which is why this is another ref",
        encode_prompt_values(_VALUES | {"base_ref": "caf\u00e9"}, _BODY),
        requested={"base_ref": "cafe\u0301"},
    )
    yield _case(
        "value-blank-behind",
        "A blank behind the value is part of it",
        encode_prompt_values(_VALUES | {"base_ref": "main "}, _BODY),
        requested={"base_ref": "main"},
    )
    quoted = whole.replace(b'base_ref: "0123456"', b"base_ref: 0123456")
    yield _case("number-unquoted", "Digits that are not quoted are no text", quoted)
    yield _case("null-unquoted", "Nor is null", whole.replace(b'base_ref: "0123456"', b"base_ref: null"))
    yield _case("empty", "An empty file is no prompt", b"")
    yield _case("blank", "Nor is a blank one", b" \n\n")
    yield _case("no-frontmatter", "A prompt says what it is about", b"# Review WP01\n")
    yield _case("truncated", "A prompt that was cut in its frontmatter", whole[:80])
    yield _case("truncated-in-the-dashes", "One that was cut in the first line", b"--")
    yield _case("latin-1", "Bytes that are not UTF-8", whole + b"caf\xe9\n")
    yield _case(
        "byte-order-mark", "A byte-order mark before the dashes", b"\xef\xbb\xbf" + whole, remark="3.2.7 reads over it"
    )
    yield _case("bad-yaml", "YAML that is none", b"---\nbase_ref: [\n---\n")
    yield _case("repeated-key", "A field twice", whole.replace(b"---\n", b"---\nwork_package_id: WP02\n", 1))
    yield _case("list", "A list is no frontmatter", b"---\n- WP01\n---\n")


def _case(name: str, shows: str, data: bytes, requested: Mapping[str, str] | None = None, remark: str = "") -> Case:
    given = {"file": spelled(data), "requested": {**_VALUES, **(requested or {})}}
    return Case(name, shows, given, CONTRACT, remark) if remark else Case(name, shows, given)


def answer_path(given: Mapping[str, Any], profile: Profile) -> Mapping[str, Any]:  # noqa: ARG001 - one rule for both
    """Return where a prompt is below the directory for temporary files."""
    temporary = PurePosixPath("/temporary")
    try:
        path = prompt_path(
            Path(temporary), given["repo_root"], given["mission_slug"], given["work_package_id"], given["invocation_id"]
        )
    except PromptFormatError as error:
        raise diagnostic("PROMPT_NAME_AMBIGUOUS", name=given[error.field], key=error.field) from None
    return {"path": path.as_posix().removeprefix(f"{temporary}/")}


def path_cases() -> Iterator[Case]:
    """Yield repositories and names; every ``repo_root`` is absolute and there is no such place."""
    for name, shows, changes in (
        ("plain", "The hash is that of the repository's path, SHA-256, twelve digits", {}),
        (
            "root-trailing-slash",
            "A trailing slash is another spelling of one repository",
            {"repo_root": "/no-such-place/demo/"},
        ),
        ("root-dot", "So is a dot", {"repo_root": "/no-such-place/./demo"}),
        ("root-other", "Repositories of one name have two paths", {"repo_root": "/no-such-place/other/demo"}),
        ("root-blank", "A blank becomes a dash", {"repo_root": "/no-such-place/my demo"}),
        (
            "root-unicode",
            "So do letters that are not ASCII; the hash is of UTF-8",
            {"repo_root": "/no-such-place/caf\u00e9"},
        ),
        ("root-no-letters", "A name of which nothing is left is repo", {"repo_root": "/no-such-place/\u65e5\u672c"}),
        ("slug-separators", "Separators become a dash", {"mission_slug": "a/b\\c"}),
        ("slug-blank", "Nothing left is unknown", {"mission_slug": "///"}),
        ("package-newline", "A newline becomes a dash", {"work_package_id": "WP01\nx"}),
        ("invocation-dots", "Dots inside a name stay", {"invocation_id": "a..b"}),
    ):
        yield Case(name, shows, _place(**changes))
    for name, changes in (
        ("slug-dots", {"mission_slug": ".."}),
        ("package-dot", {"work_package_id": "."}),
        ("invocation-dots-alone", {"invocation_id": "..."}),
    ):
        yield Case(
            name,
            "A name of nothing but dots would lead out, and is refused",
            _place(**changes),
            CONTRACT,
            "3.2.7 goes there",
        )


def _place(**changes: str) -> dict[str, str]:
    return {
        "repo_root": "/no-such-place/demo",
        "mission_slug": "demo-01KVMSSN",
        "work_package_id": "WP01",
        "invocation_id": "0123456789abcdef",
        **changes,
    }
