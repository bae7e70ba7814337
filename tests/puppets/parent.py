"""Answers; has a child that would run for minutes, whose process id is written to the file argv[1]."""

import sys

from speak import leave_a_child, reply, requests, write

leave_a_child(sys.argv[1])
for request in requests():
    write(reply(request))
