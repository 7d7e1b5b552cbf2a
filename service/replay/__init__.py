"""A match, run again from its events."""
