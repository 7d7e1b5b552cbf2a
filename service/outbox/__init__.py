"""Finished matches on their way to other services, and the tokens that this takes."""
