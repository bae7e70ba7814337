"""Wrong use of a builder."""

from __future__ import annotations

__all__ = ["BuildError"]


class BuildError(ValueError):
    """A builder was asked for something that it does not build; the text says what and what to do."""
