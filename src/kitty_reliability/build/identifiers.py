"""Identifiers for built missions: real ULIDs, the same ones every time."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

from ulid import ULID

__all__ = ["Identifiers"]


class Identifiers:
    """Draws ULIDs from a seed: the time is the moment given, the rest a digest of seed and count.

    Two builders with one seed draw the same ids; builders with different seeds never meet.
    """

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.drawn = 0

    def ulid(self, moment: datetime) -> str:
        """Return the next ULID, with the time of ``moment`` in its first ten characters."""
        self.drawn += 1
        random = sha256(f"{self.seed}\0{self.drawn}".encode()).digest()[:10]
        milliseconds = int(moment.timestamp() * 1000)
        return str(ULID.from_bytes(milliseconds.to_bytes(6, "big") + random))
