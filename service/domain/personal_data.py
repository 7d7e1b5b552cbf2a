"""Personal data that is committed with events but kept outside the log, where it can be erased."""

import msgspec


class Text(msgspec.Struct, frozen=True):
    """A chat text, and the salt of its hash in the log."""

    salt: str
    text: str


class PersonalData(msgspec.Struct, frozen=True):
    """Personal data that is written in the transaction of its events, but outside the log."""

    names: dict[str, str] = {}
    """Display names, by user id as text."""
    texts: dict[str, Text] = {}
    """Chat texts, by the id in their events."""


NO_PERSONAL_DATA = PersonalData()
