"""Replies with a line that is not UTF-8."""

import sys

from speak import requests

for _ in requests():
    sys.stdout.buffer.write(b'{"id": 1, "refused": {"message": "\xff"}}\n')
    sys.stdout.flush()
