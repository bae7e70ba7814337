"""Answers, and goes on running when its stdin was closed."""

import time

from speak import reply, requests, write

for request in requests():
    write(reply(request))
time.sleep(120)
