"""Takes a second before it reads its first request."""

import time

from speak import reply, requests, write

time.sleep(1)
for request in requests():
    write(reply(request))
