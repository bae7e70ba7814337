"""Replies with the text argv[1], whatever was asked; <id> in it stands for the id of the request."""

import sys

from speak import requests, write

for request in requests():
    write(sys.argv[1].replace("<id>", str(request["id"])) + "\n")
