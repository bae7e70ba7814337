from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitty_reliability.formats.strict_json import MAX_DEPTH, RepeatedKeyError, TooDeepError, parse

quick = settings(max_examples=150)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(['":', '\\":', '" :', "\\", '"', '{"a":1,"a":2}', "\u2028", "\x85", "\ufeff", "\U0001f408"])
)
keys = st.text(max_size=4) | st.sampled_from(["a", '":', '"', "\\", '\\"', "", " ", "\U0001f408"])
values = st.recursive(
    scalars,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(keys, children, max_size=4),
    max_leaves=15,
)
objects = st.dictionaries(keys, values, min_size=1, max_size=4)
layouts = st.fixed_dictionaries(
    {
        "indent": st.sampled_from([None, 0, 2, "\t"]),
        "separators": st.sampled_from([None, (",", ":"), (" , ", " : "), ("\t,\r\n", "\n:\t"), (",", " :")]),
        "ensure_ascii": st.booleans(),
        "sort_keys": st.booleans(),
    }
)


class Pairs(list[tuple[str, Any]]):
    """An object as its pairs, so that a key can be there twice."""


def as_pairs(value: Any) -> Any:
    if isinstance(value, dict):
        return Pairs((key, as_pairs(child)) for key, child in value.items())
    return [as_pairs(child) for child in value] if isinstance(value, list) else value


def all_objects(value: Any) -> list[Pairs]:
    found = [value] if isinstance(value, Pairs) else []
    for child in (
        [child for _, child in value] if isinstance(value, Pairs) else value if isinstance(value, list) else ()
    ):
        found += all_objects(child)
    return found


def spelled(text: str, random: Random) -> str:
    """Write a string with every character either raw, by its short escape, or by its number."""
    parts = []
    for character in text:
        units = character.encode("utf-16-be")
        numbers = "".join(f"\\u{int.from_bytes(units[at : at + 2], 'big'):04x}" for at in range(0, len(units), 2))
        raw = json.dumps(character, ensure_ascii=False)[1:-1]
        parts.append(random.choice([raw, raw, numbers, numbers.upper().replace("\\U", "\\u")]))
    return '"' + "".join(parts) + '"'


def written(value: Any, random: Random) -> str:
    """Write JSON with any blank that the grammar allows at any place where it allows one."""

    def blank() -> str:
        return random.choice(["", "", "", " ", "\t", "\r", "\n", " \n "])

    if isinstance(value, Pairs):
        members = [
            f"{blank()}{spelled(key, random)}{blank()}:{blank()}{written(child, random)}{blank()}"
            for key, child in value
        ]
        return "{" + (",".join(members) or blank()) + "}"
    if isinstance(value, list):
        return "[" + (",".join(f"{blank()}{written(child, random)}{blank()}" for child in value) or blank()) + "]"
    return spelled(value, random) if isinstance(value, str) else json.dumps(value)


@quick
@given(values, layouts)
def test_what_the_standard_library_writes_is_read_as_the_standard_library_reads_it(
    value: Any, layout: dict[str, Any]
) -> None:
    text = json.dumps(value, **layout)

    # repr tells 1 from 1.0 and 0.0 from -0.0, and has the order of the keys.
    assert repr(parse(text.encode())) == repr(json.loads(text))


@quick
@given(values, st.randoms(use_true_random=False))
def test_blanks_and_escapes_anywhere_change_nothing(value: Any, random: Random) -> None:
    text = written(as_pairs(value), random)

    assert repr(parse(text.encode())) == repr(value)


@quick
@given(objects, st.randoms(use_true_random=False), st.data())
def test_one_repeated_key_anywhere_in_any_spelling_is_refused_by_name(
    value: dict[str, Any], random: Random, data: st.DataObject
) -> None:
    tree = as_pairs(value)
    target = data.draw(st.sampled_from([found for found in all_objects(tree) if found]))
    key = data.draw(st.sampled_from(target))[0]
    target.insert(data.draw(st.integers(0, len(target))), (key, as_pairs(data.draw(values))))

    with pytest.raises(RepeatedKeyError) as caught:
        parse(written(tree, random).encode())

    assert caught.value.key == key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (rb'{"a":1,"a":2}', "a"),
        (rb'{"a":1,"a":1}', "a"),
        (rb'{"a": 1, "a": 2}', "a"),
        (rb'{"a" :1,"a" :2}', "a"),
        (b'{"a"\t:1,"a":2}', "a"),
        (b'{"a":1,"a"\r\n:2}', "a"),
        (rb'{"a":1,"\u0061":2}', "a"),
        (rb'{"\u0061" : 1 , "a" : 2}', "a"),
        (rb'{"a":"\":","a":2}', "a"),
        (rb'{"a":"x\\","a":2}', "a"),
        (rb'{"\":":1,"\":":2}', '":'),
        (rb'{"\"":1,"\u0022":2}', '"'),
        (rb'{"":1,"":2}', ""),
        (rb'{"x":{"y":[{"a":1},{"a":1,"a":2}]}}', "a"),
        (rb'[[],[{"a":{},"b":[],"a":{}}]]', "a"),
        ('{"ü":1,"\\u00fc":2}'.encode(), "ü"),
        ('{"🐈":1,"\\ud83d\\udc08":2}'.encode(), "🐈"),
    ],
)
def test_a_repeated_key_is_refused_by_name(text: bytes, key: str) -> None:
    with pytest.raises(RepeatedKeyError) as caught:
        parse(text)

    assert caught.value.key == key


@pytest.mark.parametrize(
    "text",
    [
        rb'{"a":1,"b":{"a":1}}',
        rb'[{"a":1},{"a":1}]',
        rb'{"a":"\"a\":1"}',
        rb'{"a" :1,"A" :2}',
        rb'{"a":"a","b":"a"}',
        rb'{"text":"{\"a\":1,\"a\":2}"}',
        '{"é":1,"e\u0301":2}'.encode(),
    ],
)
def test_keys_that_only_look_repeated_are_read(text: bytes) -> None:
    assert parse(text) == json.loads(text)


@pytest.mark.parametrize("nest", [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a": ', b"}]")], ids=["array", "object", "both"])
def test_the_deepest_value_that_is_allowed_is_read(nest: tuple[bytes, bytes]) -> None:
    levels = MAX_DEPTH // len(nest[1])
    text = nest[0] * levels + (b"" if nest[0] == b"[" else b"1") + nest[1] * levels

    assert parse(text) == json.loads(text)


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 1000, 1025, 200_000])
@pytest.mark.parametrize("nest", [(b"[", b"]"), (b'{"a":', b"}")], ids=["array", "object"])
def test_a_value_that_is_nested_too_deep_is_refused(nest: tuple[bytes, bytes], levels: int) -> None:
    with pytest.raises(TooDeepError):
        parse(nest[0] * levels + (b"" if nest[0] == b"[" else b"1") + nest[1] * levels)


@pytest.mark.parametrize(
    "text",
    [
        b"NaN",
        b'{"a": NaN}',
        b"[Infinity]",
        b"[-Infinity]",
        b"1e400",
        b"[-1e400]",
        rb'"\ud800"',
        rb'{"\udc00":1}',
        rb'["\ud83d x"]',
        rb'["\udc08\ud83d"]',
        b'"\xff"',
        b'{"a":"\xc3"}',
        b'"\xed\xa0\x80"',
        b'"\xc0\xaf"',
        b"",
        b"  ",
        b"\xef\xbb\xbf{}",
        b"{}\x00",
        b'"\x00"',
        b'"a\nb"',
        b"{'a':1}",
        b'{"a":1,}',
        b'{"a"\x0b:1}',
        b"[1 2]",
        b"{} {}",
        b"01",
        b"+1",
        b".5",
        b"// no\n1",
    ],
)
def test_what_is_not_json_is_a_plain_value_error(text: bytes) -> None:
    with pytest.raises(ValueError) as caught:
        parse(text)

    assert type(caught.value) is ValueError
    assert str(caught.value)


@pytest.mark.parametrize("number", [2**64 - 1, 2**63, -(2**63), 2**53 + 1])
def test_an_integer_of_64_bits_keeps_every_digit(number: int) -> None:
    assert parse(str(number).encode()) == number


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**30 + 1])
def test_an_integer_beyond_64_bits_is_kept_or_refused(number: int) -> None:
    try:
        value = parse(str(number).encode())
    except ValueError:
        return

    assert repr(value) == str(number)
