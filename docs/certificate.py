"""Writes docs/certificate.md and caught.json, the proof of the suite that was last made: ``make certificate``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from kitty_conformance.command import main

PAGE = Path(__file__).with_name("certificate.md")
CAUGHT = PAGE.parent.parent / "conformance" / "kitty_conformance" / "caught.json"
WORDS = """# What the suite is proven to catch

`kitty-conform certify` runs the suite against the reference, which has to conform; against programs that know nothing
(they refuse, accept, forget, echo or crash), for which no clause may hold; and against every mutant, the reference with
one mistake, which its own scenario has to catch with its own finding. Being caught elsewhere does not count.

`caught.json` says of each assertion of the suite who has to be caught there: a mutant, a null, or the reference that goes
wrong at the Nth thing it is asked (`mutant:KIND@N`). An assertion that is gone, or that somebody gets past, is a fault of
the certificate. Where nobody is known the file says `null`: such an assertion is known to be there, and not to be needed.

That is bounded sensitivity to the mistakes below. It is no proof that the suite finds every mistake.

"""


def write() -> int:
    """Make the certificate and write the page, when there is nothing wrong with it."""
    with tempfile.TemporaryDirectory() as directory:
        table = Path(directory) / "table.md"
        caught = Path(directory) / "caught.json"
        status = main(["certify", "--table", str(table), "--caught", str(caught)])
        if status == 0:
            CAUGHT.write_bytes(caught.read_bytes())
            PAGE.write_text(WORDS + table.read_text(encoding="utf-8"), encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(write())
