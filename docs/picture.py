"""Draws ``docs/conformance.svg`` from the real output of a run; ``make picture`` takes some minutes.

It drives the released command through the clauses of a status transition and of reading the log.
"""

from __future__ import annotations

import io
import subprocess
import sys

from rich.console import Console
from rich.text import Text

CLAUSES = ("STA-001", "STA-002", "STA-003", "STA-009", "LOG-003", "LOG-006")
COMMAND = ["kitty-conform", "run", "--install", "spec-kitty"]


def main() -> None:
    """Run the command and draw what it printed."""
    clauses = [word for clause in CLAUSES for word in ("--clause", clause)]
    done = subprocess.run(
        [sys.executable, "-m", "kitty_conformance.command", *COMMAND[1:], *clauses, "--seed", "1", "--", "--color=yes"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if "clauses: spec-kitty" in line)
    console = Console(record=True, width=118, file=io.StringIO())
    shown = " ".join([*COMMAND, *clauses])
    console.print(Text(f"$ {shown}", style="bold"))
    for line in lines[start:]:
        # Blanks at the start of a line would be lost in the drawing.
        indented = "\u00a0" * (len(line) - len(line.lstrip(" "))) + line.lstrip(" ")
        console.print(Text.from_ansi(indented), overflow="ellipsis", no_wrap=True)
    console.save_svg("docs/conformance.svg", title="kitty-conform")


if __name__ == "__main__":
    main()
