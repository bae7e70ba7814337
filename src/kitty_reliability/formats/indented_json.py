"""JSON for people: two blanks, non-ASCII as it is, final newline (interop: sections 1.2, 1.4, 1.5)."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Final

__all__ = ["indented"]

_one_line: Final = json.JSONEncoder(ensure_ascii=False).encode
_one_line_sorted: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode


def indented(value: Any, *, sort_keys: bool = False) -> bytes:
    """Return the bytes of a file that holds ``value``; keys stand in their order unless they are sorted.

    Raises:
        TypeError: a value or a key that JSON does not have.
        UnicodeEncodeError: a text with a lone surrogate, which no file can hold.
    """
    # The standard library indents in Python, one line of JSON it writes in C: each text is indented once.
    return _indented((_one_line_sorted if sort_keys else _one_line)(value))


@lru_cache(maxsize=256)
def _indented(text: str) -> bytes:
    return (json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n").encode()
