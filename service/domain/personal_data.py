"""Personal data that is committed with events but kept outside the log, where it can be erased."""

import msgspec


class Text(msgspec.Struct, frozen=True):
    """A chat text, and the salt of its hash in the log."""

    salt: str
    text: str


class PersonalData(msgspec.Struct, frozen=True):
    """Personal data to keep with the same commit, outside the log: it can be erased there."""

    names: dict[str, str] = {}
    """Display names, by user."""
    texts: dict[str, Text] = {}
    """Chat, by the id in its event."""


NO_PERSONAL_DATA = PersonalData()
