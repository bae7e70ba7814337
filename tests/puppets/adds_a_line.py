"""Answers, and says one thing more when its stdin was closed."""

from speak import reply, requests, write

for request in requests():
    write(reply(request))
write("goodbye\n")
