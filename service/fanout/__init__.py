"""Fan-out: which messages follow from an event, and who is told. Pure; it sends nothing."""
