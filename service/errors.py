"""Base classes of all errors; the docstring of an error is its default message."""

import difflib
import inspect
from collections.abc import Iterable
from typing import ClassVar

_NAME_LENGTH_MAX = 64
"""A longer name is shown in part, and looks like none that is known."""


class ServiceError(Exception):
    """Something went wrong."""

    def __init__(self, message: str | None = None) -> None:
        """Take `message`, or the docstring of the class when there is none."""
        super().__init__(message or inspect.cleandoc(type(self).__doc__ or ""))

    @property
    def message(self) -> str:
        """What to tell a person."""
        return str(self.args[0])


class ConfigurationError(ServiceError):
    """The settings do not allow the service to start."""

    error_code: ClassVar[str] = "START_REFUSED"
    """What the log line of a refused start is searched by."""


class ClientError(ServiceError):
    """What a client asked for cannot be done; `code` is what it may act upon."""

    code: ClassVar[str]

    def __init__(self, message: str | None = None, *, retry_after_ms: int | None = None) -> None:
        """Take a message, and after which time another try may succeed, where that is known."""
        super().__init__(message)
        self.retry_after_ms = retry_after_ms


class InternalError(ClientError):
    """The service has failed over this, and nothing was done; the fault is in its log."""

    code = "INTERNAL_ERROR"


class Unavailable(ClientError):
    """The event log cannot be written just now, so nothing has happened; try again."""

    code = "UNAVAILABLE"


class UnknownField(ClientError):
    """There is no such field or option; the message names it and the nearest known one."""

    code = "UNKNOWN_FIELD"

    def __init__(self, where: str, name: str, known: Iterable[str]) -> None:
        """Say that `name` is unknown in `where`, and which of the known names looks like it."""
        hint = nearest(name, known)
        meant = "" if hint is None else f"; did you mean `{hint}`?"
        super().__init__(f"{where} has no `{name[:_NAME_LENGTH_MAX]}`{meant or '.'}")
        self.field = name


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` was probably meant to be, or None."""
    if len(name) > _NAME_LENGTH_MAX:
        return None
    by_lower = {one.lower(): one for one in known}
    found = difflib.get_close_matches(name.lower(), by_lower, 1)
    return by_lower[found[0]] if found else None
