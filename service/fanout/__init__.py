"""Fan-out: which messages follow from an event, and who gets them. Pure: it sends nothing."""
