"""A row whose extra is a number of 5,000 digits is not refused with its line number."""

from world import main, row_with

main(row_with("extra", "1" * 5000))
