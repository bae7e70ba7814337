"""What is put on a program's path to hand faults to it. Standard library only: it runs anywhere."""

import os
from collections.abc import Mapping

__all__ = ["python_path"]


def python_path(environment: Mapping[str, str]) -> str:
    """Return the ``PYTHONPATH`` that has the shims before what that of ``environment`` has."""
    return os.pathsep.join([os.path.dirname(__file__), *filter(None, [environment.get("PYTHONPATH")])])
