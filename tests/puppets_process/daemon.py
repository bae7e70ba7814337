"""Ends, and leaves holds_lock.py with argv[1] and argv[2] in a session of its own, which keeps stdout open."""

import subprocess
import sys
import time
from pathlib import Path

child = [sys.executable, str(Path(__file__).with_name("holds_lock.py")), *sys.argv[1:3]]
subprocess.Popen(child, start_new_session=True)
while not Path(sys.argv[2]).exists():
    time.sleep(0.005)
print("started")
