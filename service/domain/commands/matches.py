"""Commands of matches."""

from __future__ import annotations

INPUT_LEAD_TICKS_MAX = 6
"""How far ahead of its match an input may take effect, when ticks are late."""
