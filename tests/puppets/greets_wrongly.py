"""Answers hello with an answer of the wrong shape, and everything else as it should."""

import json

from speak import reply, requests, write

for request in requests():
    wrong = json.dumps({"id": request["id"], "ok": {"nothing": 1}}) + "\n"
    write(wrong if request["operation"] == "hello" else reply(request))
