"""An adapter: what kitty-conform asks, and what your implementation answers. In this folder:

kitty-conform run python:adapter:Adapter
"""

from kitty_reliability.implementations import protocol
from kitty_reliability.implementations.protocol import Outcome


class Adapter:
    """Gives one outcome to each request."""

    def answer(self, request: protocol.Request) -> Outcome:
        """Answer ``request``."""
        if isinstance(request, protocol.Hello):
            # What you claim with capabilities=["write", ...] is judged; what you do not claim is not applicable.
            return Outcome.success(
                protocol.HelloAnswer(name="my-implementation", version="0.1", protocol=1, profile="contract-320")
            )
        # 1. protocol.State is asked of everybody: read the log of request.mission in request.root, and
        #        return Outcome.success(protocol.StateAnswer(log="active", lanes={"WP01": "claimed"}))
        #    A log that you refuse: return Outcome.failed({"message": "line 7 is not JSON", "line": 7})
        # 2. protocol.Open, in the same way.
        # 3. Claim "write" and answer protocol.Transition; then "events", "snapshot" and what else you have.
        return Outcome.unsupported(f"{request.operation} is not there yet")
