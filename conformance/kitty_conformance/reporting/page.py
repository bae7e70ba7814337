"""The report as one page of HTML that needs nothing else: no script, no request, light and dark, any width."""

from __future__ import annotations

from importlib.resources import files

from .document import Document
from .view import View

__all__ = ["page"]


def page(document: Document) -> str:
    """Return the page. Jinja escapes every value; the page's own policy forbids scripts and requests."""
    # Not at the top: a run that writes no page does not load a template engine.
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = files("kitty_conformance.reporting").joinpath("page.html.j2").read_text(encoding="utf-8")
    return environment.from_string(text).render(view=View(document)) + "\n"
