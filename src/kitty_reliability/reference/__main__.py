"""``python -m kitty_reliability.reference``: the reference as a command."""

from __future__ import annotations

import sys

from kitty_reliability.implementations.base import ImplementationError

from .adapter import Reference
from .commands import main

if __name__ == "__main__":
    try:
        reference = Reference()
    except ImplementationError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    raise SystemExit(main(sys.argv[1:], reference))
