"""Adds a byte to the file argv[1] every millisecond, until stdin ends."""

import select
import sys
from pathlib import Path

with Path(sys.argv[1]).open("ab", buffering=0) as file:
    while not select.select([sys.stdin], [], [], 0.001)[0]:
        file.write(b".")
