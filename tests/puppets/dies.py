"""Reads a request and ends with status 3 and some last words, without a reply."""

import sys

sys.stdin.readline()
sys.stderr.write("last words\n")
sys.exit(3)
