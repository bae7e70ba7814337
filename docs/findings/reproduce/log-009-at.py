"""A row whose at is 5 is not refused with its line number."""

from world import main, row_with

main(row_with("at", "5"))
