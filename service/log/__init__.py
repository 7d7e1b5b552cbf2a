"""The event log: one append-only table that everything else is rebuilt from."""
