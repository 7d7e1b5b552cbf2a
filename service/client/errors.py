"""Errors of the client."""


class Refused(Exception):
    """The service has refused a command: nothing has happened, and it may be tried again."""

    def __init__(self, code: str, message: str) -> None:
        """Take the error code and what it means."""
        super().__init__(f"{code}: {message}")
        self.code = code


class NoAnswer(Exception):
    """No answer came in time: the command may have happened or not."""


class Closed(Exception):
    """The connection has ended and does not come back."""

    def __init__(self, code: int, reason: str = "") -> None:
        """Take the close code and the reason of the last socket."""
        super().__init__(f"closed with {code}{reason and f': {reason}'}")
        self.code = code
        self.reason = reason


class NoToken(Exception):
    """The callable for tokens has brought none; raised and handled inside of the client."""

    def __init__(self, cause: Exception) -> None:
        """Take what it has raised instead."""
        super().__init__(str(cause))
        self.cause = cause
