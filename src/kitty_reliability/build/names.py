"""What may name a branch, a remote, or a file of a checkout; everything else is told before git stumbles over it."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Final

from .errors import BuildError

__all__ = ["inside", "quoted", "require_reference", "write"]

#: What ``git check-ref-format --branch`` refuses.
_REFUSED: Final = re.compile(
    r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|(?:^|/)\.|\.lock(?:/|\Z)|\A[-/]|[/.]\Z|\A(?:HEAD)?\Z"
)


def require_reference(kind: str, name: str) -> None:
    """Raise BuildError unless git takes ``name`` for a ``kind`` such as a branch."""
    if not isinstance(name, str) or _REFUSED.search(name):
        raise BuildError(f"{name!r} is not a name that git takes for a {kind}; take one such as release/1.0")


def inside(root: Path, name: str) -> Path:
    """Return the path of a file of a checkout.

    Raises:
        BuildError: the name leads out of ``root``, or into ``.git``.
    """
    pure = PurePosixPath(name)
    if not name or pure.is_absolute() or ".." in pure.parts or "\0" in name or pure.parts[:1] == (".git",):
        raise BuildError(f"{name!r} is not a path inside {root}")
    return root / name


def write(root: Path, name: str, content: str | bytes) -> None:
    """Write a file of a checkout, with the directories that it needs.

    Raises:
        BuildError: as ``inside``, and a name that the file system does not take.
    """
    path = inside(root, name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    except (OSError, UnicodeEncodeError) as error:
        why = error.strerror if isinstance(error, OSError) else f"{error.encoding} has no such letters"
        raise BuildError(f"{name!r} cannot be written in {root}: {why}") from None


def quoted(text: str) -> str:
    r"""Return ``text`` as a value or subsection of git's configuration."""
    return '"' + text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n") + '"'
