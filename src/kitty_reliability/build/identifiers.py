"""Identifiers for built missions: real ULIDs, the same ones every time."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final

from .errors import BuildError

__all__ = ["Identifiers"]

#: How many characters of a ULID say when it was made.
TIME_LENGTH: Final = 10

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SHIFTS: Final = range(5 * TIME_LENGTH - 5, -1, -5)
#: A character for each byte, by its last five bits.
_CHARACTERS: Final = _ALPHABET.encode() * 8


class Identifiers:
    """Draws ULIDs from a seed: the time is the moment given, the rest a digest of seed and count.

    Two builders with one seed draw the same ids; builders with different seeds never meet.
    """

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.drawn = 0

    def ulid(self, moment: datetime) -> str:
        """Return the next ULID, with the time of ``moment`` in its first ten characters.

        Raises:
            BuildError: a moment before 1970, which no ULID holds.
        """
        milliseconds = int(moment.timestamp() * 1000)
        if milliseconds < 0:
            raise BuildError(f"no ULID holds {moment}; start the clock after 1970")
        return "".join([_ALPHABET[milliseconds >> shift & 31] for shift in _SHIFTS]) + self._draw()

    def _draw(self) -> str:
        """Return what follows the time in the next ULID."""
        self.drawn += 1
        return _drawn(self.seed, self.drawn)


@lru_cache(maxsize=8192)
def _drawn(seed: str, number: int) -> str:
    return sha256(f"{seed}\0{number}".encode()).digest()[:16].translate(_CHARACTERS).decode()
