"""Put in place at the start of a Python program that is run with a fault (faults.disk, faults.calls, faults.network)."""

import importlib.machinery
import importlib.util
import os
import sys

if os.environ.get("KITTY_DISK_FAULT"):
    import kitty_disk_shim  # type: ignore[import-not-found]  # beside this file, on the path

    kitty_disk_shim.install_from_environment()
if os.environ.get("KITTY_CALL_FAULT"):
    import kitty_call_shim  # type: ignore[import-not-found]

    kitty_call_shim.install_from_environment()
if os.environ.get("KITTY_NETWORK_GUARD"):
    import kitty_network_shim  # type: ignore[import-not-found]

    kitty_network_shim.install_from_environment()

# A program has one sitecustomize. The one that this one hides, the machine's own, still counts.
_own = os.path.dirname(os.path.abspath(__file__))
_elsewhere = [entry for entry in sys.path if os.path.abspath(entry) != _own]
_hidden = importlib.machinery.PathFinder.find_spec("sitecustomize", _elsewhere)
if _hidden is not None and _hidden.loader is not None:
    _hidden.loader.exec_module(importlib.util.module_from_spec(_hidden))
