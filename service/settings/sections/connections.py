"""Limits of connections, and of users over all of theirs."""

from dataclasses import dataclass

from service.settings.fields import part, section, setting
from service.settings.kinds import Origins


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: its refill rate per second, and its capacity."""

    per_s: float
    burst: float


@section
class SessionLimits:
    """Rate and size limits of the messages of one connection."""

    message_bytes_max: int = setting(
        "WS_MESSAGE_BYTES_MAX",
        65536,
        "Maximum size of a client's message; a longer one closes its socket with 1009.",
        unit="bytes",
        ge=1024,
        le=16 * 1024**2,
    )
    messages_per_s: int = setting(
        "WS_MESSAGES_PER_S",
        120,
        "Messages a socket may send, sustained.",
        unit="/s",
        ge=1,
        le=100_000,
    )
    messages_burst: int = setting(
        "WS_MESSAGES_BURST", 240, "Messages a socket may send in a burst.", ge=1, le=1_000_000
    )
    chat_length_max: int = setting(
        "WS_CHAT_LENGTH_MAX",
        500,
        "Maximum length of a chat message.",
        unit="characters",
        ge=1,
        le=10_000,
    )
    friends_max: int = setting(
        "WS_FRIENDS_MAX", 1000, "Friends whose status one user may watch.", ge=1, le=100_000
    )
    move_bytes_max: int = setting(
        "WS_MOVE_BYTES_MAX",
        4096,
        "Maximum size of a whole `game:move` message.",
        unit="bytes",
        ge=256,
        le=16 * 1024**2,
    )
    signal_bytes_max: int = setting(
        "WS_SIGNAL_BYTES_MAX",
        16 * 1024,
        "Maximum size of a whole `signal` message.",
        unit="bytes",
        ge=256,
        le=16 * 1024**2,
    )
    room_bytes_max: int = setting(
        "WS_ROOM_BYTES_MAX",
        4096,
        "Maximum size of a room's `metadata`, and of its `options`, each as JSON.",
        unit="bytes",
        ge=256,
        le=1024**2,
    )

    @property
    def messages(self) -> Rate:
        """Messages of one socket, in units of `session/costs.py`: most messages cost one."""
        return Rate(self.messages_per_s, self.messages_burst)


@section
class UserLimits:
    """Rate limits of one user, over all of their sockets."""

    session: SessionLimits = part(SessionLimits)
    full_rate_sockets: float = setting(
        "WS_FULL_RATE_SOCKETS",
        4,
        "Message budget of one user over all of their sockets, as a multiple of one socket's.",
        ge=1,
        le=10_000,
    )
    chat_per_s: float = setting(
        "WS_CHAT_PER_S", 1, "Chat messages a user may send, sustained.", unit="/s", ge=0.01, le=1000
    )
    chat_burst: int = setting(
        "WS_CHAT_BURST", 10, "Chat messages a user may send in a burst.", ge=1, le=10_000
    )
    logged_bytes_per_s: int = setting(
        "WS_LOGGED_BYTES_PER_S",
        64 * 1024,
        "Bytes that one user's commands may add to the log, sustained.",
        unit="bytes/s",
        ge=1024,
        le=1024**3,
    )
    logged_bytes_burst: int = setting(
        "WS_LOGGED_BYTES_BURST",
        512 * 1024,
        "Bytes that one user's commands may add to the log in a burst.",
        unit="bytes",
        ge=16 * 1024,
        le=1024**3,
    )
    signal_bytes_per_s: int = setting(
        "WS_SIGNAL_BYTES_PER_S",
        128 * 1024,
        "Bytes of signals that one user may send, sustained.",
        unit="bytes/s",
        ge=1024,
        le=1024**3,
    )
    signal_bytes_burst: int = setting(
        "WS_SIGNAL_BYTES_BURST",
        512 * 1024,
        "Bytes of signals that one user may send in a burst.",
        unit="bytes",
        ge=16 * 1024,
        le=1024**3,
    )
    rooms_made_per_min: float = setting(
        "WS_ROOMS_MADE_PER_MIN",
        30,
        "Rooms that one user may create, also by invites or matchmaking, sustained.",
        unit="/min",
        ge=0.1,
        le=1_000_000,
    )
    rooms_made_burst: int = setting(
        "WS_ROOMS_MADE_BURST", 20, "Rooms that one user may create in a burst.", ge=1, le=1_000_000
    )
    invites_per_min: float = setting(
        "WS_INVITES_PER_MIN",
        30,
        "Invites that one user may send, sustained.",
        unit="/min",
        ge=0.1,
        le=1_000_000,
    )
    invites_burst: int = setting(
        "WS_INVITES_BURST", 20, "Invites that one user may send in a burst.", ge=1, le=1_000_000
    )

    @property
    def messages(self) -> Rate:
        """Messages of all sockets together, in the same units."""
        factor = self.full_rate_sockets
        return Rate(factor * self.session.messages_per_s, factor * self.session.messages_burst)

    @property
    def chat(self) -> Rate:
        """Chat messages."""
        return Rate(self.chat_per_s, self.chat_burst)

    @property
    def logged_bytes(self) -> Rate:
        """Bytes that commands add to the log."""
        return Rate(self.logged_bytes_per_s, self.logged_bytes_burst)

    @property
    def signal_bytes(self) -> Rate:
        """Bytes that are relayed to other clients without being logged."""
        return Rate(self.signal_bytes_per_s, self.signal_bytes_burst)

    @property
    def rooms(self) -> Rate:
        """Rooms that are created."""
        return Rate(self.rooms_made_per_min / 60, self.rooms_made_burst)

    @property
    def invites(self) -> Rate:
        """Invites that are sent."""
        return Rate(self.invites_per_min / 60, self.invites_burst)


@section
class GuessLimits:
    """Wrong passwords of a user for one room before attempts are delayed."""

    free: int = setting(
        "WS_PASSWORD_GUESSES",
        5,
        "Wrong passwords of one user for one room before further attempts are delayed.",
        ge=1,
        le=1000,
    )
    pause_s: float = setting(
        "WS_PASSWORD_PAUSE_S",
        1,
        "The first such delay; it doubles with each wrong password, up to five minutes.",
        unit="s",
        ge=0.1,
        le=300,
    )


@section
class SlowLimits:
    """Slow consumer policy: how much a socket may leave unread."""

    bytes_newest_only: int = setting(
        "WS_SLOW_BYTES",
        256 * 1024,
        "Unsent bytes above which only the newest state frame is kept for a socket.",
        unit="bytes",
        ge=1024,
        le=1024**3,
    )
    bytes_max: int = setting(
        "WS_SLOW_BYTES_MAX",
        1024**2,
        "Unsent bytes above which a socket is aborted.",
        unit="bytes",
        ge=1024,
        le=1024**3,
    )
    stall_s: float = setting(
        "WS_SLOW_STALL_S",
        10,
        "Time without progress after which a slow socket is aborted.",
        unit="s",
        ge=0.1,
        le=3600,
    )


@section
class TokenTimes:
    """Times before and after a token expires."""

    warning_s: float = setting(
        "WS_TOKEN_WARNING_S",
        60,
        "Time before the expiry of its token at which a v1 client is warned.",
        unit="s",
        ge=0,
        le=86400,
    )
    grace_s: float = setting(
        "WS_TOKEN_GRACE_S",
        25,
        "Time that a v1 socket stays open after its token expired.",
        unit="s",
        ge=0,
        le=86400,
    )


@section
class ConnectionLimits:
    """Limits and times of one connection, by WebSocket or Socket.IO."""

    origins: Origins = setting(
        "WS_ALLOWED_ORIGINS",
        ("*",),
        "Origins of pages that may connect.",
        allowed="*, or origins like https://play.example.org, separated by commas",
        min_length=1,
    )
    heartbeat_s: float = setting(
        "WS_HEARTBEAT_S",
        20,
        "Time between pings; a peer has half of this time to answer.",
        unit="s",
        ge=1,
        le=3600,
    )
    drain_retry_ms: int = setting(
        "WS_DRAIN_RETRY_MS",
        3000,
        "Maximum random delay after which clients reconnect after a shutdown.",
        unit="ms",
        ge=0,
        le=600_000,
    )
    socketio_connect_s: float = setting(
        "WS_SOCKETIO_CONNECT_S",
        10,
        "Time that a Socket.IO connection may stay open without a session.",
        unit="s",
        ge=0.1,
        le=300,
    )
    user: UserLimits = part(UserLimits)
    slow: SlowLimits = part(SlowLimits)
    token: TokenTimes = part(TokenTimes)

    @property
    def session(self) -> SessionLimits:
        """What the session of the connection may do."""
        return self.user.session

    @property
    def heartbeat_ms(self) -> int:
        """Time between pings, in milliseconds."""
        return round(self.heartbeat_s * 1000)

    @property
    def pong_s(self) -> float:
        """How long a peer has to answer a ping."""
        return self.heartbeat_s / 2

    @property
    def head_bytes_max(self) -> int:
        """Maximum size of a request head: first line and fields, each as long as a message."""
        return 2 * self.session.message_bytes_max
