"""Writes docs/certificate.md, the proof of the suite that was last made: ``make certificate``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from kitty_conformance.command import main

PAGE = Path(__file__).with_name("certificate.md")
WORDS = """# What the suite is proven to catch

`kitty-conform certify` runs the suite against the reference, which has to conform; against programs that know nothing
(they refuse, accept, forget, echo or crash), for which no clause may hold; and against every mutant, the reference with
one mistake, which its own scenario has to catch with its own finding. Being caught elsewhere does not count.

That is bounded sensitivity to the mistakes below. It is no proof that the suite finds every mistake.

"""


def write() -> int:
    """Make the certificate and write the page, when there is nothing wrong with it."""
    with tempfile.TemporaryDirectory() as directory:
        table = Path(directory) / "table.md"
        status = main(["certify", "--table", str(table)])
        if status == 0:
            PAGE.write_text(WORDS + table.read_text(encoding="utf-8"), encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(write())
