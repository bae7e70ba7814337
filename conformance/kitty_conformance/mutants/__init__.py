"""Broken variants of the reference. Each makes one mistake, preferably one that people really made.

A mutant is a class with the sentence of its mistake as docstring, and what has to catch it: the clause, the
scenario and the finding. It proves that the suite is sensitive to that mistake; it proves nothing more.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from pkgutil import iter_modules

from .base import Mutant, Reference

__all__ = ["Mutant", "create", "mutants"]


def mutants() -> dict[str, type[Mutant]]:
    """Return every mutant by its name."""
    modules = [name for _, name, _ in iter_modules(__path__) if name not in ("base", "late", "__main__")]
    found = [mutant for name in modules for mutant in import_module(f".{name}", __name__).MUTANTS]
    return {mutant.name: mutant for mutant in found}


def create(name: str) -> Callable[[], Reference]:
    """Return what makes the mutant called ``name``, the variant, or ``KIND@N`` of ``late``; LookupError with its like otherwise."""
    if "@" in name:
        from . import late

        return late.create(name)
    from .sync_field import VARIANTS

    known: dict[str, Callable[[], Reference]] = {**mutants(), **{variant.name: variant for variant in VARIANTS}}
    if name not in known:
        like = [one for one in known if name and name in one] or get_close_matches(name, known)
        told = (
            f"did you mean {' or '.join(map(repr, like[:5]))}?"
            if like
            else "`kitty-conform certify --table FILE` names all"
        )
        raise LookupError(f"unknown mutant {name!r}; {told}")
    return known[name]
