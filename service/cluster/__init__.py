"""A cluster of nodes over one log: leases, and what is passed between nodes."""
