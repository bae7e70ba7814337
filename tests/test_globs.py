"""The exact dialect of globs against a plain reading of it, and its cost."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitty_reliability.formats.globs import EXACT


def plainly(pattern: str, path: str) -> bool:
    """The same dialect, one pattern at a time and by backtracking."""
    while pattern.startswith("./"):
        pattern = pattern[2:]
    if pattern.endswith("/"):
        pattern += "**"

    def meets(globs: list[str], names: list[str]) -> bool:
        if not globs:
            return not names
        if globs[0] == "**":
            rest = globs[1:]
            return any(meets(rest, names[skipped:]) for skipped in range(len(names) + 1)) if rest else bool(names)
        if not names:
            return False
        one = re.sub(r"\*+", "*", globs[0])
        regex = "".join({"*": ".*", "?": "."}.get(c) or re.escape(c) for c in one)
        return re.fullmatch(regex, names[0], re.DOTALL) is not None and meets(globs[1:], names[1:])

    names = path.split("/")
    return all(names) and meets(pattern.split("/"), names)


SEGMENTS = st.sampled_from(
    ["a", "b", "ab", "*", "**", "?", "a*", "*b", "a?", "[a]", "*.*", "a.b", ".", "***", "é", "a\nb"]
)
PATTERNS = st.lists(SEGMENTS, min_size=1, max_size=5).map("/".join)
PATHS = st.lists(st.sampled_from(["a", "b", "ab", "a.b", "[a]", "é", "a\nb"]), min_size=1, max_size=4).map("/".join)


@given(st.lists(st.tuples(PATTERNS, st.sampled_from(["", "/"]), st.sampled_from(["", "./"])), max_size=4), PATHS)
def test_a_path_is_matched_when_one_of_the_patterns_says_so(parts: list[tuple[str, str, str]], path: str) -> None:
    patterns = [start + pattern + end for pattern, end, start in parts]
    matches = EXACT.matcher(patterns)
    expected = any(plainly(pattern, path) for pattern in patterns)
    assert matches(path) == expected
    assert matches(path) == expected, "what is remembered of a directory is what was found"


@given(PATTERNS, PATTERNS, PATHS)
def test_patterns_of_one_path_overlap(one: str, other: str, path: str) -> None:
    if EXACT.matcher([one])(path) and EXACT.matcher([other])(path):
        assert EXACT.overlap(one, other)
        assert EXACT.overlap(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("src/*.py", "src/*.md"), ("a/**", "b/**"), ("docs", "docs/**"), ("a?", "a"), ("./a", "./b"), ("", "")],
)
def test_patterns_of_no_common_path_do_not_overlap(one: str, other: str) -> None:
    assert not EXACT.overlap(one, other)


def test_nothing_is_owned_without_a_pattern() -> None:
    assert not EXACT.matcher([])("a")
    assert not EXACT.matcher([""])("a")


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b", "/"])
def test_what_is_no_path_of_git_is_owned_by_nobody(path: str) -> None:
    assert not EXACT.matcher(["**", "*", "a", "**/b"])(path)


def test_many_stars_take_no_longer_than_their_number() -> None:
    # By backtracking this would not end.
    assert not EXACT.matcher(["/".join(["**"] * 40 + ["x"])])("/".join(["a"] * 400))
    assert not EXACT.matcher(["*a" * 12 + "*b"])("a" * 200)
    assert EXACT.matcher(["a*ab?*b"])("aaabab" + "b" * 200)


def test_a_path_may_be_of_any_depth() -> None:
    deep = "a/" * 2000 + "x"
    assert EXACT.matcher(["a/**/x"])(deep)
    assert not EXACT.matcher(["a/**/y"])(deep)
