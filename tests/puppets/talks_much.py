"""Replies with a valid answer of at least argv[1] bytes."""

import sys

from speak import reply, requests, write

for request in requests():
    write(reply(request, much="x" * int(sys.argv[1])))
