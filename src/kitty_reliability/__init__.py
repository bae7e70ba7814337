"""Fixtures, faults, judges and a reference for the workflow state of spec-kitty missions.

The names below are loaded on first use, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module

# Not from typing: that module alone brings two dozen others.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .build.clock import Clock as Clock
    from .build.event_log import EventLog as EventLog
    from .build.mission import Mission as Mission
    from .build.mission import mission as mission
    from .build.repository import Repository as Repository
    from .build.repository import repository as repository

__version__ = "0.1.0"
__all__ = ["Clock", "EventLog", "Mission", "Repository", "__version__", "mission", "repository"]

_HOME = {
    "Clock": "build.clock",
    "EventLog": "build.event_log",
    "Mission": "build.mission",
    "mission": "build.mission",
    "Repository": "build.repository",
    "repository": "build.repository",
}


# No __dir__ beside it: tools that walk a module's names would load everything.
def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
