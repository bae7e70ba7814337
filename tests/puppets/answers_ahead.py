"""Answers each request, and at once the next one too, before it is asked."""

from speak import reply, requests, write

for request in requests():
    write(reply(request) + reply({**request, "id": request["id"] + 1}))
