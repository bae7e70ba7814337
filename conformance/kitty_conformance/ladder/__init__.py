"""The fault ladder: how one operation is made to fail or to end half-way, and what has to be true afterwards.

Each level reaches further than the one before and is named in the scenarios' parameters: ``in-process`` (Python),
``file-size-limit`` (any language, POSIX), ``strace`` (any language, Linux). What a machine lacks is inconclusive.
"""

from .points import Six, six_points
from .size_limit import died_of_it, limited, limiter
from .system_calls import Call, CommandFault, Delay, carrying_the_row, cut, delayed, inject, record

__all__ = [
    "Call",
    "CommandFault",
    "Delay",
    "Six",
    "carrying_the_row",
    "cut",
    "delayed",
    "died_of_it",
    "inject",
    "limited",
    "limiter",
    "record",
    "six_points",
]
