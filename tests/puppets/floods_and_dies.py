"""Writes 1 MB to stderr, then last words, and ends with status 1 without a reply."""

import sys

sys.stdin.readline()
sys.stderr.write("y" * 1_000_000 + "\nlast words\n")
sys.exit(1)
