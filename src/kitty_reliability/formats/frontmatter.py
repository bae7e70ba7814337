"""YAML between two ``---`` lines at the head of a Markdown file (interop: sections 1.3, 1.6; SEC-005).

Read with libyaml where it is there, by the rules of YAML 1.2: ``yes`` is a text and a date is a text. Repeated
keys, aliases that expand, tags of a language and extreme size or depth are errors, in bounded time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import yaml

__all__ = ["MAX_BYTES", "FrontmatterError", "join", "parse_yaml", "split"]

#: Frontmatter larger than this is refused unread; the largest real one has some ten kB.
MAX_BYTES: Final = 1024 * 1024
_MAX_DEPTH: Final = 32

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class FrontmatterError(ValueError):
    """The frontmatter of a file cannot be read; the text says why."""


class _Loader(_Base):  # type: ignore[misc]
    yaml_implicit_resolvers: Final[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str | int | float | bool | type(None)):
                raise FrontmatterError("a key is not a scalar")
            if key in found:
                raise FrontmatterError(f"key {key!r} twice")
            found[key] = self.construct_object(value_node, deep=deep)
        return found


def _resolver(tag: str, pattern: str, first: str) -> None:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


_resolver("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_resolver("null", r"^(?:~|null|Null|NULL|)$", "~nN\0")
_resolver("int", r"^[-+]?[0-9]+$", "-+0123456789")
_resolver("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789")
# An empty plain scalar has no first character to look the resolver up by.
_Loader.yaml_implicit_resolvers.setdefault("", []).append(("tag:yaml.org,2002:null", re.compile(r"^$")))


def _construct_int(loader: Any, node: Any) -> int:
    text = loader.construct_scalar(node)
    if len(text) > 400:
        raise FrontmatterError("an integer of more than 400 digits")
    return int(text)


_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)
_Loader.add_constructor(
    "tag:yaml.org,2002:map",
    lambda loader, node: loader.construct_mapping(node, deep=True),
)


def split(text: str) -> tuple[str, str] | None:
    """Return the YAML and the body of a file's ``text``; None when it has no frontmatter.

    The first line is ``---``; the next line that is ``---``, blanks aside, closes.
    """
    lines = text.split("\n")
    if lines[0].strip() != "---":
        return None
    for number in range(1, len(lines)):
        if lines[number].strip() == "---":
            return "\n".join(lines[1:number]), "\n".join(lines[number + 1 :])
    return None


def parse_yaml(text: str) -> dict[str, Any]:
    """Return the mapping of one YAML document.

    Raises:
        FrontmatterError: not YAML, not a mapping, or refused (see the module).
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise FrontmatterError(f"larger than {MAX_BYTES} bytes")
    try:
        _require_plain(text)
        loader = _Loader(text)
        try:
            value = loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise FrontmatterError(f"{getattr(error, 'problem', None) or error}{where}") from None
    except RecursionError:
        raise FrontmatterError("nested too deep") from None
    except ValueError as error:
        raise FrontmatterError(str(error)) from None
    if not isinstance(value, dict):
        raise FrontmatterError("not a mapping")
    return value


def _require_plain(text: str) -> None:
    """Look at the events of a document first: building a deep or tagged one can cost the process its life."""
    depth = 0
    for event in yaml.parse(text, Loader=_Base):
        if isinstance(event, yaml.AliasEvent):
            raise FrontmatterError("an alias; write the value out")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise FrontmatterError(f"a tag, {tag}; write the value plainly")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                raise FrontmatterError(f"nested deeper than {_MAX_DEPTH} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def join(values: Mapping[str, Any], body: str) -> str:
    """Return a file's text: ``values`` as frontmatter in their order, then ``body``.

    Texts that YAML could take for something else are quoted; lists are blocks that are not indented.

    Raises:
        TypeError: a value that is none of text, number, bool, None, list, mapping.
        UnicodeEncodeError: a text with a lone surrogate, which no file can hold.
    """
    lines = ["---"]
    for key, value in values.items():
        _emit(lines, str(key), value)
    lines.append("---")
    text = "\n".join(lines) + "\n" + body
    text.encode("utf-8")
    return text


_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./ -]*\Z")
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def _emit(lines: list[str], key: str, value: Any) -> None:
    if isinstance(value, list | tuple):
        lines.append(f"{key}:" if value else f"{key}: []")
        lines.extend(f"- {_inline(item)}" for item in value)
    else:
        lines.append(f"{key}: {_inline(value)}".rstrip())


def _inline(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping | list):
        return _flow(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return json.dumps(value)
    raise TypeError(f"frontmatter cannot hold {type(value).__name__}")


@lru_cache(maxsize=1024)
def _text(value: str) -> str:
    if _PLAIN.match(value) and value == value.rstrip() and value.lower() not in _WORDS:
        return value
    return _flow(value)


#: What JSON leaves as it is in a string and YAML does not take, or takes for the end of a line.
_ESCAPED: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_encode: Final = json.JSONEncoder(ensure_ascii=False).encode


def _flow(value: Any) -> str:
    """Return ``value`` as JSON, which is YAML too but for a few characters."""
    text = _encode(value)
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
