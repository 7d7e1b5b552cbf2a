"""Tables that follow from the log, written in the transaction of their events."""
