"""Read models: tables derived from the log, written in the transaction of their events."""
