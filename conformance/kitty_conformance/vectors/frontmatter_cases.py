"""The YAML at the head of a work package file, and what YAML takes it for (clauses SEC-005, OWN-005)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kitty_reliability.formats.profiles import Profile
from kitty_reliability.formats.work_package import read_work_package

from .cases import CONTRACT, Case, bytes_of, spelled

__all__ = ["answer", "cases"]


def answer(given: Mapping[str, Any], profile: Profile) -> Mapping[str, Any]:  # noqa: ARG001 - one rule for both
    """Return the frontmatter of a file, and its body."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "WP01-demo.md")
        path.write_bytes(bytes_of(given["file"]))
        read = read_work_package(path)
    return {"frontmatter": dict(read.frontmatter), "body": read.body}


def _file(head: str, *, body: str = "\n# WP01\n") -> str:
    # 3.2.7 adds dependencies to a file that has none.
    return f"---\nwork_package_id: WP01\ndependencies: []\n{head}---\n{body}"


#: Name, what it shows, lines of frontmatter, and what 3.2.7 does when it does something else.
_VALUES: tuple[tuple[str, str, str, str], ...] = (
    ("norway", "no is a text, as are yes, on and off", "tags: [no, NO, yes, on, off, y, n]\n", ""),
    ("booleans", "true and false are no texts", "tags: [true, True, FALSE]\n", ""),
    ("null", "A key without a value, ~ and null are nothing", "title:\nphase: ~\nmodel: null\n", ""),
    ("octal", "A number with a leading zero is decimal", "tags: [010, 0o10, 0x1F]\n", "reads 0o10 and 0x1F as numbers"),
    ("sexagesimal", "12:30 is a text", "tags: [12:30, 1:20:30]\n", ""),
    ("underscores", "1_000 is a text", "tags: [1_000]\n", "reads it as a number"),
    ("version", "1.10 is a number and loses its zero; quoted it is a text", "tags: [1.10, '1.10']\n", ""),
    ("exponent", "1e3 is a number", "tags: [1e3]\n", ""),
    ("infinity", ".inf and .nan are texts", "tags: [.inf, -.inf, .nan]\n", "reads them as numbers"),
    ("date", "A date is a text", "created_at: 2026-01-05\n", "reads it as a date"),
    ("timestamp", "A timestamp is a text", "created_at: 2026-01-05T09:00:00Z\n", "reads it as a timestamp"),
    ("timestamp-quoted", "Quoted it is a text for everybody", "created_at: '2026-01-05T09:00:00Z'\n", ""),
    ("big-integer", "An integer of 25 digits keeps them", "shell_pid: 1234567890123456789012345\n", ""),
    ("leading-plus", "+7 is a number", "tags: [+7, -7]\n", ""),
    ("work-package-number", "An id that is only digits would be a number", "wp_code: 01\n", ""),
    ("hash-commit", "A commit of digits is a number, one with e too", "base_commit: 1234567\nbase_branch: 12e4567\n", "reads the second as an infinite number"),
    ("merge-key", "<< is no key of this schema", "<<: {title: x}\n", "merges the mapping"),
    ("anchor", "An anchor alone changes nothing", "title: &name One\n", ""),
    ("alias", "An alias is refused", "title: &name One\nsubtitle: *name\n", "writes the value in"),
    ("alias-bomb", "A bomb of aliases is refused, in bounded time", "tags: &a [x, x]\nsubtasks: &b [*a, *a]\nhistory: [*b, *b]\n", "writes the values in"),
    ("tag", "A tag is refused", "title: !!str 7\n", "goes by the tag"),
    ("python-tag", "A tag of a language is refused, and does nothing", "title: !!python/object/apply:os.system ['true']\n", "keeps it as it is"),
    ("repeated-key", "A key twice is refused", "title: One\ntitle: Two\n", ""),
    ("repeated-key-nested", "A key twice in a mapping inside is refused", "reviewer: {agent: a, agent: b}\n", ""),
    ("unknown-key", "A key that nobody knows is refused", "weather: fine\n", ""),
    ("tab-indent", "A tab does not indent", "owned_files:\n\t- src/a.py\n", ""),
    ("tab-after-colon", "A tab may stand before a value", "title:\tOne\n", "refuses it"),
    ("tab-in-a-value", "A tab in a quoted value stays", 'title: "a\tb"\n', ""),
    ("colon-in-a-value", "A colon and a blank make a mapping where none may be", "title: One: two\n", ""),
    ("hash-in-a-value", "A # behind a blank begins a comment", "title: One #2\n", ""),
    ("hash-without-blank", "Without one it does not", "title: One#2\n", ""),
    ("quotes", "Quotes are not part of the value", "title: 'It''s'\nsubtitle: \"a\\u2028b\\n\"\n", ""),
    ("block", "A block keeps its lines, a folded one does not", "description: |\n  a\n  b\nsubtitle: >\n  a\n  b\n", ""),
    ("star-value", "A glob that begins with * is an alias, and refused", "owned_files:\n- **/a.py\n", ""),
    ("star-value-quoted", "Quoted it is a text", "owned_files:\n- '**/a.py'\n- 'app/[id]/page.tsx'\n", ""),
    ("brackets-plain", "A route in brackets is a text in a block", "owned_files:\n- app/[id]/page.tsx\n", ""),
    ("braces-plain", "Braces in a text", "owned_files:\n- src/{a,b}.py\n", ""),
    ("at-sign", "A text does not begin with @", "assignee: @ann\n", ""),
    ("percent", "Nor with %", "title: %done\n", ""),
    ("empty-list", "An empty roster of subtasks is one", "subtasks: []\n", ""),
    ("list-flow", "A list on one line", "tags: [WP02, WP03]\n", ""),
    ("indented-list", "A list may be indented", "owned_files:\n  - a\n  - b\n", ""),
    ("unicode", "Text is kept as it is, not normalised", "title: \"caf\u00e9 cafe\u0301 \U0001f600\"\n", ""),
    ("unicode-separator", "A raw U+2028 in a quoted text", 'title: "a\u2028b"\n', ""),
    ("next-line", "A raw U+0085 in a quoted text ends a line, and becomes a blank", 'title: "a\u0085b"\n', ""),
    ("deep", "Thirty-one lists in the mapping are read", "history: " + "[" * 31 + "]" * 31 + "\n", ""),
    ("too-deep", "Thirty-two are too deep", "history: " + "[" * 32 + "]" * 32 + "\n", "has no such bound"),
    ("second-document", "... ends the document, and nothing may follow", "title: One\n...\nsubtitle: Two\n", ""),
    ("prototype", "Keys that are methods in some languages are keys inside a mapping", "reviewer: {constructor: 1, __proto__: 2}\n", ""),
    ("key-number", "A key may be a number, and is told as a text", "reviewer: {1: one}\n", ""),
)  # fmt: skip


def cases() -> Iterator[Case]:
    """Yield values that YAML reads in several ways, then the frame of the file."""
    for name, shows, head, remark in _VALUES:
        yield _case(name, shows, _file(head), remark)
    for name, shows, data, remark in _frames():
        yield _case(name, shows, data, remark)


def _case(name: str, shows: str, data: str | bytes, remark: str) -> Case:
    given = {"file": spelled(data)}
    return Case(name, shows, given, CONTRACT, f"3.2.7 {remark}") if remark else Case(name, shows, given)


def _frames() -> Iterator[tuple[str, str, str | bytes, str]]:
    whole = _file("title: One\n")
    yield "whole", "A file with frontmatter and body", whole, ""
    yield "no-frontmatter", "A file without frontmatter is refused", "# WP01\n", ""
    yield "empty-file", "An empty file is refused", "", ""
    yield "not-closed", "Frontmatter that is not closed is refused", "---\nwork_package_id: WP01\n", ""
    yield "blank-line-first", "A blank line first is no frontmatter", "\n" + whole, ""
    yield (
        "closed-with-blanks",
        "Blanks around the closing dashes do not count",
        _file("", body="body\n").replace("]\n---", "]\n  ---  "),
        "",
    )
    yield "four-dashes", "Four dashes do not close", "---\nwork_package_id: WP01\n----\nbody\n", ""
    yield "rule-in-the-body", "Dashes in the body are the body's", _file("", body="a\n---\nb\n"), ""
    yield "no-body", "The body may be empty", _file("", body=""), ""
    yield "crlf", "Lines may end with CRLF", whole.replace("\n", "\r\n"), ""
    yield (
        "byte-order-mark",
        "A byte-order mark before the dashes is refused",
        b"\xef\xbb\xbf" + whole.encode(),
        "reads over it",
    )
    yield "latin-1", "Bytes that are not UTF-8 are refused", _file("title: caf\u00e9\n").encode("latin-1"), ""
    yield "latin-1-body", "Also in the body", _file("", body="caf\u00e9\n").encode("latin-1"), ""
    yield "nul", "A NUL is no YAML", _file('title: "a\x00b"\n'), ""
    yield (
        "without-dependencies",
        "A key that is not there is not made up",
        "---\nwork_package_id: WP01\n---\n",
        "adds dependencies",
    )
    yield "not-a-mapping", "A list is no frontmatter", "---\n- WP01\n---\n", ""
    yield "id-missing", "A file names its work package", "---\ntitle: One\n---\n", ""
    yield "id-number", "The id is a text", "---\nwork_package_id: 1\n---\n", ""
    yield "id-other", "WP1 is no id", "---\nwork_package_id: WP1\n---\n", ""
    yield "id-suffix", "Nor is WP01b", "---\nwork_package_id: WP01b\n---\n", ""
    yield "id-path", "Nor is a path", "---\nwork_package_id: ../WP01\n---\n", ""
