"""A row whose wp_id is "../../x" is not refused with its line number."""

from world import main, row_with

main(row_with("wp_id", '"../../x"'))
