"""Review prompts and the identity that each carries (interop: section 6; clauses RPM-001 to RPM-008).

A prompt is a Markdown file of one invocation. Its frontmatter has eleven texts, no more and no fewer, that say for
which repository, mission, work package and worktree it was made; a dispatcher compares them with what was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Final

from .findings import FormatError
from .frontmatter import FrontmatterError, join, parse_yaml, split

__all__ = [
    "PROMPTS_DIRECTORY",
    "PROMPT_FIELDS",
    "Prompt",
    "PromptFinding",
    "PromptFormatError",
    "PromptMetadata",
    "differences",
    "encode_prompt",
    "encode_prompt_values",
    "parse_prompt",
    "prompt_path",
    "read_prompt",
    "repository_identity",
    "sanitised",
]

#: The directory that all prompts are under, in the directory for temporary files.
PROMPTS_DIRECTORY: Final = "spec-kitty-review-prompts"
#: Keys that stand first in a file; the others follow by the alphabet.
_FIRST: Final = ("work_package_id", "created_at")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class PromptMetadata:
    """The eleven fields. Paths are absolute and resolved; a mission without id has the empty text."""

    invocation_id: str
    repo_root: str
    mission_id: str
    mission_slug: str
    work_package_id: str
    lane_worktree: str
    mission_branch: str
    lane_branch: str
    base_ref: str
    prompt_path: str
    created_at: str

    def as_dict(self) -> dict[str, str]:
        """Return the fields by name, in the order of ``PROMPT_FIELDS``."""
        return asdict(self)


#: The names of the eleven fields.
PROMPT_FIELDS: Final = tuple(item.name for item in fields(PromptMetadata))


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as its file has it."""

    metadata: PromptMetadata
    body: str


class PromptFinding(StrEnum):
    """Why a prompt cannot be trusted to say who it is (RPM-006, RPM-007)."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    NOT_UTF8 = "not-utf8"
    TRUNCATED = "truncated"
    NO_FRONTMATTER = "no-frontmatter"
    BAD_YAML = "bad-yaml"
    MISSING_FIELD = "missing-field"
    WRONG_TYPE = "wrong-type"
    UNSAFE_SEGMENT = "unsafe-segment"


class PromptFormatError(FormatError[PromptFinding]):
    """A prompt's file, or the name of one, is not what it should be."""


# --- where prompts are


def sanitised(text: str, empty: str = "unknown") -> str:
    """Return ``text`` as the part of a prompt's path: other characters become ``-``; ``empty`` if none is left."""
    return _UNSAFE.sub("-", text).strip("-") or empty


def repository_identity(root: Path | str) -> str:
    """Return the name that a repository has in paths of prompts; the same for every spelling of ``root`` (RPM-008)."""
    resolved = Path(root).expanduser().resolve()
    return f"{sanitised(resolved.name, 'repo')}-{sha256(str(resolved).encode('utf-8')).hexdigest()[:12]}"


def prompt_path(temporary: Path, root: Path | str, mission_slug: str, work_package: str, invocation: str) -> Path:
    """Return where the prompt of one invocation is.

    Arguments:
        temporary: the directory for temporary files, such as TMPDIR.
        root: the repository, in any spelling.

    Raises:
        PromptFormatError: UNSAFE_SEGMENT for a name that would lead out of its directory.
    """
    parts = [sanitised(part) for part in (mission_slug, work_package, invocation)]
    for part, name in zip(parts, ("mission_slug", "work_package_id", "invocation_id"), strict=True):
        if set(part) == {"."}:
            raise PromptFormatError(PromptFinding.UNSAFE_SEGMENT, f"{name} is {part!r}", field=name)
    slug, package, name = parts
    return temporary / PROMPTS_DIRECTORY / repository_identity(root) / slug / package / f"{name}.md"


# --- bytes


def encode_prompt(metadata: PromptMetadata, body: str) -> bytes:
    """Return the bytes of a prompt; a blank line is put before a ``body`` that does not begin with one."""
    return encode_prompt_values(metadata.as_dict(), body)


def encode_prompt_values(values: Mapping[str, object], body: str) -> bytes:
    """Return the bytes of a prompt with any frontmatter, in the order of the format. No rule is enforced."""
    order = [*(key for key in _FIRST if key in values), *sorted(key for key in values if key not in _FIRST)]
    return join({key: values[key] for key in order}, body if body.startswith("\n") else f"\n{body}").encode()


def read_prompt(path: Path) -> Prompt:
    """Return the prompt in ``path``.

    Raises:
        PromptFormatError: MISSING, UNREADABLE, and everything that ``parse_prompt`` raises.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise PromptFormatError(PromptFinding.MISSING, f"no file {path}") from None
    except OSError as error:
        raise PromptFormatError(PromptFinding.UNREADABLE, f"{path}: {error.strerror}") from None
    return parse_prompt(data)


def parse_prompt(data: bytes) -> Prompt:
    """Return the prompt that ``data`` holds. Keys beyond the eleven do not count.

    Raises:
        PromptFormatError: EMPTY, NOT_UTF8, TRUNCATED (frontmatter that does not end), NO_FRONTMATTER, BAD_YAML,
            MISSING_FIELD, WRONG_TYPE (a field that is not a text).
    """
    if not data.strip():
        raise PromptFormatError(PromptFinding.EMPTY, "the file is empty")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PromptFormatError(PromptFinding.NOT_UTF8, f"byte {error.start}: {error.reason}") from None
    parts = split(text)
    if parts is None:
        if text.startswith("--"):
            raise PromptFormatError(PromptFinding.TRUNCATED, "the frontmatter does not end")
        raise PromptFormatError(PromptFinding.NO_FRONTMATTER, "no YAML between two lines of three dashes")
    try:
        values = parse_yaml(parts[0])
    except FrontmatterError as error:
        raise PromptFormatError(PromptFinding.BAD_YAML, str(error)) from None
    for name in PROMPT_FIELDS:
        if name not in values:
            raise PromptFormatError(PromptFinding.MISSING_FIELD, f"no {name}", field=name)
        if not isinstance(values[name], str):
            raise PromptFormatError(PromptFinding.WRONG_TYPE, f"{name} is not a text", field=name)
    return Prompt(PromptMetadata(**{name: values[name] for name in PROMPT_FIELDS}), parts[1])


def differences(requested: PromptMetadata, found: PromptMetadata) -> dict[str, tuple[str, str]]:
    """Return the fields that differ, each as (requested, found); exact texts count (RPM-001)."""
    wanted, said = requested.as_dict(), found.as_dict()
    return {name: (wanted[name], said[name]) for name in PROMPT_FIELDS if wanted[name] != said[name]}
