"""Writes the signatures on ``docs/library.md`` and on the pages in ``docs/fixtures`` from the code: ``make docs``.

Between two comments of a page stands what this program made of the first one:

    <!-- signatures: kitty_reliability.build.mission:mission kitty_reliability.faults.moments -->
    <!-- end of signatures -->

A module alone is all that its ``__all__`` has. After ``machinery:`` stand modules that are named and not promised.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import pkgutil
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from enum import Enum, EnumType
from itertools import pairwise, takewhile
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final

DOCS: Final = Path(__file__).parent
PACKAGES: Final = ("kitty_reliability.build", "kitty_reliability.faults", "kitty_reliability.observe")

_PART: Final = re.compile(r"(<!-- (signatures|machinery):([^>]*?)-->\n).*?(<!-- end of signatures -->)", re.DOTALL)
_WIDTH: Final = 110
_ENDLESS: Final = 10_000
#: What the decorator of damage verbs makes of the types of the function below it.
_DECORATED: Final = {"Lines": "Path | EventLog", "_Told": "Damage", "Told": "Damage"}


def main() -> None:
    """Rewrite every page that is not as the code is."""
    for page in [DOCS / "library.md", *sorted((DOCS / "fixtures").glob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        new = fresh(text)
        if new != text:
            page.write_text(new, encoding="utf-8", newline="\n")


def fresh(text: str) -> str:
    """Return the text of a page with the signatures that the code has now."""

    def part(match: re.Match[str]) -> str:
        opening, kind, words, end = match.groups()
        made = _signatures(words.split()) if kind == "signatures" else _machinery(words.split())
        return f"{opening}\n{made.strip()}\n\n{end}"

    return _PART.sub(part, text)


def missing(texts: list[str]) -> list[str]:
    """Return the public names of ``PACKAGES``, as ``module:name``, that no page shows."""
    shown: list[Any] = []
    machinery: set[str] = set()
    for _, kind, words, _ in (match.groups() for text in texts for match in _PART.finditer(text)):
        if kind == "machinery":
            machinery.update(words.split())
        else:
            shown += [getattr(module, name) for module, name in _named(words.split())]
    absent = []
    for module in _modules():
        for name in () if module.__name__ in machinery else module.__all__:
            # A name may stand in two modules; it is shown when one of them is.
            if not any(getattr(module, name) is value for value in shown):
                absent.append(f"{module.__name__}:{name}")
    return absent


def _modules() -> Iterator[ModuleType]:
    """Yield the modules that say what of them is public."""
    for package in map(importlib.import_module, PACKAGES):
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(found.name)
            if not found.ispkg and hasattr(module, "__all__"):
                yield module


def _named(words: list[str]) -> Iterator[tuple[ModuleType, str]]:
    for word in words:
        place, _, name = word.partition(":")
        module = importlib.import_module(place)
        for one in [name] if name else module.__all__:
            yield module, one


# --- what stands on a page


def _machinery(words: list[str]) -> str:
    lines = []
    for module in map(importlib.import_module, words):
        names = ", ".join(f"`{name}`" for name in module.__all__)
        lines.append(f"- `{module.__name__}`: {_about(module)[0]} Names: {names}.")
    return "\n".join(lines)


def _signatures(words: list[str]) -> str:
    parts, place = [], ""
    for module, name in _named(words):
        if module.__name__ != place:
            place = module.__name__
            parts.append(f"### From `{place}`")
        parts.append(_entry(module, name))
    return "\n\n".join(parts)


def _entry(module: ModuleType, name: str) -> str:
    value = getattr(module, name)
    title = f"#### `{name}`"
    if isinstance(value, EnumType):
        return f"{title}\n\n{_described(value)}\n\n{_members(value)}"
    if isinstance(value, type):
        return "\n\n".join(filter(None, [title, _constructor(value), _described(value), _attributes(value)]))
    if isinstance(value, FunctionType):
        return f"{title}\n\n```text\n{_call(name, value)}\n```\n\n{_described(value)}"
    return f"{title}\n\n{_comment(module, name)}\n\n{_content(value)}".rstrip()


def _constructor(cls: type) -> str:
    # What is only handed out has no arguments to tell of; of an error the text is all.
    made = is_dataclass(cls) or hasattr(cls, "_fields") or "Arguments:" in (cls.__doc__ or "")
    if issubclass(cls, Exception) or not made:
        return ""
    return f"```text\n{_shown(cls.__name__, inspect.signature(cls).replace(return_annotation=inspect.Signature.empty))}\n```"


def _described(value: object, indent: str = "") -> str:
    about, arguments, raises = _about(value)
    said = [about]
    for title, items in (("", arguments), ("Raises ", raises)):
        said += [f"{indent}- {title}`{name}`: {text}" for name, text in items]
    return "\n".join(said[:1] + ([""] if not indent and len(said) > 1 else []) + said[1:])


def _attributes(cls: type) -> str:
    # Another bullet than that of the arguments: it begins a list of its own.
    lines = []
    for name, value in vars(cls).items():
        if name.startswith("_"):
            continue
        if isinstance(value, property):
            kind = _type(inspect.signature(value.fget).return_annotation) if value.fget else ""
            lines.append(f"* `.{name}: {kind}`: {_described(value, '  ')}")
        elif isinstance(value, (FunctionType, classmethod)):
            function = value.__func__ if isinstance(value, classmethod) else value
            if function.__name__ != name:
                lines.append(f"* `.{name}`: the same as `.{function.__name__}`")
                continue
            call = _call(f".{name}", function, bound=True, width=_ENDLESS)
            lines.append(f"* `{call}`: {_described(function, '  ')}")
    base = next((one.__name__ for one in cls.__bases__ if one.__module__.startswith(PACKAGES)), None)
    if base and not issubclass(cls, Exception):
        lines.insert(0, f"* what `{base}` has")
    return "\n".join(lines)


def _members(cls: type[Enum]) -> str:
    said = _comments_below(cls)
    return "\n".join(f"- `{one.value}`" + (f": {said[one.name]}" if one.name in said else "") for one in cls)


def _content(value: object) -> str:
    if isinstance(value, Mapping):
        about = {str(key): getattr(item, "about", "") for key, item in value.items()}
        if all(about.values()):
            return "\n".join(f"- `{key}`: {text}" for key, text in about.items())
        # Functions have entries of their own, and stand in the order in which modules were loaded.
        functions = any(isinstance(item, FunctionType) for item in value.values())
        names = (" -> ".join(key) if isinstance(key, tuple) else str(key) for key in value)
        return "" if functions else ", ".join(f"`{name}`" for name in names)
    if isinstance(value, tuple):
        if any(isinstance(item, FunctionType) for item in value):
            return ""
        return ", ".join(f"`{item}`" for item in value)
    text = value if isinstance(value, str) else _default(value)
    return "" if text == "..." else f"`{text}`"


# --- calls


def _call(name: str, function: FunctionType, *, bound: bool = False, width: int = _WIDTH) -> str:
    """Return how a function is called; of a context manager, how it is entered."""
    inner = inspect.signature(function)
    if bound:
        inner = inner.replace(parameters=list(inner.parameters.values())[1:])
    shown = _shown(name, inner, width)
    if function.__code__.co_filename == contextlib.__file__:
        head, _, kind = shown.rpartition(" -> ")
        return f"with {head} as {kind.removeprefix('Iterator[').removesuffix(']')}"
    return shown


def _shown(name: str, signature: inspect.Signature, width: int = _WIDTH) -> str:
    """Return a signature in one line, or with a line for each argument when that is too long."""
    words: list[str] = []
    last: Any = None
    for one in signature.parameters.values():
        if last is one.POSITIONAL_ONLY and one.kind is not last:
            words.append("/")
        if one.kind is one.KEYWORD_ONLY and last not in (one.KEYWORD_ONLY, one.VAR_POSITIONAL):
            words.append("*")
        last = one.kind
        words.append(_parameter(one))
    kind = signature.return_annotation
    returned = "" if kind is signature.empty else f" -> {_type(kind)}"
    line = f"{name}({', '.join(words)}){returned}"
    if len(line) <= width:
        return line
    return f"{name}(\n" + "".join(f"    {word},\n" for word in words) + f"){returned}"


def _parameter(one: inspect.Parameter) -> str:
    stars = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
    kind = "" if one.annotation is one.empty else f": {_type(one.annotation)}"
    return f"{stars}{one.name}{kind}" + ("" if one.default is one.empty else f" = {_default(one.default)}")


def _type(annotation: object) -> str:
    text = getattr(annotation, "__forward_arg__", annotation)
    text = text if isinstance(text, str) else inspect.formatannotation(text)
    return _DECORATED.get(text, text)


def _default(value: object) -> str:
    if isinstance(value, Enum):
        return repr(value.value)
    if value is None or isinstance(value, (bool, int, float, str, bytes, tuple)):
        return repr(value)
    text = repr(value)
    return text.replace("datetime.", "") if text.startswith("datetime.") else "..."


# --- docstrings and comments

_SECTION: Final = re.compile(r"^(Arguments|Raises|Example:?):\n", re.MULTILINE)
_ITEM: Final = re.compile(r"^    (?=\S)", re.MULTILINE)


def _about(value: object) -> tuple[str, list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the first paragraph of a docstring, its arguments and its errors."""
    text = inspect.cleandoc(value.__doc__ or "") + "\n"
    before, *sections = _SECTION.split(text)
    items = dict(zip(sections[::2], sections[1::2], strict=True))
    return (
        _markdown(before.split("\n\n")[0]),
        [*_items(items.get("Arguments", ""))],
        [*_items(items.get("Raises", ""))],
    )


def _items(section: str) -> Iterator[tuple[str, str]]:
    # What is not indented any more is text behind the section.
    inside = section.split("\n\n")[0]
    for item in _ITEM.split(inside)[1:]:
        name, _, text = item.partition(": ")
        yield name, _markdown(text)


def _markdown(text: str) -> str:
    pieces = " ".join(text.split()).split("``")
    return "".join(f"`{piece}`" if number % 2 else piece.replace("<", "&lt;") for number, piece in enumerate(pieces))


def _comment(module: ModuleType, name: str) -> str:
    """Return the comment, after ``#:``, above a constant, in the module where it is assigned."""
    value = getattr(module, name)
    ours = [one for place, one in sys.modules.items() if place.startswith("kitty_reliability.")]
    homes = [one for one in ours if vars(one).get(name) is value]
    for lines in (inspect.getsource(one).splitlines() for one in [module, *homes]):
        for at, line in enumerate(lines):
            if re.match(rf"{name}\b.*=", line):
                above = takewhile(lambda said: said.startswith("#:"), reversed(lines[:at]))
                return _markdown(" ".join(said.removeprefix("#:") for said in reversed([*above])))
    return ""


def _comments_below(cls: type) -> dict[str, str]:
    """Return name -> the text below it, of the members of a class."""
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0].body
    said = {}
    for member, text in pairwise(body):
        if isinstance(member, ast.Assign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            said[member.targets[0].id] = _markdown(str(text.value.value))
    return said


if __name__ == "__main__":
    main()
