"""Writes the files a, b and c in the directory argv[1], each whole by a rename.

With argv[2], it goes on after the Nth only when there is a file argv[2] with at least N bytes; else after 50 ms.
"""

import sys
import time
from pathlib import Path

folder, turns = Path(sys.argv[1]), [Path(turn) for turn in sys.argv[2:]]
for number, name in enumerate("abc", start=1):
    temporary = folder.with_name("temporary")
    temporary.write_bytes(name.encode())
    temporary.rename(folder / name)
    if not turns:
        time.sleep(0.05)
    while turns and not (turns[0].exists() and turns[0].stat().st_size >= number):
        time.sleep(0.001)
