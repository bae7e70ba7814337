"""A row whose wp_id is null is not refused with its line number."""

from world import main, row_with

main(row_with("wp_id", "null"))
