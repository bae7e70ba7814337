"""Answers; has a child in another session that keeps stdin, stdout and stderr open for minutes."""

import sys

from speak import leave_a_child, reply, requests, write

leave_a_child(sys.argv[1], start_new_session=True)
for request in requests():
    write(reply(request))
