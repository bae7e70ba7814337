"""Is the mission state of a repository sound? Rules over what is on disk, with findings that name the remedy.

Lenient as a reader must be: what a reader of the contract takes without loss is no finding, however old it is.
Nothing is written, and no link is followed out of a mission. PYTEST_DONT_REWRITE
"""
