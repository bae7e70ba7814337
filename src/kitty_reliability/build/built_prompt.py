"""A review prompt that was written, and what can be done to its file (scenarios RP-01 to RP-10)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from kitty_reliability.formats.prompts import PROMPT_FIELDS, PromptMetadata, encode_prompt, encode_prompt_values

from .errors import BuildError
from .mission import Mission

__all__ = ["BuiltPrompt"]


@dataclass(frozen=True, slots=True)
class BuiltPrompt:
    """A prompt that was written. The verbs rewrite its file and return what is there then.

    Arguments:
        requested: what was asked for; ``metadata``: what the file says, the same until it is tampered with.
        root: the repository in the spelling that it was asked for by; ``mission``: the mission there.
        body: the text below the frontmatter.
    """

    path: Path
    requested: PromptMetadata
    metadata: PromptMetadata
    root: str
    mission: Mission
    body: str

    @property
    def work_package(self) -> str:
        """The id of the work package that it was asked for."""
        return self.requested.work_package_id

    def restored(self) -> BuiltPrompt:
        """Write what was asked for again, whatever is there now."""
        if self.path.is_dir() and not self.path.is_symlink():
            self.path.rmdir()
        self.path.unlink(missing_ok=True)
        self.path.write_bytes(encode_prompt(self.requested, self.body))
        return replace(self, metadata=self.requested)

    def tampered(self, field: str, value: str | None = None) -> BuiltPrompt:
        """Make one of ``PROMPT_FIELDS`` say something else, plausible unless ``value`` says what; the rest is right.

        Raises:
            BuildError: no such field, or the value is the right one.
        """
        self._require(field)
        wrong = value if value is not None else _WRONG[field](getattr(self.requested, field))
        if wrong == getattr(self.requested, field):
            raise BuildError(f"{field} is {wrong!r} already")
        metadata = replace(self.requested, **{field: wrong})
        self.restored().path.write_bytes(encode_prompt(metadata, self.body))
        return replace(self, metadata=metadata)

    def without(self, field: str) -> BuiltPrompt:
        """Leave one of ``PROMPT_FIELDS`` out."""
        self._require(field)
        values = {key: value for key, value in self.requested.as_dict().items() if key != field}
        return self._with(encode_prompt_values(values, self.body))

    def of_wrong_type(self, field: str) -> BuiltPrompt:
        """Make one of ``PROMPT_FIELDS`` a list of its text."""
        self._require(field)
        values: dict[str, Any] = self.requested.as_dict()
        return self._with(encode_prompt_values({**values, field: [values[field]]}, self.body))

    def without_frontmatter(self) -> BuiltPrompt:
        """Leave the body only, as versions before 3.2 wrote prompts."""
        return self._with(self.body.encode())

    def emptied(self) -> BuiltPrompt:
        """Leave a file of no bytes."""
        return self._with(b"")

    def truncated(self, keep: int | None = None) -> BuiltPrompt:
        """Cut the file off inside its frontmatter, or after ``keep`` bytes."""
        data = encode_prompt(self.requested, self.body)
        return self._with(data[: len(data) // 3 if keep is None else keep])

    def missing(self) -> BuiltPrompt:
        """Remove the file."""
        self.restored().path.unlink()
        return self

    def unreadable(self) -> BuiltPrompt:
        """Take away the right to read the file.

        Raises:
            BuildError: on Windows, and for root, whom no right is taken from; ``as_directory`` works for all.
        """
        if sys.platform == "win32" or os.geteuid() == 0:
            raise BuildError("no file can be made unreadable for this user; take as_directory()")
        self.restored().path.chmod(0)
        return self

    def as_directory(self) -> BuiltPrompt:
        """Put a directory in its place, which nobody can read as a file."""
        self.missing().path.mkdir()
        return self

    def _with(self, data: bytes) -> BuiltPrompt:
        self.restored().path.write_bytes(data)
        return self

    def _require(self, field: str) -> None:
        if field not in PROMPT_FIELDS:
            raise BuildError(f"a prompt has no field {field!r}; it has: {', '.join(PROMPT_FIELDS)}")


def _other_character(text: str) -> str:
    # The last character only: what compares beginnings, or lengths, does not see it.
    return text[:-1] + ("0" if text[-1:] != "0" else "1")


def _other_work_package(text: str) -> str:
    return "WP02" if text != "WP02" else "WP01"


def _other_instant(text: str) -> str:
    # Another leap year: each has every day.
    return ("2028" if text.startswith("2024") else "2024") + text[4:]


#: What makes a wrong value of the right one: such as another invocation, mission or checkout would have.
_WRONG: Final[dict[str, Callable[[str], str]]] = {
    "invocation_id": _other_character,
    "repo_root": lambda text: str(Path(text).with_name(f"{Path(text).name}-copy")),
    "mission_id": _other_character,
    "mission_slug": _other_character,
    "work_package_id": _other_work_package,
    "lane_worktree": lambda text: text[:-1] + ("b" if text[-1:] != "b" else "a"),
    "mission_branch": lambda text: f"{text}-2",
    "lane_branch": lambda text: text[:-1] + ("b" if text[-1:] != "b" else "a"),
    "base_ref": lambda text: "develop" if text != "develop" else "main",
    "prompt_path": lambda text: str(Path(text).with_name("0" * 32 + ".md")),
    "created_at": _other_instant,
}
