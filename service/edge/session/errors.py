"""Errors by which a session refuses a message; each has a code for clients."""

from __future__ import annotations

from service.errors import ClientError, ServiceError


class BadJson(ClientError):
    """The frame is not JSON, or not valid Unicode; send one JSON object a text frame."""

    code = "BAD_JSON"


class BadMessage(ClientError):
    """The message has no `type`, or its fields are missing or wrong; the message names them."""

    code = "BAD_MESSAGE"


class BadInvite(ClientError):
    """The invite names no user; send `to` with the id of one."""

    code = "BAD_INVITE"


class UnknownType(ClientError):
    """There is no message of this type; the reference lists all types."""

    code = "UNKNOWN_TYPE"


class BinaryFrame(ClientError):
    """Binary frames are not understood; send JSON in text frames."""

    code = "BINARY_FRAME"


class TooManyFriends(ClientError):
    """These are more friends than one socket may watch; name fewer."""

    code = "TOO_MANY_FRIENDS"


class RateLimited(ClientError):
    """Too many messages; this one was not carried out. Slow down, or the connection is closed."""

    code = "RATE_LIMITED"


class TooLarge(ClientError):
    """The message exceeds the size limit of its type, which is in the error; send a shorter one."""

    code = "TOO_LARGE"


class MessageRefused(ServiceError):
    """The frame is no valid message; `error` says why."""

    def __init__(self, error: ClientError, id_: str | None) -> None:
        """Take the error, and the id of the message, as far as it could be read."""
        super().__init__(error.message)
        self.error = error
        self.id = id_
