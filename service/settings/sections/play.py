"""What the domain depends on: rules of decisions, and times of deadlines."""

from service.settings.fields import section, setting


@section
class Rules:
    """The settings that decisions depend on; their outcome stands in the events."""

    invite_needs_lobby: bool = setting(
        "WS_INVITE_NEEDS_LOBBY",
        default=False,
        help_="Whether only users in the lobby can be invited.",
    )
    signals_to_anybody: bool = setting(
        "WS_SIGNALS_TO_ANYBODY",
        default=False,
        help_="Whether signals reach users who share neither a room nor an invite with the sender.",
    )
    sockets_per_user_max: int = setting(
        "WS_SOCKETS_PER_USER_MAX", 10, "Sockets (tabs) of one user.", ge=1, le=10_000
    )
    match_duration_s: int = setting(
        "WS_MATCH_DURATION_S", 30, "Length of a match by the clock.", unit="s", ge=1, le=3600
    )
    reconnect_grace_s: float = setting(
        "WS_RECONNECT_GRACE_S",
        10,
        "How long a player who dropped may come back; 0 forfeits at once.",
        unit="s",
        ge=0,
        le=3600,
    )
    pause_budget_s: float = setting(
        "WS_PAUSE_BUDGET_S",
        60,
        "How long a player may make a match wait, all pauses of it together; then it goes on.",
        unit="s",
        ge=0,
        le=3600,
    )
    spectators_max: int = setting(
        "WS_SPECTATORS_MAX", 2000, "Spectators that a room may have.", ge=0, le=1_000_000
    )
    rooms_per_user_max: int = setting(
        "WS_ROOMS_PER_USER_MAX", 10, "Rooms that one user may watch.", ge=1, le=1000
    )


@section
class Times:
    """How long each deadline is; the grace of a seat is an option of its room."""

    presence_grace_s: float = setting(
        "WS_PRESENCE_GRACE_S",
        5,
        "How long a user whose last socket broke still counts as online.",
        unit="s",
        ge=0,
        le=3600,
    )
    invite_ttl_s: float = setting(
        "WS_INVITE_TTL_S", 60, "How long an invite stands.", unit="s", ge=1, le=86400
    )
    invite_cooldown_s: float = setting(
        "WS_INVITE_COOLDOWN_S",
        30,
        "How long a user whose invite was declined can't invite the same user again.",
        unit="s",
        ge=0,
        le=86400,
    )
    seat_take_s: float = setting(
        "WS_SEAT_TAKE_S",
        15,
        "How long the seats of a new room wait for their players.",
        unit="s",
        ge=1,
        le=3600,
    )
    room_empty_s: float = setting(
        "WS_ROOM_EMPTY_S", 60, "After how long an empty room closes.", unit="s", ge=0, le=86400
    )
    matchmaking_timeout_s: float = setting(
        "WS_MATCHMAKING_TIMEOUT_S",
        120,
        "After how long the search for an opponent gives up.",
        unit="s",
        ge=1,
        le=86400,
    )
    restart_grace_s: float = setting(
        "WS_RESTART_GRACE_S",
        60,
        "How long seats, users, invites and rooms wait at least after a start of the service,"
        " counted from the first socket that it accepts.",
        unit="s",
        ge=0,
        le=3600,
    )
