"""``python -m kitty_conformance.mutants NAME COMMAND``: a mutant as a command."""

from __future__ import annotations

import sys

from kitty_reliability.reference.commands import main

from . import create
from .late import Late

if __name__ == "__main__":
    made = create(sys.argv[1])()
    raise SystemExit(made.run(sys.argv[2:]) if isinstance(made, Late) else main(sys.argv[2:], made))
