"""Refuses everything; every line that it is sent is added to the file argv[1], byte for byte."""

import json
import sys
from pathlib import Path

from speak import write

with Path(sys.argv[1]).open("ab") as record:
    for line in sys.stdin.buffer:
        record.write(line)
        record.flush()
        write(json.dumps({"id": json.loads(line)["id"], "refused": {"message": "a puppet"}}) + "\n")
