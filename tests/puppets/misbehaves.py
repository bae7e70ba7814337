"""The reference, but that it does argv[1] at one request for a state: the first for which no file argv[2] is there."""

import json
import os
import sys
import time
from pathlib import Path

from speak import requests, write

from kitty_reliability.implementations.protocol import REQUEST, Outcome
from kitty_reliability.reference.adapter import Reference

FAULT, DONE = sys.argv[1], Path(sys.argv[2])
if FAULT == "slow-start":
    time.sleep(2)
subject = Reference()


def answer(number: int, outcome: Outcome) -> str:
    return json.dumps({"id": number, str(outcome.kind): dict(outcome.value)})


for message in requests():
    number = message.pop("id")
    outcome = subject.answer(REQUEST.validate_python(message))
    line = answer(number, outcome)
    if message["operation"] != "state" or DONE.exists():
        write(line + "\n")
        continue
    DONE.touch()
    match FAULT:
        case "hang":
            time.sleep(120)
        case "crash":
            sys.exit(3)
        case "signal":
            os.abort()
        case "split":
            write(line[:12])
            time.sleep(0.3)
            write(line[12:] + "\n")
        case "twice":
            write(line + "\n" + line + "\n")
        case "wrong-id":
            write(answer(number + 1, outcome) + "\n")
        case "garbage":
            write("Traceback (most recent call last):\n")
        case "long":
            write(line + " " * 5_000_000 + "\n")
        case "long-garbage":
            write("x" * 5_000_000 + "\n")
        case "flood":
            for _ in range(4096):
                sys.stderr.write("y" * 1023 + "\n")
            write(line + "\n")
        case "cut":
            write(line[:12])
            sys.exit(0)
        case "slow-start":
            write(line + "\n")
