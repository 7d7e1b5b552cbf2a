"""Rock, paper, scissors for ws-service."""

from rock_paper_scissors.rules import RULES

__all__ = ["RULES"]
