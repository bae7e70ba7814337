"""A row whose force is "yes" is not refused with its line number."""

from world import main, row_with

main(row_with("force", '"yes"'))
