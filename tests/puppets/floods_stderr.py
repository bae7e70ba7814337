"""Writes 4 MB to stderr before each reply."""

import sys

from speak import reply, requests, write

for request in requests():
    for _ in range(4096):
        sys.stderr.write("y" * 1023 + "\n")
    sys.stderr.flush()
    write(reply(request))
