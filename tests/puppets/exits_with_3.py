"""Answers, and ends with status 3 when its stdin was closed."""

import sys

from speak import reply, requests, write

for request in requests():
    write(reply(request))
sys.exit(3)
