"""A row whose event_id is ["a"] is not refused with its line number."""

from world import main, row_with

main(row_with("event_id", '["a"]'))
