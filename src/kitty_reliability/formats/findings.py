"""What every reader of a format says when a file is not what it should be."""

from __future__ import annotations

from enum import StrEnum
from typing import Generic, TypeVar

__all__ = ["FormatError"]

_Finding = TypeVar("_Finding", bound=StrEnum)


class FormatError(ValueError, Generic[_Finding]):
    """A file, or the name of one, is not what its format says.

    Arguments:
        finding: the word, one of the format's own list.
        problem: the sentence.
        field: the key that it is about, empty when none.
    """

    def __init__(self, finding: _Finding, problem: str, *, field: str = "") -> None:
        self.finding: _Finding = finding
        self.problem = problem
        self.field = field
        super().__init__(f"{finding}: {problem}")
