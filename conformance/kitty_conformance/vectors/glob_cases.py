"""Which paths a work package owns (clause OWN-008)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kitty_reliability.formats.globs import EXACT, RELEASED
from kitty_reliability.formats.profiles import Profile

from .cases import Case

__all__ = ["answer", "cases"]


def answer(given: Mapping[str, Any], profile: Profile) -> Mapping[str, Any]:
    """Say whether one of the patterns matches the path."""
    dialect = EXACT if profile.exact_globs else RELEASED
    return {"matches": dialect.matcher(given["patterns"])(given["path"])}


#: Name, what it shows, pattern or patterns, paths.
_CASES: tuple[tuple[str, str, str | list[str], list[str]], ...] = (
    ("literal", "A literal path is that file", "src/a.py", ["src/a.py", "src/A.py", "src/a.pyc", "src/a.py/b", "x/src/a.py"]),
    ("folder", "A literal folder, and what lies under it", "src", ["src", "src/a.py", "srcx", "srcx/a"]),
    ("star", "* stays in its segment", "src/*.py", ["src/a.py", "src/.py", "src/.hidden.py", "src/x/a.py", "src/a.PY"]),
    ("star-alone", "* is any name in the root", "*", ["a", ".env", "a/b"]),
    ("star-in-the-middle", "* as a whole segment", "app/*/a.py", ["app/x/a.py", "app/a.py", "app/x/y/a.py", "app/a.py/z"]),
    ("star-many", "Many stars in one segment", "a*b*c", ["abc", "aXbYc", "acb", "a/b/c"]),
    ("question", "? is one character of a name", "a?.py", ["ab.py", "a.py", "a/.py", "a\u00e9.py", "a\U0001f600.py"]),
    ("doublestar-end", "** at the end is what lies under it", "src/**", ["src", "src/a", "src/x/y", "src/.hidden/a", "srcx/a", "src/../etc/passwd"]),
    ("doublestar-start", "** at the start is any folder, or none", "**/a.py", ["a.py", "x/a.py", "x/y/a.py", "ba.py"]),
    ("doublestar-middle", "** in the middle is any folder, or none", "src/**/a.py", ["src/a.py", "src/x/a.py", "src/x/y/a.py", "src/xa.py"]),
    ("doublestar-twice", "** twice", "**/tests/**", ["tests/a", "x/tests/a", "tests", "x/tests/y/z"]),
    ("doublestar-alone", "** alone is everything", "**", ["a", "a/b", ".env"]),
    ("doublestar-in-a-name", "** inside a segment is a *", "src/foo**", ["src/foo", "src/foobar", "src/foobar/baz"]),
    ("doublestar-thrice", "*** is no **", "***", ["a", "a/b"]),
    ("trailing-slash", "A / at the end means what lies under it", "src/", ["src", "src/a", "src/x/y"]),
    ("star-slash", "*/ is what lies under any folder", "*/", ["a", "a/b", "a/b/c"]),
    ("leading-dot-slash", "./ at the start is left out", "./src/a.py", ["src/a.py", "./src/a.py"]),
    ("leading-dot-slash-twice", "However often it is there", "././src/**", ["src/a.py"]),
    ("leading-dot", "A leading dot is a character like any other", ".github/**", [".github/x", "xgithub/x", ".github"]),
    ("hidden", "* matches hidden names", "**/*.yml", [".github/ci.yml", ".yml", "a/.b.yml"]),
    ("brackets-id", "Brackets are letters: routes of Next.js", "app/[id]/page.tsx", ["app/[id]/page.tsx", "app/i/page.tsx", "app/d/page.tsx"]),
    ("brackets-rest", "So they are with dots", "app/[...slug]/**", ["app/[...slug]/a", "app/./a", "app/s/a"]),
    ("brackets-class", "No class", "src/[ab].py", ["src/a.py", "src/[ab].py"]),
    ("brackets-negated", "No negated class", "src/[!a].py", ["src/b.py", "src/[!a].py"]),
    ("brackets-open", "One that does not close", "src/[a.py", ["src/[a.py", "src/a.py"]),
    ("braces", "Braces are letters", "src/{a,b}.py", ["src/a.py", "src/{a,b}.py"]),
    ("exclamation", "! at the start negates nothing", "!src/**", ["src/a", "!src/a", "b"]),
    ("backslash", "A backslash is a letter", "src\\a.py", ["src\\a.py", "src/a.py"]),
    ("backslash-star", "It escapes nothing", "src/\\*.py", ["src/\\a.py", "src/*.py"]),
    ("dot-is-a-dot", "A dot is a dot", "a.py", ["a.py", "axpy"]),
    ("regex-letters", "Letters of regular expressions are letters", "a+(b)|c^$", ["a+(b)|c^$", "aab"]),
    ("case", "Letters are compared exactly", "SRC/**", ["src/a", "SRC/a"]),
    ("unicode", "Composed and decomposed are two names", "caf\u00e9/**", ["caf\u00e9/a", "cafe\u0301/a"]),
    ("blank", "A name may be a blank", " ", [" ", " /a", "a"]),
    ("newline", "A name may hold a newline", "src/*", ["src/a\nb", "src/a\n"]),
    ("newline-at-the-end", "A newline at the end is not left out", "src/a", ["src/a\n"]),
    ("empty", "An empty pattern owns nothing", "", ["", "a"]),
    ("absolute", "An absolute pattern owns nothing", "/src/**", ["src/a", "/src/a"]),
    ("slash", "Nor does / alone", "/", ["a", "/"]),
    ("dot-dot", "Nor does one that leads out", "../src/**", ["src/a"]),
    ("dot", "Nor does . alone", ".", ["a", "./a"]),
    ("slashes", "Nor does one with an empty segment", "src//a.py", ["src/a.py"]),
    ("no-pattern", "No pattern owns nothing", [], ["a"]),
    ("several", "One of several is enough", ["docs/**", "src/*.py"], ["src/a.py", "docs/x", "src/x/a.py"]),
    ("mission-state", "A pattern may name mission state; that it is protected is another clause", "kitty-specs/**", ["kitty-specs/m/spec.md"]),
    ("prototype", "Names that are methods in some languages", "constructor/**", ["constructor/a", "__proto__/a", "toString/a"]),
    ("stars-that-backtrack", "Many stars that do not fit, in bounded time", "a*a*a*a*a*a*a*a*b", ["a" * 40, "a" * 40 + "b"]),
    ("doublestars-that-backtrack", "So with many **", "/".join(["**", "a"] * 8), ["/".join(["a"] * 30), "/".join(["a"] * 30 + ["b"])]),
)  # fmt: skip


def cases() -> Iterator[Case]:
    """Yield each pattern with each of its paths."""
    for name, shows, patterns, paths in _CASES:
        given = [patterns] if isinstance(patterns, str) else patterns
        for number, path in enumerate(paths, 1):
            yield Case(f"{name}-{number}", shows, {"patterns": given, "path": path})
