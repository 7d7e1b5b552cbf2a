"""Benchmarks: the cost of the service and of its peers, measured side by side."""
