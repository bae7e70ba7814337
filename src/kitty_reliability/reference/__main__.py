"""``python -m kitty_reliability.reference``: the reference as a command."""

from __future__ import annotations

import sys

from .adapter import Reference
from .commands import main

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], Reference()))
