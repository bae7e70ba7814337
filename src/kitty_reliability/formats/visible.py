"""Text that somebody else wrote, made fit for a terminal and for reports (SEC-004)."""

from __future__ import annotations

__all__ = ["visible", "visible_line"]


def visible(text: str) -> str:
    r"""Return ``text`` with whatever is not seen, or changes what is seen, written as ``\xNN`` or ``\uNNNN``.

    These are control characters, the marks that turn the direction of writing, characters without width, halves of
    characters, and what Unicode has not assigned. Newlines stay.

    >>> visible("a\x1b[2Jb \u202e c")
    'a\\x1b[2Jb \\u202e c'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else _spelled(char) for char in text)


def visible_line(text: str) -> str:
    r"""Return ``visible(text)`` on one line: a newline is written as ``\n``."""
    return visible(text).replace("\n", "\\n")


def _spelled(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
