"""Put in place at the start of a Python program that is run with a disk fault (faults.disk)."""

import os

if os.environ.get("KITTY_DISK_FAULT"):
    import kitty_disk_shim  # type: ignore[import-not-found]  # beside this file, on the path

    kitty_disk_shim.install_from_environment()
