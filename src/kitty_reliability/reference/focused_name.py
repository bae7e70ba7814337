"""The name of the branch that holds a mission's own changes and nothing else (interop: 9.1). PYTEST_DONT_REWRITE"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

__all__ = ["focused_name"]

#: What is no name of a branch, as ``git check-ref-format`` has it.
_NO_NAME: Final = re.compile(r"[\0-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|\A/|/\Z|(\A|/)\.|\.\Z|\.lock(/|\Z)|\A@?\Z")
#: With more bytes a file system may refuse the file of the branch, or its lock.
_LONGEST: Final = 200
_DIGITS: Final = 16


def focused_name(slug: str, target: str) -> str | None:
    """Return ``kitty/pr/<slug>-to-<target>``, in which the target's slashes are dashes; the same text every time.

    None for a target that no branch can be called. A name that is too long for a file keeps its beginning, and a digest.
    """
    if _NO_NAME.search(target):
        return None
    last = f"{slug}-to-{target.replace('/', '-')}"
    data = last.encode()
    if len(data) > _LONGEST:
        last = f"{data[: _LONGEST - _DIGITS - 1].decode('utf-8', 'ignore')}-{sha256(data).hexdigest()[:_DIGITS]}"
    return f"kitty/pr/{last}"
