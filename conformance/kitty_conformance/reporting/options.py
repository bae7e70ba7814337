"""Where the reports of a run go."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from .badge import badge
from .document import Document
from .junit import junit
from .markdown import markdown
from .page import page

__all__ = ["add", "given", "problem", "put", "unwritable", "write"]

_FORMS: dict[str, tuple[Callable[[Document], str], str]] = {
    "junit": (junit, "as JUnit XML"),
    "markdown": (markdown, "as Markdown"),
    "html": (page, "as one HTML page"),
    "badge": (badge, "as an SVG badge"),
}


def add(command: argparse.ArgumentParser) -> None:
    """Add the options to the command."""
    group = command.add_argument_group("reports", "Each goes to a FILE, about one implementation.")
    group.add_argument("--report-json", type=Path, metavar="FILE", help="as JSON lines (kitty-conform schema report)")
    for name, (_, words) in _FORMS.items():
        group.add_argument(f"--report-{name}", type=Path, metavar="FILE", help=words)


def given(options: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """Return the options that were given, name and file."""
    for name in ("json", *_FORMS):
        path = getattr(options, f"report_{name}")
        if path is not None:
            yield f"--report-{name}", path


def problem(options: argparse.Namespace) -> str | None:
    """Return why a report cannot be written where it is wanted: that is better known before the run."""
    folder = options.reproductions
    if folder is not None and (not folder.is_dir() if os.path.lexists(folder) else not folder.parent.is_dir()):
        return f"--reproductions: {folder} cannot be made; name a directory, or a new one in a directory that is there"
    if len(options.implementation) > 1 and (any(given(options)) or options.reproductions is not None):
        return "a report is about one implementation; name one"
    for name, path in given(options):
        if said := unwritable(name, path):
            return said
    if options.report_json is not None and options.report_json.exists() and not options.report_json.is_file():
        return f"--report-json: {options.report_json} is no regular file; it is read again when the run is over"
    return None


def unwritable(option: str, path: Path) -> str | None:
    """Return why the file that an option names cannot be written, as far as that is seen before."""
    if path.is_dir() or not path.parent.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        return f"{option}: {path} cannot be written; name a file in a directory that is there"
    return None


def put(option: str, path: Path, text: str) -> list[str]:
    """Write the file that an option names; return why it cannot be, if so."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        return [f"{option}: {path}: {error.strerror}; name a file that can be written"]
    return []


def write(options: argparse.Namespace, document: Document) -> list[str]:
    """Write every form that was asked for but the JSON lines, which are written as they come; return what cannot be."""
    wanted = [(name, draw, getattr(options, f"report_{name}")) for name, (draw, _) in _FORMS.items()]
    return [
        said
        for name, draw, path in wanted
        if path is not None
        for said in put(f"--report-{name}", path, draw(document))
    ]
