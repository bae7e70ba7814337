"""Break it on purpose: damaged logs, lying disks, killed processes. Every fault says whether it took effect."""
