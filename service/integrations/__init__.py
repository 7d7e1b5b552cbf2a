"""Clients of the other services; each knows its neighbour's form and nothing of this house."""
