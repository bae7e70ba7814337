"""Takes the lock of the file argv[1], writes the file argv[2] when it has it, and keeps it for minutes."""

import sys
import time
from pathlib import Path

from filelock import FileLock

with FileLock(sys.argv[1]):
    Path(sys.argv[2]).touch()
    time.sleep(120)
