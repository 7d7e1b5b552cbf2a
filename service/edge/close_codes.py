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

    NO_STATUS = 1005, "Never sent: recorded for a close frame without a code; it counts as 1000."
    NORMAL = 1000, "The client closed the connection, or the service answers its close frame."
    ABNORMAL = 1006, "Never sent: recorded for a connection that ended without a close frame."
    PROTOCOL = (
        1002,
        "A Socket.IO client sent a malformed packet, or one that is not allowed in this state.",
    )
    POLICY = 1008, "The token is missing, wrong or expired, or the page's origin is not allowed."
    TOO_BIG = 1009, "A message exceeds the size limit; do not send it again."
    TRY_AGAIN = 1013, "The event log can't be written at the moment; connect again later."
    DRAINING = 4001, "The service stops or restarts; connect again after a random delay."
    TOO_SLOW = 4008, "In logs only: the client read too slowly and was cut off; it sees 1006."
    NO_PONG = 4012, "In logs only: the client did not answer a ping in time; it sees 1006."
    TOKEN_EXPIRED = (
        4005,
        "The token of a v1 socket has expired, and so has the grace period; get a new one.",
    )
    RATE_LIMITED = (
        4013,
        "The client kept exceeding the rate limit; connect again and send fewer messages.",
    )
    REVOKED = 4503, "The user's sessions and tokens were revoked; do not reconnect."
    TOO_MANY_SOCKETS = (
        4504,
        "The user had too many connections, and a newer one replaced this one.",
    )


def recorded_code(close_code: int | None) -> int:
    """Return the code by which the end of a connection is recorded.

    aiohttp reports 0 for a close frame without a code, and None without a close frame.
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
        "The token names an unknown key.",
    ),
    (
        "INVALID_TOKEN_PAYLOAD",
        "1008 `Invalid token payload`",
        "No claim has a user id, or it is invalid.",
    ),
    (
        "ORIGIN_NOT_ALLOWED",
        "1008 `Origin not allowed`",
        "`WS_ALLOWED_ORIGINS` does not have the origin of this page.",
    ),
    (
        "TOKEN_REVOKED",
        "4503 `Revoked`",
        "The user's sessions were revoked after the token was issued.",
    ),
    ("TOO_MANY_SOCKETS", "4504", "The user has `WS_SOCKETS_PER_USER_MAX` sockets."),
    ("UNAVAILABLE", "1013", "The event log can't be written at the moment."),
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
    (
        "ADMISSION_QUEUE_FULL",
        "HTTP 503",
        "The service is busy, and `WS_ADMISSION_QUEUE_MAX` connections wait already.",
    ),
    (
        "ADMISSION_TIMED_OUT",
        "HTTP 503",
        "The connection has waited for `WS_ADMISSION_WAIT_S` while the service was busy.",
    ),
)
"""Each `error_code` of a handshake that is refused, what the client sees, and what it means."""

_STANDARD = range(1000, 1016)


def label_of(code: int) -> str:
    """Return a close code as a label of metrics; codes chosen by clients are `other`."""
    return str(int(code)) if code in _STANDARD or code in set(CloseCode) else "other"
