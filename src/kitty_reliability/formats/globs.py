r"""The globs of ``owned_files``: two dialects, each in full (interop: section 7; clause OWN-008).

``exact`` is that of profile contract-320. A path of git is matched as a whole, segment by segment, letter by letter:

- ``*`` is any number of characters of one segment, ``?`` is one; neither is ever a ``/``.
- ``**`` as a whole segment is any number of segments: ``**/a.py`` is ``a.py`` too. At the end it is at least one, so
  ``src/**`` is what lies under ``src``, not ``src``; a pattern that ends with ``/`` means the same.
- ``./`` at the start is left out. Every other character is itself: brackets, braces, ``!``, backslash.

A pattern that names nothing in a checkout (empty, absolute, with ``..``) matches nothing.

``released`` is that of 3.2.x: ``fnmatch``, in which ``*`` crosses ``/`` and brackets are a class; and whatever lies under the
pattern without its stars, so that a literal path owns its descendants.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, NamedTuple

__all__ = ["EXACT", "RELEASED", "Globs", "exact", "exact_overlap", "released", "released_overlap"]

_ANY: Final = "**"


class Globs(NamedTuple):
    """A dialect."""

    #: From patterns to a function that says whether one of them matches a path.
    matcher: Callable[[Iterable[str]], Callable[[str], bool]]
    #: Whether two patterns could own one path.
    overlap: Callable[[str, str], bool]


class _Node:
    """What may follow the segments so far: other nodes, or the last segment of a path."""

    __slots__ = ("endings", "literal", "loops", "names", "rest", "whole", "wild")

    def __init__(self, *, loops: bool = False) -> None:
        self.literal: dict[str, _Node] = {}
        self.wild: dict[str, tuple[Callable[[str], object], _Node]] = {}
        #: The node of ``**``, which stays where it is.
        self.rest: _Node | None = None
        self.loops = loops
        self.whole = False
        self.names: set[str] = set()
        self.endings: list[Callable[[str], object]] = []


def exact(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return a function that says whether a path is that of one of ``patterns``.

    The patterns become one tree of segments, and what is known of a directory is remembered: a path costs little more
    than its own length, whatever the number of patterns.
    """
    root = _Node()
    for pattern in patterns:
        _insert(root, _segments(pattern))
    top = _Directory(tuple(_closure([root])), {})

    def matches(path: str) -> bool:
        *directories, name = path.split("/")
        if not name:
            return False
        within = top
        for directory in directories:
            within = within[directory]
        if within.whole or name in within.names:
            return True
        for ends in within.endings:  # noqa: SIM110 - a generator for each path costs more than the rest
            if ends(name):
                return True
        return False

    return matches


class _Directory(dict[str, "_Directory"]):
    """Where the patterns are in a directory, whether one has all of it, what they have of it; and its directories.

    Directories in which the patterns are in the same places are one; ``alike`` has all of them.
    """

    __slots__ = ("alike", "below", "endings", "names", "nodes", "whole")

    def __init__(self, nodes: Collection[_Node], alike: dict[tuple[_Node, ...], _Directory]) -> None:
        self.nodes = nodes
        self.alike = alike
        self.whole = False
        #: Whether a pattern has all that is in the directories of this one too.
        self.below = False
        self.names: set[str] = set()
        self.endings: list[Callable[[str], object]] = []
        for node in nodes:
            if node.whole:
                self.whole = True
                self.below |= node.loops
            self.names |= node.names
            self.endings += node.endings

    def __missing__(self, name: str) -> _Directory:
        if name and self.below:
            return self
        nodes = tuple(_closure(_step(self.nodes, name)))
        if nodes not in self.alike:
            self.alike[nodes] = _Directory(nodes, self.alike)
        found = self[name] = self.alike[nodes]
        return found


def _segments(pattern: str) -> list[str]:
    while pattern.startswith("./"):
        pattern = pattern[2:]
    segments = pattern.split("/")
    if pattern and segments[-1] == "":
        segments[-1] = _ANY
    if segments[-1] == _ANY:
        segments.append("*")
    return segments


def _insert(node: _Node, segments: Sequence[str]) -> None:
    *directories, last = segments
    for segment in directories:
        if segment == _ANY:
            node.rest = node.rest or _Node(loops=True)
            node = node.rest
        elif "*" in segment or "?" in segment:
            node = node.wild.setdefault(segment, (_segment(segment), _Node()))[1]
        else:
            node = node.literal.setdefault(segment, _Node())
    if last == "*":
        node.whole = True
    elif "*" in last or "?" in last:
        node.endings.append(_segment(last))
    else:
        node.names.add(last)


def _segment(segment: str) -> Callable[[str], object]:
    first, *rest = ("".join("." if c == "?" else re.escape(c) for c in part) for part in re.split(r"\*+", segment))
    # The first place where what stands between two stars fits is as good as any: without atomic groups all are tried.
    between = "".join(f"(?>.*?{part})" for part in rest[:-1])
    return re.compile(f"{first}{between}{f'.*{rest[-1]}' if rest else ''}", re.DOTALL).fullmatch


def _closure(nodes: list[_Node]) -> list[_Node]:
    """Return the nodes, and those that are reached by a ``**`` that is no segment at all; each once."""
    for node in nodes:
        if node.rest is not None and node.rest not in nodes:
            nodes.append(node.rest)
    return nodes


def _step(nodes: Iterable[_Node], name: str) -> list[_Node]:
    found: list[_Node] = []
    if not name:
        return found
    for node in nodes:
        if node.loops:
            found.append(node)
        if (literal := node.literal.get(name)) is not None:
            found.append(literal)
        if node.wild:
            found += [after for matches, after in node.wild.values() if matches(name)]
    return found


def exact_overlap(one: str, other: str) -> bool:
    """Say whether there is a path that both patterns match."""
    return _meet(tuple(_segments(one)), tuple(_segments(other)), _ANY, _segments_meet)


def _segments_meet(one: str, other: str) -> bool:
    # No segment of a path is empty.
    return bool(one and other) and _meet(tuple(one), tuple(other), "*", lambda a, b: a == b or "?" in (a, b))


def _meet(one: tuple[str, ...], other: tuple[str, ...], star: str, same: Callable[[str, str], bool]) -> bool:
    """Say whether two sequences have something in common, in which ``star`` is any number of any items."""
    reached = {(0, 0)}
    waiting = [(0, 0)]
    while waiting:
        i, j = waiting.pop()
        if i == len(one) and j == len(other):
            return True
        steps = []
        a, b = one[i] if i < len(one) else None, other[j] if j < len(other) else None
        if a == star:
            steps += [(i + 1, j), *([] if b is None else [(i, j + 1)])]
        if b == star:
            steps += [(i, j + 1), *([] if a is None else [(i + 1, j)])]
        if a is not None and b is not None and star not in (a, b) and same(a, b):
            steps.append((i + 1, j + 1))
        new = [step for step in steps if step not in reached]
        reached.update(new)
        waiting += new
    return False


def released(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return a function that says whether 3.2.x takes a path for one of ``patterns``."""
    listed = list(patterns)
    if not listed:
        return lambda path: False  # noqa: ARG005
    whole = re.compile("|".join(fnmatch.translate(pattern) for pattern in listed)).match
    prefixes = tuple(f"{prefix}/" for pattern in listed if (prefix := _without_stars(pattern)))
    return lambda path: whole(path) is not None or path.startswith(prefixes)


def _without_stars(pattern: str) -> str:
    return pattern.replace("/**", "").replace("/*", "").rstrip("/")


def released_overlap(one: str, other: str) -> bool:
    """Say whether 3.2.x takes two patterns for overlapping when a plan is finalized."""
    a, b = _stem(one), _stem(other)
    return (
        one == other
        or bool(a and b and (a.startswith(b) or b.startswith(a)))
        or fnmatch.fnmatchcase(b, one)
        or fnmatch.fnmatchcase(a, other)
    )


def _stem(pattern: str) -> str:
    for ending in ("/**", "/*", "**", "*"):
        if pattern.endswith(ending):
            return pattern.removesuffix(ending)
    return pattern


EXACT: Final = Globs(exact, exact_overlap)
RELEASED: Final = Globs(released, released_overlap)
