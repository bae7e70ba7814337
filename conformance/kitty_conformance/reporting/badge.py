"""A badge: whether an implementation conforms, in one small picture."""

from __future__ import annotations

from collections import Counter
from xml.sax.saxutils import escape

from .document import Document
from .view import View

__all__ = ["badge"]

_COLOURS = {"conforms": "#1a7f37", "deviates as known": "#9a6700", "violated": "#cf222e", "undecided": "#9a6700"}
#: The advance of a letter of the face at this size, near enough for text that is centred in its field.
_LETTER = 6.6


def badge(document: Document) -> str:
    """Return the badge as SVG. It says counts, never a percentage."""
    view = View(document)
    counts = Counter(str(one.verdict) for one in view.clauses)
    said = [f"{counts['holds']} of {len(view.clauses)} hold"]
    said += [f"{counts[verdict]} {verdict}" for verdict in ("violated", "undecided") if counts[verdict]]
    if view.state == "no result":
        said = ["no result"]
    left, right = view.header["profile"], ", ".join(said)
    first, second = (round(len(text) * _LETTER) + 14 for text in (left, right))
    title = f"{view.subject}, {left}: {right}"
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{first + second}" height="20" role="img" aria-label="{escape(title, {'"': "&quot;"})}">
<title>{escape(title)}</title>
<clipPath id="r"><rect width="{first + second}" height="20" rx="3"/></clipPath>
<g clip-path="url(#r)"><rect width="{first}" height="20" fill="#444"/><rect x="{first}" width="{second}" height="20" fill="{_COLOURS.get(view.state, "#57606a")}"/></g>
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
<text x="{first / 2}" y="14">{escape(left)}</text><text x="{first + second / 2}" y="14">{escape(right)}</text>
</g>
</svg>
"""
