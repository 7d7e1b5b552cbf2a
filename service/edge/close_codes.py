"""WebSocket close codes, and what a client should do after each."""

from enum import IntEnum
from typing import Self


class CloseCode(IntEnum):
    """A close code with its description, which appears in the reference."""

    description: str

    def __new__(cls, code: int, description: str) -> Self:
        """Make a member from a code and its description."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.description = description
        return member

    NO_STATUS = 1005, "Never sent: how the service notes a close without a code; it counts as 1000."
    NORMAL = 1000, "The client has closed; or the service answers a close in kind."
    ABNORMAL = 1006, "Never sent: how the service notes a connection that ended without a close."
    PROTOCOL = 1002, "A Socket.IO client has sent what is no packet, or a packet out of turn."
    POLICY = 1008, "The token is missing, wrong or expired, or the page's origin is not allowed."
    TOO_BIG = 1009, "A message above the limit; do not send it again."
    TRY_AGAIN = 1013, "The event log cannot be written just now; connect again later."
    DRAINING = 4001, "The service stops or restarts; connect again, after a random while."
    TOO_SLOW = 4008, "In logs only: the client read too slowly and was cut off; it sees 1006."
    NO_PONG = 4012, "In logs only: the client did not answer a ping in time; it sees 1006."
    TOKEN_EXPIRED = 4005, "The token of a v1 socket has been expired for a while; get a new one."
    RATE_LIMITED = 4013, "Messages went on above the limit; connect again and send fewer."
    REVOKED = 4503, "The user was sent away: their tokens until now are refused; do not try again."
    TOO_MANY_SOCKETS = (
        4504,
        "A newer connection of the user, who had too many, took the place of this one.",
    )


def noted(close_code: int | None) -> int:
    """Return the code by which the end of a connection is recorded.

    aiohttp says 0 of a close frame without a code, and None when no close frame came.
    """
    if close_code is None:
        return CloseCode.ABNORMAL
    return close_code or CloseCode.NO_STATUS


REFUSED_HANDSHAKES = (
    ("MISSING_WEBSOCKET_TOKEN", "1008 `Missing token`", "There is no token."),
    (
        "INVALID_WEBSOCKET_TOKEN",
        "1008 `Invalid or expired token`",
        "The signature, a time, the audience or the issuer is wrong.",
    ),
    (
        "UNKNOWN_TOKEN_KEY",
        "1008 `Invalid or expired token`",
        "The key that the token names is none of those that are known.",
    ),
    (
        "INVALID_TOKEN_PAYLOAD",
        "1008 `Invalid token payload`",
        "No claim holds the id of a user, or it is none that the service takes.",
    ),
    ("ORIGIN_NOT_ALLOWED", "1008 `Origin not allowed`", "`WS_ALLOWED_ORIGINS` has not this page."),
    ("TOKEN_REVOKED", "4503 `Revoked`", "The user was sent away after the token was issued."),
    ("TOO_MANY_SOCKETS", "4504", "The user has `WS_SOCKETS_PER_USER_MAX` sockets."),
    ("UNAVAILABLE", "1013", "The log can't be written just now."),
    (
        "RATE_LIMITED",
        "HTTP 429, or 4013",
        "The address has made `WS_HANDSHAKES_PER_S_PER_IP` handshakes in this second.",
    ),
    (
        "TOO_MANY_UNAUTHENTICATED",
        "HTTP 429",
        "The address has `WS_UNAUTHENTICATED_PER_IP_MAX` connections without a known user.",
    ),
)
"""Each `error_code` of a handshake that is refused, what the client sees, and what it means."""

_STANDARD = range(1000, 1016)


def label_of(code: int) -> str:
    """Return a close code as a label of metrics; codes chosen by clients are `other`."""
    return str(int(code)) if code in _STANDARD or code in set(CloseCode) else "other"
