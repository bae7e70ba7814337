"""A row whose actor is 7 is not refused with its line number."""

from world import main, row_with

main(row_with("actor", "7"))
