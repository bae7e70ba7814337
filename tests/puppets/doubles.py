"""Answers every request twice."""

from speak import reply, requests, write

for request in requests():
    write(reply(request) * 2)
