"""Errors that the client raises; `service.errors` draws the whole tree."""

from service.errors import ServiceError


class Refused(ServiceError):
    """The service answered the command with an error: it was not carried out."""

    def __init__(self, code: str, message: str) -> None:
        """Take the error code and the message of the service."""
        super().__init__(f"{code}: {message}")
        self.code = code


class NoAnswer(ServiceError):
    """There was no answer in time: the command may have been carried out or not."""


class Closed(ServiceError):
    """The connection is closed for good; the client does not connect again."""

    def __init__(self, code: int, reason: str = "") -> None:
        """Take the close code and the close reason of the last socket."""
        super().__init__(f"closed with {code}{reason and f': {reason}'}")
        self.code = code
        self.reason = reason


class NoToken(ServiceError):
    """The callable for tokens raised; handled inside the client, which raises its cause."""

    def __init__(self, cause: Exception) -> None:
        """Take the exception that the callable raised."""
        super().__init__(repr(cause))
        self.cause = cause
