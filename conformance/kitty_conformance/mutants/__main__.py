"""``python -m kitty_conformance.mutants NAME COMMAND``: a mutant as a command."""

from __future__ import annotations

import sys

from kitty_reliability.reference.commands import main

from . import create

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[2:], create(sys.argv[1])()))
