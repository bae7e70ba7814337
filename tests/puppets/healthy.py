"""No fault: answers every request, and says its process id, what it was asked and what KITTY_PUPPET is."""

import os

from speak import reply, requests, write

for request in requests():
    extra = os.environ.get("KITTY_PUPPET", "")
    write(reply(request, asked=f"{request['operation']} {request.get('mission')}", extra=extra))
