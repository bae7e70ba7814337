"""Serves a Python implementation as a program: ``python -m kitty_reliability.implementations.serve SPEC``.

The other side of ``program``: one request a line on stdin, one reply a line on stdout. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import json
import sys
from typing import IO, Any

from pydantic import ValidationError

from .base import ImplementationError
from .in_process import Answers
from .protocol import REQUEST, Outcome

__all__ = ["main", "serve"]


def serve(subject: Answers, requests: IO[bytes], replies: IO[bytes]) -> None:
    """Answer every request of ``requests`` until it ends."""
    for line in requests:
        number, outcome = _answer(subject, line)
        reply = {"id": number, str(outcome.kind): dict(outcome.value)}
        replies.write(json.dumps(reply).encode("ascii") + b"\n")
        replies.flush()


def _answer(subject: Answers, line: bytes) -> tuple[int, Outcome]:
    number = 0
    try:
        message: dict[str, Any] = json.loads(line)
        number = int(message.pop("id"))
        request = REQUEST.validate_python(message)
    except (ValidationError, ValueError, KeyError, TypeError, AttributeError) as error:
        return number, Outcome.refused({"message": f"not a request of this protocol: {str(error)[:300]}"})
    return number, subject.answer(request)


def main(arguments: list[str]) -> int:
    """Serve the Python implementation that ``arguments`` name."""
    from .registry import python_subject

    if len(arguments) != 1:
        print("usage: python -m kitty_reliability.implementations.serve SPEC", file=sys.stderr)
        return 2
    try:
        subject = python_subject(arguments[0])()
    except ImplementationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    serve(subject, sys.stdin.buffer, sys.stdout.buffer)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
