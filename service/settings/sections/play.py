"""What the domain depends on: rules of decisions, and times of deadlines."""

from service.settings.fields import section, setting
from service.settings.kinds import GameNames


@section
class GameSettings:
    """Which of the installed games can be played."""

    allowed: GameNames = setting(
        "WS_GAMES",
        (),
        "The games that can be played, in the order in which they are listed; unset: all games "
        "that are installed.",
        allowed="names of games, separated by commas",
    )
    is_strict: bool = setting(
        "WS_GAMES_STRICT",
        default=False,
        help_="Whether a game that can't be used stops the start; else it is left out.",
    )


@section
class Rules:
    """The settings that decisions depend on; events record the outcome."""

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
        "WS_SOCKETS_PER_USER_MAX",
        10,
        "Maximum number of sockets (tabs) of one user.",
        ge=1,
        le=10_000,
    )
    match_duration_s: int = setting(
        "WS_MATCH_DURATION_S", 30, "Duration of a match with a clock.", unit="s", ge=1, le=3600
    )
    reconnect_grace_s: float = setting(
        "WS_RECONNECT_GRACE_S",
        10,
        "Time that a disconnected player has to return; 0 forfeits at once.",
        unit="s",
        ge=0,
        le=3600,
    )
    pause_budget_s: float = setting(
        "WS_PAUSE_BUDGET_S",
        60,
        "Total time per match that it is paused for a disconnected player; then it continues.",
        unit="s",
        ge=0,
        le=3600,
    )
    spectators_max: int = setting(
        "WS_SPECTATORS_MAX", 2000, "Maximum number of spectators of a room.", ge=0, le=1_000_000
    )
    rooms_per_user_max: int = setting(
        "WS_ROOMS_PER_USER_MAX",
        10,
        "Maximum number of rooms that one user may watch.",
        ge=1,
        le=1000,
    )


@section
class Times:
    """Durations of the deadlines; the grace of a seat is an option of its room."""

    presence_grace_s: float = setting(
        "WS_PRESENCE_GRACE_S",
        5,
        "Time that a user stays online after their last socket broke.",
        unit="s",
        ge=0,
        le=3600,
    )
    invite_ttl_s: float = setting(
        "WS_INVITE_TTL_S", 60, "Lifetime of an invite.", unit="s", ge=1, le=86400
    )
    invite_cooldown_s: float = setting(
        "WS_INVITE_COOLDOWN_S",
        30,
        "Time after a declined invite in which it can't be repeated.",
        unit="s",
        ge=0,
        le=86400,
    )
    seat_take_s: float = setting(
        "WS_SEAT_TAKE_S",
        15,
        "Time that the players of a new room have to take their seats.",
        unit="s",
        ge=1,
        le=3600,
    )
    room_empty_s: float = setting(
        "WS_ROOM_EMPTY_S", 60, "Time after which an empty room is closed.", unit="s", ge=0, le=86400
    )
    matchmaking_timeout_s: float = setting(
        "WS_MATCHMAKING_TIMEOUT_S",
        120,
        "Time after which the search for an opponent is cancelled.",
        unit="s",
        ge=1,
        le=86400,
    )
    bot_after_s: float = setting(
        "WS_BOT_AFTER_S",
        0,
        "Time after which a user who searches for an opponent is offered a bot; 0 offers none.",
        unit="s",
        ge=0,
        le=86400,
    )
    restart_grace_s: float = setting(
        "WS_RESTART_GRACE_S",
        60,
        "Minimum time after a start before seats, users, invites and rooms expire,"
        " counted from the first socket that it accepts.",
        unit="s",
        ge=0,
        le=3600,
    )
