"""Outbox: deliver finished matches to other services, at least once."""
