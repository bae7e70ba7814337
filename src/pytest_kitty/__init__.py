"""The pytest plugin. Empty: whatever stands here is imported by every pytest run."""
