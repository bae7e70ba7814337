"""A row whose at is "yesterday" is not refused with its line number."""

from world import main, row_with

main(row_with("at", '"yesterday"'))
