"""A module whose import takes a while, and leaves the file ``imported`` where it runs when it is over."""

import time
from pathlib import Path

time.sleep(0.5)
Path("imported").touch()


def imported() -> bool:
    return Path("imported").exists()
