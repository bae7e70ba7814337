"""Answers once, then reads requests and says nothing; has a child, whose process id is in the file argv[1]."""

import sys
import time

from speak import leave_a_child, reply, requests, write

leave_a_child(sys.argv[1])
for number, request in enumerate(requests()):
    if number == 0:
        write(reply(request))
    else:
        time.sleep(120)
