"""One tree of errors; the docstring of an error is its default message."""

import inspect
from typing import ClassVar


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


class InternalError(ClientError):
    """The service has failed over this, and nothing was done; the fault is in its log."""

    code = "INTERNAL_ERROR"


class Unavailable(ClientError):
    """The event log cannot be written just now, so nothing has happened; try again."""

    code = "UNAVAILABLE"
