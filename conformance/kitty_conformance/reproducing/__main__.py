"""``python -m kitty_conformance.reproducing REPORT DIRECTORY FOUND [PYTEST ARGUMENT...]``: in a process of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from kitty_conformance.exit_status import refuse
from kitty_conformance.reporting.document import read_report

from .folders import reproduce

if __name__ == "__main__":
    report, directory, found, *arguments = sys.argv[1:]
    try:
        reproduced = reproduce(read_report(Path(report)), Path(directory), arguments)
    except OSError as error:
        raise SystemExit(refuse(f"--reproductions: {error.filename}: {error.strerror}")) from None
    Path(found).write_text(json.dumps(reproduced), encoding="utf-8")
