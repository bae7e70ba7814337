"""Implementations by name: ``[kind:]target``, as bowtie names its connectables (conformance-kit).

=========================  =====================================================================
``python:pkg.mod:Name``    a Python object with ``answer(request)``, asked in this process
``exec:./bin/it --flag``   a program, one session for many operations
``once:./bin/it --flag``   the same program, started anew for each operation
``served:SPEC``            a Python implementation, run as a program
``spec-kitty[:TARGET]``    the released CLI; TARGET is a version or the path of the executable
``warm:spec-kitty[:...]``  the same, imported once and forked for each operation (not on Windows)
``mutant:NAME``            a broken variant of the reference (kitty_conformance)
``null:NAME``              a program that knows nothing (kitty_conformance)
``NAME``                   an entry of [tool.kitty.implementations], an entry point, or a hook's
=========================  =====================================================================

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
import shlex
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final

from .base import Implementation, ImplementationError
from .in_process import Answers, InProcess
from .program import Program

__all__ = ["Settings", "connect", "names", "python_subject", "read_settings"]

_GROUP: Final = "kitty.implementations"
_KINDS_GROUP: Final = "kitty.kinds"
_KINDS: Final = ("python:", "exec:", "once:", "served:", "spec-kitty:", "warm:spec-kitty", "mutant:", "null:")
_KEYS: Final = frozenset({"implementation", "implementations", "profile"})


@dataclass(frozen=True, slots=True)
class Settings:
    """``[tool.kitty]`` of a pyproject.toml."""

    implementation: str | None = None
    implementations: Mapping[str, str] = field(default_factory=dict)
    profile: str | None = None


def read_settings(path: Path) -> Settings:
    """Return ``[tool.kitty]`` of the file at ``path``; a missing file or table gives the defaults.

    Raises:
        ImplementationError: unknown keys, wrong types, or a file that is not TOML.
    """
    try:
        tool = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
        table = tool.get("kitty", {}) if isinstance(tool, dict) else tool
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError) as error:
        raise ImplementationError(f"{path}: {error}") from None
    if not isinstance(table, dict):
        raise ImplementationError(f"{path}: [tool.kitty] is no table")
    unknown = sorted(set(table) - _KEYS)
    if unknown:
        known = ", ".join(sorted(_KEYS))
        raise ImplementationError(f"{path}: unknown keys in [tool.kitty]: {', '.join(unknown)}; known: {known}")
    names_ = table.get("implementations", {})
    if not isinstance(names_, dict) or not all(isinstance(value, str) for value in names_.values()):
        raise ImplementationError(f"{path}: [tool.kitty.implementations] maps names to texts")
    for key in ("implementation", "profile"):
        if not isinstance(table.get(key, ""), str):
            raise ImplementationError(f"{path}: [tool.kitty] {key} is a text")
    return Settings(table.get("implementation"), names_, table.get("profile"))


def connect(
    spec: str,
    *,
    settings: Settings | None = None,
    extra: Mapping[str, str | Callable[[], Answers]] | None = None,
) -> Implementation:
    """Return a session on the implementation that ``spec`` names.

    Arguments:
        settings: names of [tool.kitty].
        extra: names from a hook: a spec, or what makes a Python object.

    Raises:
        ImplementationError: nothing has that name, or it cannot be loaded.
    """
    settings = settings or Settings()
    extra = extra or {}
    seen: list[str] = []
    target: str | Callable[[], Answers] = spec
    while isinstance(target, str) and (target in extra or target in settings.implementations):
        if target in seen:
            raise ImplementationError(f"implementation {spec!r} is defined by itself: {' -> '.join(seen)}")
        seen.append(target)
        target = extra[target] if target in extra else settings.implementations[target]
    if not isinstance(target, str):
        return InProcess(target, spec)
    kind, _, rest = target.partition(":")
    if kind in ("exec", "once"):
        return Program(_argv(rest, target), target, per_operation=kind == "once")
    if kind == "spec-kitty":
        return _released(rest, target)
    if kind == "warm":
        named = extra.get(rest, settings.implementations.get(rest, rest))
        kind, _, rest = named.partition(":") if isinstance(named, str) else ("", "", "")
        if kind != "spec-kitty":
            raise ImplementationError(f"{target!r}: only the released command is run warm: warm:spec-kitty[:TARGET]")
        return _released(rest, target, warm=True)
    if kind == "served":
        named = extra.get(rest, settings.implementations.get(rest, rest))
        rest = named if isinstance(named, str) else rest
        python_subject(rest)
        return Program([sys.executable, "-m", "kitty_reliability.implementations.serve", rest], target)
    try:
        return InProcess(python_subject(target), target)
    except ImplementationError as error:
        known = ", ".join(sorted({*names(), *settings.implementations, *extra}))
        raise ImplementationError(f"{error}; known names: {known}; kinds: {', '.join(_KINDS)}") from None


def _released(target: str, spec: str, *, warm: bool = False) -> Implementation:
    from .released import default_directory, find
    from .spec_kitty import SpecKitty

    executable = find(target, default_directory())
    if warm:
        from .warm import interpreter_of

        interpreter_of(executable)
    return SpecKitty(executable, spec=spec, warm=warm)


def names() -> list[str]:
    """Return the names that entry points give, sorted."""
    return sorted({point.name for point in entry_points(group=_GROUP)} | {"spec-kitty"})


def python_subject(spec: str) -> Callable[[], Answers]:
    """Return what makes the Python object that ``spec`` names.

    Raises:
        ImplementationError: no such name, or it cannot be loaded.
    """
    kind, separator, rest = spec.partition(":")
    if kind == "python" and separator:
        return _factory(_load(rest, spec), spec)
    for point in entry_points(group=_KINDS_GROUP):
        if separator and point.name == kind:
            make: Callable[[str], Callable[[], Answers]] = _loaded(point)
            try:
                return make(rest)
            except LookupError as error:
                raise ImplementationError(str(error.args[0])) from None
    for point in entry_points(group=_GROUP):
        if point.name == spec:
            return _factory(_loaded(point), spec)
    raise ImplementationError(f"unknown implementation {spec!r}")


def _loaded(point: EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as error:
        raise ImplementationError(f"entry point {point.name!r} ({point.value}) cannot be loaded: {error}") from error


def _load(target: str, spec: str) -> Any:
    module_name, separator, path = target.partition(":")
    if not separator:
        raise ImplementationError(f"{spec!r} names no object; write python:package.module:Name")
    # A module beside the tests is found as it is by `python -m`.
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = import_module(module_name)
        for name in path.split("."):
            found = getattr(found, name)
    except Exception as error:
        raise ImplementationError(f"{spec!r} cannot be loaded: {type(error).__name__}: {error}") from error
    return found


def _factory(found: Any, spec: str) -> Callable[[], Answers]:
    if isinstance(found, type) or (callable(found) and not hasattr(found, "answer")):
        return found  # type: ignore[no-any-return]
    if not hasattr(found, "answer"):
        raise ImplementationError(f"{spec!r} has no method answer(request)")
    return lambda: found


def _argv(text: str, spec: str) -> list[str]:
    try:
        argv = shlex.split(text, posix=os.name != "nt")
    except ValueError as error:
        raise ImplementationError(f"{spec!r} is not a command line: {error}") from None
    if not argv:
        raise ImplementationError(f"{spec!r} names no program")
    return argv
