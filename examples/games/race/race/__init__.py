"""A hurdle race for ws-service."""

from race.rules import RULES

__all__ = ["RULES"]
