"""Writes its reply in two pieces with a pause between them."""

import time

from speak import reply, requests, write

for request in requests():
    line = reply(request)
    write(line[:12])
    time.sleep(0.3)
    write(line[12:])
