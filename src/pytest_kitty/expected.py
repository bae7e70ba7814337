"""Failures that are known: ``@pytest.mark.kitty_xfail("LOG-003", link="https://...", reason="...")``. PYTEST_DONT_REWRITE"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

import pytest

from .report import FAMILIES

__all__ = ["expect"]

_ID = re.compile(r"(?P<family>[A-Z]+)-[0-9]{3}", re.ASCII)
_FORM = '@pytest.mark.kitty_xfail("LOG-003", link="https://...", reason="...")'


def expect(item: pytest.Item, decides: Sequence[str]) -> None:
    """Expect ``item`` to fail as its closest ``kitty_xfail`` says; ``decides`` are the clauses it is marked with.

    An assertion has to fail. A test that errs in another way has found something else, and one that passes is told so.

    Raises:
        pytest.UsageError: the marker lacks something, or names no clause that the test could be about.
    """
    from .plugin import expected_key

    mark = item.get_closest_marker("kitty_xfail")
    assert mark is not None
    texts = (*mark.args, *mark.kwargs.values())
    if len(mark.args) != 1 or set(mark.kwargs) != {"link", "reason"} or not all(map(_says_something, texts)):
        raise pytest.UsageError(f"{item.nodeid}: write {_FORM}")
    clause, link, reason = mark.args[0], mark.kwargs["link"], mark.kwargs["reason"]
    if re.fullmatch(r"https?://[^\s/]+\S*", link) is None:
        raise pytest.UsageError(f"{item.nodeid}: kitty_xfail: {link!r} is no link; name the page that tracks {clause}")
    if problem := _unknown(clause, decides):
        raise pytest.UsageError(f"{item.nodeid}: kitty_xfail: {problem}")
    item.stash[expected_key] = {"reason": reason, "link": link}
    failures = (AssertionError, pytest.fail.Exception)
    item.add_marker(
        pytest.mark.xfail(reason=f"{clause}: {reason} ({link})", strict=True, raises=failures), append=False
    )


def _says_something(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _unknown(clause: str, decides: Sequence[str]) -> str | None:
    """Return why ``clause`` cannot be meant. The catalogue is the suite's, so a number is known by its marker only."""
    if decides:
        return None if clause in decides else f"the test decides {', '.join(decides)}, not {clause!r}"
    form = _ID.fullmatch(clause)
    if form is not None and form["family"] in FAMILIES:
        return None
    near = get_close_matches(clause.partition("-")[0].upper(), FAMILIES, n=3, cutoff=0.5) or FAMILIES
    return f"no clause is called {clause!r}; near: {', '.join(f'{family}-...' for family in near)}"
