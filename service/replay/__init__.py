"""Replay a match from its events."""
