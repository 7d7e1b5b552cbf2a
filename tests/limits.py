"""Limits of sessions and users for tests, by rates."""

from dataclasses import replace
from typing import Any

from service.settings.sections.connections import Rate, SessionLimits, UserLimits


def session_limits(messages: Rate, **others: int) -> SessionLimits:
    """Return the limits of a session that may send messages at this rate."""
    given: dict[str, Any] = {"messages_per_s": messages.per_s, "messages_burst": messages.burst}
    return SessionLimits(**given, **others)


def user_limits(messages: Rate | None = None, **rates: Rate) -> UserLimits:
    """Return the limits of a user with these rates; the others are as without settings."""
    limits = UserLimits()
    if messages is not None:
        limits = replace(limits, session=session_limits(messages), full_rate_sockets=1)
    for name, rate in rates.items():
        limits = replace(limits, **_fields(name, rate))
    return limits


def _fields(name: str, rate: Rate) -> dict[str, Any]:
    if name in {"rooms", "invites"}:
        prefix = "rooms_made" if name == "rooms" else name
        return {f"{prefix}_per_min": 60 * rate.per_s, f"{prefix}_burst": rate.burst}
    return {f"{name}_per_s": rate.per_s, f"{name}_burst": rate.burst}
