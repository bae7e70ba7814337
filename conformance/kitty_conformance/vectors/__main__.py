"""``python -m kitty_conformance.vectors write|check``: make the golden vectors, or say which are stale."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from . import stale, write

__all__ = ["main", "register"]


def register(commands: Any) -> None:
    """Add ``kitty-conform vectors``; it has the function that does it as ``action``."""
    about = "Write the golden vectors, or say which files are not what would be written. Exit status: 0 all are, 1 some are not."
    parser = commands.add_parser("vectors", help="write or check the golden vectors", description=about)
    _arguments(parser)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=["write", "check"])
    parser.set_defaults(action=_act)


def _act(options: argparse.Namespace) -> int:
    if options.what == "write":
        for name in write():
            print(f"written: {name}")
        return 0
    found = stale()
    for name in found:
        print(f"stale: {name}; run: python -m kitty_conformance.vectors write", file=sys.stderr)
    return 1 if found else 0


def main(argv: list[str] | None = None) -> int:
    """Do what ``argv`` says (that of the process when None) and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m kitty_conformance.vectors", description=__doc__)
    _arguments(parser)
    return _act(parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
