"""The event store: appends, reads and checks the one log."""
