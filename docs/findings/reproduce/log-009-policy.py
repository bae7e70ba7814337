"""A row whose policy_metadata is ["a"] is not refused with its line number."""

from world import main, row_with

main(row_with("policy_metadata", '["a"]'))
