"""Reproductions: a folder for a failure, with the state before and a script that needs nothing but Python.

A failed scenario is run again and its traffic noted; what was noted is played by the script; only when that comes to
the same is the folder kept.
"""
