"""Event store: append to, read and verify the log."""
