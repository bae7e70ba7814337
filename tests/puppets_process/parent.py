"""Starts holds_lock.py with argv[1] and argv[2]; with argv[3] "leaves", it ends once the lock is held."""

import subprocess
import sys
import time
from pathlib import Path

child = [sys.executable, str(Path(__file__).with_name("holds_lock.py")), *sys.argv[1:3]]
process = subprocess.Popen(child)
while not Path(sys.argv[2]).exists():
    time.sleep(0.005)
if sys.argv[3:] != ["leaves"]:
    process.wait()
