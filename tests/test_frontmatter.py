from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kitty_reliability.formats.frontmatter import MAX_BYTES, FrontmatterError, join, parse_yaml, split

quick = settings(max_examples=200)

LIBYAML = bool(yaml.__with_libyaml__)

LOOKALIKES = [
    "yes", "No", "ON", "off", "y", "N", "true", "False", "TRUE", "null", "Null", "~", "",
    "1", "-1", "+1", "0123", "0o17", "0x1f", "1_000", "1e5", "1.5", ".5", "5.", "-.inf", ".nan", "1:30", "190:20:30",
    "2025-03-03", "2025-03-03T09:00:00Z", "@x", "`x", "%x", "&a", "*a", "!x", "!!str x", "|", ">", "|-", "=", "<<",
    ": ", ":", "a: b", "a:", "a:b", "- ", "-", "- a", "---", "...", "? ", "?", "#", " #", "a #b", "a#b", "[", "]", "{}",
    "[]", ",", "a, b", "'", '"', "'a'", '"a"', "\\", "a\\nb", "\\u0041", " a", "a ", "\ta", "a\t", " ", "\n", "a\n",
    "\na", "a\nb", "a\r\nb", "a\rb", "a\n---\nb", "---\n", "\x00", "\x07", "\x1b[31m", "\x7f", "\x80", "\x85", "a\x85b",
    "\xa0a\xa0", "\u2028", "a\u2029b", "\u202e", "\ufeff", "a\ufeff", "\ufffe", "\uffff", "ü", "猫",
]  # fmt: skip

# Characters beyond U+FFFF are a test of their own, below.
characters = st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"])
texts = (
    st.sampled_from(LOOKALIKES)
    | st.text(characters, max_size=12)
    | st.tuples(st.sampled_from(LOOKALIKES), st.sampled_from(LOOKALIKES)).map("".join)
)
names = st.sampled_from(["title", "work_package_id", "owned_files", "description", "history"])


def through_a_file(values: dict[str, Any], body: str = "\n# Body\n") -> dict[str, Any]:
    parts = split(join(values, body))
    assert parts is not None
    assert parts[1] == body
    return parse_yaml(parts[0])


# --- there and back


@pytest.mark.parametrize("text", LOOKALIKES, ids=ascii)
def test_a_text_that_looks_like_something_else_stays_the_text(text: str) -> None:
    assert through_a_file({"title": text, "tags": [text, text]}) == {"title": text, "tags": [text, text]}


@quick
@given(st.dictionaries(names, texts | st.lists(texts)))
def test_texts_and_lists_of_texts_come_back_as_they_were(values: dict[str, Any]) -> None:
    if values:
        assert through_a_file(values) == values


@quick
@given(st.dictionaries(names, texts | st.lists(texts), min_size=1))
def test_readers_of_yaml_1_1_see_the_same_texts(values: dict[str, Any]) -> None:
    parts = split(join(values, ""))

    assert parts is not None
    assert yaml.safe_load(parts[0]) == values


@quick
@given(
    st.dictionaries(
        names,
        st.none()
        | st.booleans()
        | st.integers(-(10**30), 10**30)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.dictionaries(texts, texts | st.integers() | st.lists(texts, max_size=2), max_size=3)
        | st.lists(st.lists(texts, max_size=2) | st.dictionaries(texts, texts, max_size=2), max_size=3),
        min_size=1,
    )
)
def test_other_values_come_back_with_their_type(values: dict[str, Any]) -> None:
    assert repr(through_a_file(values)) == repr(values)


@quick
@given(st.text(characters))
def test_the_body_comes_back_character_for_character(body: str) -> None:
    assert split(join({"title": "x"}, body)) == ("title: x", body)


@pytest.mark.parametrize("value", ["🐈", ["a 🐈"], {"a": "🐈"}], ids=["text", "list", "mapping"])
def test_a_character_beyond_the_first_plane_comes_back(value: Any) -> None:
    assert through_a_file({"title": value}) == {"title": value}


def test_frontmatter_is_written_in_the_order_given_with_lists_that_are_not_indented() -> None:
    text = join({"work_package_id": "WP01", "dependencies": [], "owned_files": ["src/**", "a b"], "phase": None}, "x\n")

    assert text == '---\nwork_package_id: WP01\ndependencies: []\nowned_files:\n- "src/**"\n- a b\nphase:\n---\nx\n'


@pytest.mark.parametrize("value", [b"x", object(), {1}, [b"x"]], ids=["bytes", "object", "set", "in a list"])
def test_a_value_that_frontmatter_cannot_hold_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError):
        join({"title": value}, "")


# --- where the frontmatter is


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("---\na: 1\n---\nbody\n", ("a: 1", "body\n")),
        ("---\n---\n", ("", "")),
        ("---\na: 1\n---", ("a: 1", "")),
        ("--- \na: 1\n  ---\t\nbody", ("a: 1", "body")),
        ("---\r\na: 1\r\n---\r\nbody\r\n", ("a: 1\r", "body\r\n")),
        ("---\na: 1\n---\nb\n---\nc", ("a: 1", "b\n---\nc")),
        ("---\na: x --- y\n----\n---\n", ("a: x --- y\n----", "")),
        ("---\na: '\u2028---\u2028'\n---\nbody", ("a: '\u2028---\u2028'", "body")),
        ("", None),
        ("body", None),
        ("\n---\na: 1\n---\n", None),
        ("---\na: 1\n", None),
        ("---", None),
        ("----\na: 1\n---\n", None),
        ("--- x\na: 1\n---\n", None),
    ],
    ids=ascii,
)
def test_frontmatter_is_between_the_first_line_and_the_next_one_of_three_dashes(
    text: str, parts: tuple[str, str] | None
) -> None:
    assert split(text) == parts


# --- reading


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("True", True),
        ("FALSE", False),
        ("tRue", "tRue"),
        ("", None),
        ("~", None),
        ("NULL", None),
        ("12", 12),
        ("-0", 0),
        ("0123", 123),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("1e5", 100000.0),
        ("1.", 1.0),
        (".5", 0.5),
        (".", "."),
        (".inf", ".inf"),
        ("2025-03-03", "2025-03-03"),
        ("=", "="),
        ("'yes'", "yes"),
        ('"1"', "1"),
        ("[a, 1, yes]", ["a", 1, "yes"]),
        ("{b: {c: []}}", {"b": {"c": []}}),
        ("|\n  x\n  y", "x\ny"),
        ("9" * 400, int("9" * 400)),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_a_plain_value_is_read_by_the_rules_of_yaml_1_2(text: str, value: Any) -> None:
    assert repr(parse_yaml(f"a: {text}")) == repr({"a": value})


def test_a_merge_key_is_a_key_like_any_other() -> None:
    assert parse_yaml("<<: {a: 1}\na: 2") == {"<<": {"a": 1}, "a": 2}


def test_the_largest_frontmatter_that_is_allowed_is_read() -> None:
    text = "a: " + "x" * (MAX_BYTES - 3)

    assert len(parse_yaml(text)["a"]) == MAX_BYTES - 3


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (BOMB, "alias"),
        ("a: &a 1\nb: *a", "alias"),
        ("a: &a {b: *a}", "alias"),
        ("a: *b", "alias"),
        ("a: !!python/object/apply:os.system [true]", "tag"),
        ("a: !!python/name:os.system", "tag"),
        ("!!python/dict {a: 1}", "tag"),
        ("a: !ruby/object x", "tag"),
        ("a: !!value x", "tag"),
        ("a: 1\na: 2", "key 'a' twice"),
        ('a: 1\n"\\u0061": 2', "key 'a' twice"),
        ("a: {b: {c: 1, c: 1}}", "key 'c' twice"),
        ("a: [{b: 1, b: 1}]", "key 'b' twice"),
        ("? [a]\n: b", "key is not a scalar"),
        ("? {a: b}\n: c", "key is not a scalar"),
        ("", "not a mapping"),
        ("- a", "not a mapping"),
        ("text", "not a mapping"),
        ("a: 1\n--- \nb: 1", "line 2"),
        ("a: [", "line"),
        ("a: b: c", "line 1"),
        ("\ta: 1", "line 1"),
        ("a: \x07", "control characters"),
        ("a: \x00", "control characters"),
        ("a: \ud800", "surrogate"),
        ("%YAML 9.9\n---\na: 1", "line 1"),
        ("a: " + "1" * 401, "digits"),
        ("a: -" + "1" * 100_000, "digits"),
        ("a: !!int x", "int"),
        ("a: !!binary a", "tag"),
        ("a: !!timestamp 2020-13-45", "tag"),
        ("a: !!str 1", "tag"),
        ("a: " + "x" * MAX_BYTES, f"larger than {MAX_BYTES} bytes"),
        ("a: " + "ü" * (MAX_BYTES // 2), f"larger than {MAX_BYTES} bytes"),
        ("a: " + "[" * 1000 + "]" * 1000, "nested"),
        ("a: " + "[" * 10_000, "nested"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_frontmatter_that_is_refused_says_why(text: str, problem: str) -> None:
    with pytest.raises(FrontmatterError, match=problem):
        parse_yaml(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: !!timestamp abc",
        "a: !!bool abc",
        'a: !!float ""',
        "a: !!map [x]",
        "a: !!set [x]",
        "!!map [x]",
        "a: !!float " + "1:" * 100_000 + "1",
    ],
    ids=lambda text: text[:20],
)
def test_a_tag_that_does_not_fit_its_value_is_refused(text: str) -> None:
    with pytest.raises(FrontmatterError):
        parse_yaml(text)


@pytest.mark.parametrize(
    "text",
    ["a: " + "[" * 33 + "]" * 33, "a: " + "{a: " * 33 + "1" + "}" * 33, "\n".join(" " * n + "a:" for n in range(40))],
    ids=["arrays", "objects", "indented"],
)
def test_frontmatter_of_more_than_32_levels_is_refused(text: str) -> None:
    with pytest.raises(FrontmatterError, match="nested"):
        parse_yaml(text)


# In a process of its own, since it ends the process that it happens in.
@pytest.mark.parametrize("text", ["'a: ' + '[' * n + ']' * n", "'- ' * n", "'? ' * n"], ids=["arrays", "lists", "keys"])
def test_extreme_depth_is_refused_and_the_process_lives(text: str) -> None:
    program = (
        "from kitty_reliability.formats.frontmatter import FrontmatterError, parse_yaml\n"
        "n = 30_000\n"
        f"try: parse_yaml({text})\n"
        "except FrontmatterError: print('refused')\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "refused\n")


@quick
@given(st.text() | st.lists(st.sampled_from([*LOOKALIKES, "\n", "  ", "a"])).map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        said: Any = parse_yaml(text)
    except FrontmatterError as error:
        said = str(error)

    assert isinstance(said, dict) or said
