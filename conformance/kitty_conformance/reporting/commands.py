"""``kitty-conform compare`` and ``kitty-conform explain``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from kitty_conformance.exit_status import refuse

from .document import ReportError, read_report

__all__ = ["register"]


def register(commands: Any) -> None:
    """Add the subcommands; each has the function that does it as ``action``."""
    compare = commands.add_parser(
        "compare",
        help="say what is different between two runs",
        description="Say what is different between two reports that --report-json wrote. "
        "Exit status: 0 nothing got worse, 1 something did, 3 a report cannot be read or is not whole.",
    )
    compare.add_argument("old", type=Path, metavar="OLD")
    compare.add_argument("new", type=Path, metavar="NEW")
    compare.set_defaults(action=_compare)
    explain = commands.add_parser(
        "explain",
        help="explain a clause, a scenario, a finding or a diagnostic code",
        description="Explain a clause (STA-001), a scenario (test_...), a finding (glued-line) or a diagnostic code.",
    )
    explain.add_argument("id", metavar="ID")
    explain.set_defaults(action=_explain)


def _compare(options: argparse.Namespace) -> int:
    from .comparing import compare

    try:
        lines, worse = compare(read_report(options.old), read_report(options.new))
    except ReportError as error:
        return refuse(error)
    print("\n".join(lines))
    return 1 if worse else 0


def _explain(options: argparse.Namespace) -> int:
    from .explaining import explain, known_ids

    text = explain(options.id)
    if text is None:
        near = known_ids(options.id)
        hint = f"; did you mean {', '.join(near)}?" if near else "; clauses look like STA-001"
        return refuse(f"nothing is called {options.id!r}{hint}")
    print(text)
    return 0
