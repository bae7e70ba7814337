"""What the conformance suite asks: the reader as an implementation that reads and nothing else."""

from __future__ import annotations

from pathlib import Path

from lane_reader import lanes

from kitty_reliability.implementations.protocol import Hello, HelloAnswer, Outcome, Request, State, StateAnswer


class Adapter:
    """Answers one request at a time."""

    def answer(self, request: Request) -> Outcome:
        if isinstance(request, Hello):
            return Outcome.success(HelloAnswer(name="lane-reader", version="1.0", protocol=1, profile="contract-320"))
        if isinstance(request, State):
            mission = Path(request.root, "kitty-specs", request.mission)
            return Outcome.success(StateAnswer(log=None, lanes=lanes(mission)))
        return Outcome.unsupported(f"{request.operation}: the reader only reads")
