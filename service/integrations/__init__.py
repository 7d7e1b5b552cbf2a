"""Clients of external services; they import nothing of the domain."""
