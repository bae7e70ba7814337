"""Put in place at the start of a Python program that is run with a fault (faults.disk, calls, network, clock)."""

import importlib
import importlib.machinery
import importlib.util
import os
import sys

_SHIMS = {
    "KITTY_DISK_FAULT": "kitty_disk_shim",
    "KITTY_CALL_FAULT": "kitty_call_shim",
    "KITTY_NETWORK_GUARD": "kitty_network_shim",
    "KITTY_STOPPED_CLOCK": "kitty_clock_shim",
}
for _variable, _shim in _SHIMS.items():
    if os.environ.get(_variable):
        importlib.import_module(_shim).install_from_environment()  # beside this file, on the path

# A program has one sitecustomize. The one that this one hides, the machine's own, still counts.
_own = os.path.dirname(os.path.abspath(__file__))
_elsewhere = [entry for entry in sys.path if os.path.abspath(entry) != _own]
_hidden = importlib.machinery.PathFinder.find_spec("sitecustomize", _elsewhere)
if _hidden is not None and _hidden.loader is not None:
    _hidden.loader.exec_module(importlib.util.module_from_spec(_hidden))
