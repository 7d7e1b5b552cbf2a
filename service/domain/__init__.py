"""Domain model: events, projections and commands. Pure: no I/O, no clock, no randomness."""
