"""Review prompts on disk: ``a, b = prompt_pair(tmp_path, differ="repo")``, ``a.tampered("mission_id")``.

A prompt is written where released versions write it and says what they make it say (interop: section 6; scenarios RP-01
to RP-10; clauses RPM-001 to RPM-008). Time stands still: a pair is of one second, and ids are the same every time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID

from kitty_reliability.formats.lane_manifest import mission_branch
from kitty_reliability.formats.prompts import (
    PROMPT_FIELDS,
    PromptFormatError,
    PromptMetadata,
    encode_prompt,
    prompt_path,
)

from .built_prompt import BuiltPrompt
from .clock import Clock
from .errors import BuildError
from .mission import Mission, mission

__all__ = ["DIFFERENCES", "PROMPT_FIELDS", "SPELLINGS", "BuiltPrompt", "PromptPair", "prompt", "prompt_pair"]

_BODY: Final = "# Review {wp}\n\nLook at the work package and say whether it is done.\n"


def prompt(
    built: Mission,
    work_package: str = "WP01",
    *,
    temporary: Path | None = None,
    root: Path | str | None = None,
    lane: str = "lane-a",
    body: str | None = None,
    **fields: str,
) -> BuiltPrompt:
    """Write the review prompt of a work package and return it.

    Arguments:
        built: the mission; its clock gives ``created_at`` and is not moved.
        temporary: the directory for temporary files; ``.kittify/runtime/tmp`` of the repository when left out.
        root: the repository in another spelling.
        lane: the lane whose worktree and branch are named; neither has to exist.
        fields: any of ``PROMPT_FIELDS`` to set. Where the prompt lies follows them.

    Raises:
        BuildError: unknown work package or field, a name that leads out of the directory, a prompt that is there.
    """
    built.package(work_package)
    unknown = [name for name in fields if name not in PROMPT_FIELDS]
    if unknown:
        raise BuildError(f"a prompt has no field {unknown[0]!r}; it has: {', '.join(PROMPT_FIELDS)}")
    # A text: a path would forget how it was spelled.
    spelled = str(built.root if root is None else root)
    resolved = Path(spelled).resolve()
    base = (temporary or resolved / ".kittify" / "runtime" / "tmp").absolute()
    branch = mission_branch(built.slug, built.log.mission_id)
    values = {
        "repo_root": str(resolved),
        "mission_id": str(built.meta.get("mission_id") or ""),
        "mission_slug": built.slug,
        "work_package_id": work_package,
        "lane_worktree": str(resolved / ".worktrees" / f"{built.slug}-{lane}"),
        "mission_branch": branch,
        "lane_branch": f"{branch}-{lane}",
        "base_ref": branch,
        "created_at": built.log.clock.now.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        **fields,
    }

    def path_of(invocation: str) -> Path:
        return prompt_path(base, resolved, values["mission_slug"], values["work_package_id"], invocation)

    try:
        if "invocation_id" not in values:
            values["invocation_id"] = _free_invocation(f"{built.slug}:{work_package}", path_of)
        path = path_of(values["invocation_id"])
    except PromptFormatError as error:
        raise BuildError(f"{error.problem}, which leads out of the directory of prompts") from None
    if path.exists():
        raise BuildError(f"the prompt of invocation {values['invocation_id']} is there already")
    metadata = PromptMetadata(**{"prompt_path": str(path), **values})
    text = body if body is not None else _BODY.format(wp=work_package)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_prompt(metadata, text))
    return BuiltPrompt(path, metadata, metadata, spelled, built, text)


def _free_invocation(seed: str, path_of: Callable[[str], Path]) -> str:
    number = 1
    while True:
        invocation = UUID(bytes=sha256(f"{seed}:{number}".encode()).digest()[:16], version=4).hex
        if not path_of(invocation).exists():
            return invocation
        number += 1


class PromptPair(NamedTuple):
    """Two prompts of one second."""

    first: BuiltPrompt
    second: BuiltPrompt


#: Other spellings of a repository's path, for ``prompt_pair(differ="spelling")``.
SPELLINGS: Final = ("symlink", "trailing-slash", "dot-dot")


def prompt_pair(
    base: Path, differ: str = "repo", *, spelling: str = "symlink", names: tuple[str, str] = ("demo-pair", "demo-pair-")
) -> PromptPair:
    """Write two prompts under ``base`` that a careless path scheme takes for one, and return them.

    Arguments:
        base: an empty directory; the repositories are made in it, and ``tmp`` for the prompts.
        differ: what makes them two, one of ``DIFFERENCES``: ``repo``: two repositories of one name with one mission
            slug and id; ``mission``: two missions of one repository; ``work_package``; ``invocation``: one request
            made twice; ``spelling``: one repository reached by two paths, which is one identity; ``sanitised-name``:
            two missions whose slugs become one text in a path.
        spelling: one of ``SPELLINGS``.
        names: the slugs for ``sanitised-name``.

    Raises:
        BuildError: an unknown word, or a file system without symbolic links.
    """
    if differ not in _PAIRS:
        raise BuildError(f"unknown difference {differ!r}; known: {', '.join(_PAIRS)}")
    if spelling not in SPELLINGS:
        raise BuildError(f"unknown spelling {spelling!r}; known: {', '.join(SPELLINGS)}")
    return _PAIRS[differ](_Pairs(base, spelling, names))


class _Pairs:
    def __init__(self, base: Path, spelling: str, names: tuple[str, str]) -> None:
        self.base = base
        self.temporary = base / "tmp"
        self.spelling = spelling
        self.names = names

    def made(self, root: str = "repo", **options: Any) -> Mission:
        # A clock of its own for each: both stand at the same moment.
        lanes = {"WP01": "in_review", "WP02": "in_review"}
        return mission(self.base / root, lanes, clock=Clock(), **options)

    def written(self, built: Mission, work_package: str = "WP01", root: Path | str | None = None) -> BuiltPrompt:
        return prompt(built, work_package, temporary=self.temporary, root=root)

    def repo(self) -> PromptPair:
        return PromptPair(self.written(self.made("one/repo")), self.written(self.made("two/repo")))

    def mission(self) -> PromptPair:
        return PromptPair(self.written(self.made(name="first")), self.written(self.made(name="second")))

    def work_package(self) -> PromptPair:
        built = self.made()
        return PromptPair(self.written(built), self.written(built, "WP02"))

    def invocation(self) -> PromptPair:
        built = self.made()
        return PromptPair(self.written(built), self.written(built))

    def spelled(self) -> PromptPair:
        built = self.made()
        if self.spelling == "symlink":
            other = self.base / "link"
            try:
                other.symlink_to(built.root, target_is_directory=True)
            except OSError as error:
                raise BuildError(f"this file system has no symbolic links: {error.strerror}") from None
            return PromptPair(self.written(built), self.written(built, root=other))
        text = f"{built.root}{os.sep}" if self.spelling == "trailing-slash" else f"{built.root}{os.sep}..{os.sep}repo"
        return PromptPair(self.written(built), self.written(built, root=text))

    def sanitised(self) -> PromptPair:
        first, second = (self.made(slug=name, name=f"pair-{name}") for name in self.names)
        return PromptPair(self.written(first), self.written(second))


_PAIRS: Final[dict[str, Callable[[_Pairs], PromptPair]]] = {
    "repo": _Pairs.repo,
    "mission": _Pairs.mission,
    "work_package": _Pairs.work_package,
    "invocation": _Pairs.invocation,
    "spelling": _Pairs.spelled,
    "sanitised-name": _Pairs.sanitised,
}
#: What can make two prompts two.
DIFFERENCES: Final = tuple(_PAIRS)
