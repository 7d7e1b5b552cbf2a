"""The settings: one environment variable each, with its unit, default, bounds and help.

`load_settings` reads them once, at start; afterwards they never change. The service's secret
is here too: the configured one, or that of development, which is kept in the data directory.
"""

import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias, get_args, get_origin
from urllib.parse import urlsplit

import jwt
from annotated_types import Ge, Le
from pydantic import BaseModel, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from service.errors import ConfigurationError, nearest

Algorithm: TypeAlias = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"
]

HTTP_URL = r"^https?://[^/@\s?#]+(/[^\s#]*)?$"
"""A URL without a user and a password, which would stand in logs."""

MASK = "***"
PREFIX = "WS_"
"""Begins the names of the service's own settings; those that it shares with others have none."""

SECRET_LENGTH_MIN = 8
DEV_SECRET_FILE = "dev-secret"  # noqa: S105 - the name of a file
SEAL_SECRET_FILE = "seal-secret"  # noqa: S105 - the name of a file
COMMAND_SECRET_FILE = "command-secret"  # noqa: S105 - the name of a file

_HTTP_URL = r"^https?://[^/\s,]+[^\s,]*$"

# The words of the logger that the replaced service used, so that its deployments keep theirs.
_FORMER_LEVELS = {"trace": "debug", "warn": "warning", "fatal": "critical"}


def _level(value: object) -> object:
    return _FORMER_LEVELS.get(value.lower(), value.lower()) if isinstance(value, str) else value


class IssuerSettings(BaseModel, frozen=True, extra="forbid"):
    """One of several issuers: where its keys are published, and for whom its tokens must be."""

    jwks_url: str = Field(pattern=HTTP_URL)
    audience: str | None = None


def _json(value: object) -> object:
    return json.loads(value) if isinstance(value, str) else value


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _setting(  # noqa: PLR0913 - one argument for each thing that a setting has
    env: str,
    default: object,
    help_: str,
    *,
    unit: str = "",
    ge: float | None = None,
    le: float | None = None,
    allowed: str | None = None,
    min_length: int | None = None,
) -> Any:
    """Make a field of `Settings`; `allowed` says what its type and bounds don't."""
    return Field(
        default,
        validation_alias=env,
        description=help_,
        ge=ge,
        le=le,
        min_length=min_length,
        json_schema_extra={"unit": unit, "allowed": allowed},
    )


class _Environment(PydanticBaseSettingsSource):
    """The environment, by the alias of each field and nothing else; an empty value is none."""

    def get_field_value(
        self,
        field: FieldInfo,
        field_name: str,  # noqa: ARG002 - the alias is the name in the environment
    ) -> tuple[Any, str, bool]:
        return os.environ.get(_env(field)) or None, _env(field), False

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields.items()
        found = [self.get_field_value(field, name) for name, field in fields]
        return {env: value for value, env, _ in found if value is not None}


@dataclass(frozen=True)
class SettingRow:
    """One setting for people to read: all is text, secrets are masked."""

    env: str
    value: str
    default: str
    unit: str
    allowed: str
    help: str


class Settings(BaseSettings):
    """Every setting of the service; names end in the unit."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False
    )

    # Where
    host: str = _setting("WS_HOST", "127.0.0.1", "Address to listen at.")
    port: int = _setting("WS_PORT", 4000, "Port to listen at; 0 takes a free one.", ge=0, le=65535)
    data_dir: Path = _setting("WS_DATA_DIR", Path("data"), "Directory of what the service keeps.")
    database_url: Annotated[str, Field(pattern=r"^sqlite\+aiosqlite:///.")] = Field(
        default_factory=lambda data: (
            f"sqlite+aiosqlite:///{data.get('data_dir', 'data')}/ws-service.db"
        ),
        validation_alias="WS_DATABASE_URL",
        description="Database of the event log.",
        json_schema_extra={
            "allowed": "sqlite+aiosqlite:///FILE",
            "default": "sqlite+aiosqlite:///<WS_DATA_DIR>/ws-service.db",
        },
    )
    migrate_at_start: bool = _setting(
        "WS_MIGRATE_AT_START",
        default=True,
        help_="Bring the database to the newest schema at start.",
    )

    # Logs
    log_level: Annotated[
        Literal["debug", "info", "warning", "error", "critical"], BeforeValidator(_level)
    ] = _setting("LOG_LEVEL", "info", "Least severe level that is logged.")
    log_format: Literal["ecs", "console"] = _setting(
        "WS_LOG_FORMAT", "ecs", "Form of the logs: JSON for ELK, or for a person."
    )

    # Traces
    otel_endpoint: Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")] | None = _setting(
        "WS_OTEL_ENDPOINT",
        None,
        "OpenTelemetry collector (OTLP/HTTP) that traces are sent to; unset: no traces.",
        allowed="a URL like http://collector:4318; it needs the extra otel",
    )

    # Tokens
    jwt_secret: SecretStr | None = _setting(
        "JWT_SECRET",
        None,
        "Secret that tokens are signed with (HS*); 32 bytes or more are safe.",
        allowed=f"a text of at least {SECRET_LENGTH_MIN} characters",
        min_length=SECRET_LENGTH_MIN,
    )
    jwt_algorithms: Annotated[tuple[Algorithm, ...], BeforeValidator(_split)] = _setting(
        "JWT_ALGORITHMS",
        ("HS256",),
        "Algorithms of accepted tokens; with JWT_PUBLIC_KEY or published keys: RS*, ES*, EdDSA.",
        min_length=1,
    )
    jwt_public_key: str | None = _setting(
        "JWT_PUBLIC_KEY",
        None,
        "Public key that tokens are checked with; JWT_ALGORITHMS must name RS*, ES* or EdDSA.",
        allowed="a public key in PEM; \\n may stand for a line's end",
    )
    jwt_jwks_url: Annotated[str, Field(pattern=HTTP_URL)] | None = _setting(
        "JWT_JWKS_URL",
        None,
        "Where the keys that tokens are checked with are published; see JWT_ALGORITHMS.",
        allowed="a URL of a JSON Web Key Set, without user and password",
    )
    jwt_issuers: Annotated[
        dict[Annotated[str, Field(min_length=1)], IssuerSettings] | None, BeforeValidator(_json)
    ] = _setting(
        "JWT_ISSUERS",
        None,
        "Several issuers, each by its `iss`, compared exactly; `audience` replaces JWT_AUDIENCE.",
        allowed='JSON like {"https://auth.example.org": {"jwks_url": "https://...", '
        '"audience": "games"}}',
        min_length=1,
    )
    jwt_audience: str | None = _setting("JWT_AUDIENCE", None, "Required `aud` of tokens.")
    jwt_issuer: str | None = _setting("JWT_ISSUER", None, "Required `iss` of tokens.")
    jwt_name_claims: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_split)
    ] = _setting(
        "JWT_NAME_CLAIMS",
        ("name", "username"),
        "Claims of tokens that hold the display name, which everybody sees; the first one counts.",
        allowed="names of claims, separated by commas",
        min_length=1,
    )
    jwt_leeway_s: float = _setting(
        "JWT_LEEWAY_S", 5, "Clock difference forgiven in `exp` and `nbf`.", unit="s", ge=0, le=300
    )
    jwks_refresh_s: float = _setting(
        "JWT_JWKS_REFRESH_S",
        300,
        "Time after which published keys are fetched again.",
        unit="s",
        ge=1,
        le=86400,
    )
    jwks_cooldown_s: float = _setting(
        "JWT_JWKS_COOLDOWN_S",
        10,
        "Least time between two fetches, however many tokens name an unknown key.",
        unit="s",
        ge=0.1,
        le=3600,
    )
    jwks_timeout_s: float = _setting(
        "JWT_JWKS_TIMEOUT_S",
        5,
        "How long the answer with the keys is waited for.",
        unit="s",
        ge=0.1,
        le=60,
    )

    # Vault
    vault_addr: Annotated[str, Field(pattern=HTTP_URL)] | None = _setting(
        "VAULT_ADDR",
        None,
        "Vault that holds the secret when JWT_SECRET is not set.",
        allowed="a URL like https://vault.example.org:8200, without user and password",
    )
    vault_token: SecretStr | None = _setting("VAULT_TOKEN", None, "Token to sign in to Vault with.")
    vault_role_id: str | None = _setting(
        "VAULT_ROLE_ID", None, "Role to sign in to Vault with, by AppRole, in place of a token."
    )
    vault_secret_id: SecretStr | None = _setting(
        "VAULT_SECRET_ID", None, "Secret id of the role; it must be good for more than one login."
    )
    vault_path: Annotated[str, Field(pattern=r"^[^/\s?#][^\s?#]*/data/[^\s?#]+$")] = _setting(
        "VAULT_PATH",
        "secret/data/jwt",
        "Path of the secret (key-value engine, version 2).",
        allowed="a path like secret/data/jwt",
    )
    vault_key: str = _setting("VAULT_KEY", "JWT_SECRET", "Key of the secret at its path.")
    vault_poll_s: float = _setting(
        "VAULT_POLL_S",
        60,
        "Time after which the secret is read again, so that it may be rotated.",
        unit="s",
        ge=0.1,
        le=86400,
    )
    vault_grace_s: float = _setting(
        "VAULT_GRACE_S",
        3600,
        "How long tokens signed with the former secret are still accepted.",
        unit="s",
        ge=0,
        le=30 * 86400,
    )
    vault_start_timeout_s: float = _setting(
        "VAULT_START_TIMEOUT_S",
        30,
        "How long a start waits for a Vault that gives no secret.",
        unit="s",
        ge=0,
        le=3600,
    )
    vault_timeout_s: float = _setting(
        "VAULT_TIMEOUT_S",
        5,
        "How long one answer of Vault is waited for.",
        unit="s",
        ge=0.1,
        le=60,
    )

    # Limits
    message_bytes_max: int = _setting(
        "WS_MESSAGE_BYTES_MAX",
        65536,
        "Longest message of a client; a longer one closes its socket with 1009.",
        unit="bytes",
        ge=1024,
        le=16 * 1024**2,
    )
    messages_per_s: int = _setting(
        "WS_MESSAGES_PER_S", 120, "Messages a socket may send.", unit="/s", ge=1, le=100_000
    )
    messages_burst: int = _setting(
        "WS_MESSAGES_BURST", 240, "Messages a socket may send at once.", ge=1, le=1_000_000
    )
    handshakes_per_s_per_ip: int = _setting(
        "WS_HANDSHAKES_PER_S_PER_IP",
        50,
        "New connections from one address; 0 is no limit.",
        unit="/s",
        ge=0,
        le=100_000,
    )
    requests_per_s_per_ip: int = _setting(
        "WS_REQUESTS_PER_S_PER_IP",
        50,
        "Requests of one address to the API; 0 is no limit.",
        unit="/s",
        ge=0,
        le=100_000,
    )
    unauthenticated_per_ip_max: int = _setting(
        "WS_UNAUTHENTICATED_PER_IP_MAX",
        256,
        "Connections of one address (IPv6: one /64) whose user is not known yet; 0 is no limit.",
        ge=0,
        le=1_000_000,
    )
    sockets_per_user_max: int = _setting(
        "WS_SOCKETS_PER_USER_MAX", 10, "Sockets (tabs) of one user.", ge=1, le=10_000
    )
    name_length_max: int = _setting(
        "WS_NAME_LENGTH_MAX", 64, "Longest name of a user.", unit="characters", ge=1, le=1024
    )
    allowed_origins: Annotated[
        tuple[Annotated[str, Field(pattern=r"^(\*|https?://[^/\s]+)$")], ...],
        BeforeValidator(_split),
    ] = _setting(
        "WS_ALLOWED_ORIGINS",
        ("*",),
        "Pages that may connect.",
        allowed="*, or origins like https://play.example.org, separated by commas",
        min_length=1,
    )
    trusted_hops: int = _setting(
        "WS_TRUSTED_HOPS",
        0,
        "Reverse proxies in front, whose entries in X-Forwarded-For are trusted.",
        ge=0,
        le=16,
    )
    friends_max: int = _setting(
        "WS_FRIENDS_MAX", 1000, "Friends whose status one user may watch.", ge=1, le=100_000
    )

    full_rate_sockets: float = _setting(
        "WS_FULL_RATE_SOCKETS",
        4,
        "What one user may send over all of their sockets, as so many sockets at the full rate.",
        ge=1,
        le=10_000,
    )
    logged_bytes_per_s: int = _setting(
        "WS_LOGGED_BYTES_PER_S",
        64 * 1024,
        "What the commands of one user may add to the log.",
        unit="bytes/s",
        ge=1024,
        le=1024**3,
    )
    logged_bytes_burst: int = _setting(
        "WS_LOGGED_BYTES_BURST",
        512 * 1024,
        "What the commands of one user may add to the log at once.",
        unit="bytes",
        ge=16 * 1024,
        le=1024**3,
    )
    signal_bytes_per_s: int = _setting(
        "WS_SIGNAL_BYTES_PER_S",
        128 * 1024,
        "Bytes of signals that one user may send.",
        unit="bytes/s",
        ge=1024,
        le=1024**3,
    )
    signal_bytes_burst: int = _setting(
        "WS_SIGNAL_BYTES_BURST",
        512 * 1024,
        "Bytes of signals that one user may send at once.",
        unit="bytes",
        ge=16 * 1024,
        le=1024**3,
    )
    signal_bytes_max: int = _setting(
        "WS_SIGNAL_BYTES_MAX",
        16 * 1024,
        "Longest `signal`, as a whole message.",
        unit="bytes",
        ge=256,
        le=16 * 1024**2,
    )
    signals_to_anybody: bool = _setting(
        "WS_SIGNALS_TO_ANYBODY",
        default=False,
        help_="Whether signals reach users who share neither a room nor an invite with the sender.",
    )
    move_bytes_max: int = _setting(
        "WS_MOVE_BYTES_MAX",
        4096,
        "Longest `game:move`, as a whole message.",
        unit="bytes",
        ge=256,
        le=16 * 1024**2,
    )
    room_bytes_max: int = _setting(
        "WS_ROOM_BYTES_MAX",
        4096,
        "Longest `metadata` of a room, and the same for its `options`, as JSON.",
        unit="bytes",
        ge=256,
        le=1024**2,
    )
    rooms_made_per_min: float = _setting(
        "WS_ROOMS_MADE_PER_MIN",
        30,
        "Rooms that one user may make, also by an invite or by matchmaking.",
        unit="/min",
        ge=0.1,
        le=1_000_000,
    )
    rooms_made_burst: int = _setting(
        "WS_ROOMS_MADE_BURST", 20, "Rooms that one user may make at once.", ge=1, le=1_000_000
    )
    invites_per_min: float = _setting(
        "WS_INVITES_PER_MIN",
        30,
        "Invites that one user may send.",
        unit="/min",
        ge=0.1,
        le=1_000_000,
    )
    invites_burst: int = _setting(
        "WS_INVITES_BURST", 20, "Invites that one user may send at once.", ge=1, le=1_000_000
    )
    password_guesses: int = _setting(
        "WS_PASSWORD_GUESSES",
        5,
        "Wrong passwords of one user for one room before they have to wait between two tries.",
        ge=1,
        le=1000,
    )
    password_pause_s: float = _setting(
        "WS_PASSWORD_PAUSE_S",
        1,
        "That wait; it doubles with each further wrong password, up to five minutes.",
        unit="s",
        ge=0.1,
        le=300,
    )
    chat_per_s: float = _setting(
        "WS_CHAT_PER_S", 1, "Chat messages a user may send.", unit="/s", ge=0.01, le=1000
    )
    chat_burst: int = _setting(
        "WS_CHAT_BURST", 10, "Chat messages a user may send at once.", ge=1, le=10_000
    )
    chat_length_max: int = _setting(
        "WS_CHAT_LENGTH_MAX", 500, "Longest chat message.", unit="characters", ge=1, le=10_000
    )
    spectators_max: int = _setting(
        "WS_SPECTATORS_MAX", 2000, "Spectators that a room may have.", ge=0, le=1_000_000
    )
    rooms_per_user_max: int = _setting(
        "WS_ROOMS_PER_USER_MAX", 10, "Rooms that one user may watch.", ge=1, le=1000
    )

    # Times
    presence_grace_s: float = _setting(
        "WS_PRESENCE_GRACE_S",
        5,
        "How long a user whose last socket broke still counts as online.",
        unit="s",
        ge=0,
        le=3600,
    )
    user_list_interval_ms: int = _setting(
        "WS_USER_LIST_INTERVAL_MS",
        250,
        "Least time between two `user:list` to everybody; it is longer for a crowd.",
        unit="ms",
        ge=0,
        le=60_000,
    )
    user_diff_interval_ms: int = _setting(
        "WS_USER_DIFF_INTERVAL_MS",
        100,
        "Least time between two `user:diff`, longer for a crowd, or two states of one room.",
        unit="ms",
        ge=0,
        le=60_000,
    )
    token_warning_s: float = _setting(
        "WS_TOKEN_WARNING_S",
        60,
        "How long before the end of its token a client is warned.",
        unit="s",
        ge=0,
        le=86400,
    )
    token_grace_s: float = _setting(
        "WS_TOKEN_GRACE_S",
        25,
        "How long after the end of its token a v1 socket stays open.",
        unit="s",
        ge=0,
        le=86400,
    )
    drain_retry_ms: int = _setting(
        "WS_DRAIN_RETRY_MS",
        3000,
        "Within which time clients connect again after a stop.",
        unit="ms",
        ge=0,
        le=600_000,
    )
    reconnect_grace_s: float = _setting(
        "WS_RECONNECT_GRACE_S",
        10,
        "How long a player who dropped may come back; 0 forfeits at once.",
        unit="s",
        ge=0,
        le=3600,
    )
    restart_grace_s: float = _setting(
        "WS_RESTART_GRACE_S",
        60,
        "How long seats, users, invites and rooms wait at least after a start of the service,"
        " counted from the first socket that it accepts.",
        unit="s",
        ge=0,
        le=3600,
    )
    pause_budget_s: float = _setting(
        "WS_PAUSE_BUDGET_S",
        60,
        "How long a player may make a match wait, all pauses of it together; then it goes on.",
        unit="s",
        ge=0,
        le=3600,
    )
    match_duration_s: int = _setting(
        "WS_MATCH_DURATION_S", 30, "Length of a match by the clock.", unit="s", ge=1, le=3600
    )
    invite_ttl_s: float = _setting(
        "WS_INVITE_TTL_S", 60, "How long an invite stands.", unit="s", ge=1, le=86400
    )
    invite_cooldown_s: float = _setting(
        "WS_INVITE_COOLDOWN_S",
        30,
        "How long a user whose invite was declined can't invite the same user again.",
        unit="s",
        ge=0,
        le=86400,
    )
    seat_take_s: float = _setting(
        "WS_SEAT_TAKE_S",
        15,
        "How long the seats of a new room wait for their players.",
        unit="s",
        ge=1,
        le=3600,
    )
    room_empty_s: float = _setting(
        "WS_ROOM_EMPTY_S", 60, "After how long an empty room closes.", unit="s", ge=0, le=86400
    )
    matchmaking_timeout_s: float = _setting(
        "WS_MATCHMAKING_TIMEOUT_S",
        120,
        "After how long the search for an opponent gives up.",
        unit="s",
        ge=1,
        le=86400,
    )
    socketio_connect_s: float = _setting(
        "WS_SOCKETIO_CONNECT_S",
        10,
        "How long a Socket.IO connection may be open without a session.",
        unit="s",
        ge=0.1,
        le=300,
    )
    http_head_s: float = _setting(
        "WS_HTTP_HEAD_S",
        10,
        "How long a client may take for the head of a request, from its connecting or first byte.",
        unit="s",
        ge=0.1,
        le=3600,
    )
    http_body_s: float = _setting(
        "WS_HTTP_BODY_S",
        15,
        "How long a client may take for the body of a request.",
        unit="s",
        ge=0.1,
        le=3600,
    )
    http_idle_s: float = _setting(
        "WS_HTTP_IDLE_S",
        20,
        "How long a connection stays open for another request; longer than that of a proxy.",
        unit="s",
        ge=0.1,
        le=3600,
    )
    heartbeat_s: float = _setting(
        "WS_HEARTBEAT_S",
        20,
        "Time between pings; a peer has half of it to answer.",
        unit="s",
        ge=1,
        le=3600,
    )
    invite_needs_lobby: bool = _setting(
        "WS_INVITE_NEEDS_LOBBY",
        default=False,
        help_="Whether only users in the lobby can be invited.",
    )

    # Slow sockets
    slow_bytes: int = _setting(
        "WS_SLOW_BYTES",
        256 * 1024,
        "Unsent bytes above which a socket keeps only the newest state frame.",
        unit="bytes",
        ge=1024,
        le=1024**3,
    )
    slow_bytes_max: int = _setting(
        "WS_SLOW_BYTES_MAX",
        1024**2,
        "Unsent bytes above which a socket is cut off.",
        unit="bytes",
        ge=1024,
        le=1024**3,
    )
    slow_stall_s: float = _setting(
        "WS_SLOW_STALL_S",
        10,
        "How long a slow socket may take nothing before it is cut off.",
        unit="s",
        ge=0.1,
        le=3600,
    )

    # The log
    checkpoint_s: float = _setting(
        "WS_CHECKPOINT_S",
        1,
        "Time between two checkpoints of a live match.",
        unit="s",
        ge=0.1,
        le=60,
    )
    snapshot_events: int = _setting(
        "WS_SNAPSHOT_EVENTS",
        50_000,
        "Events between two snapshots of the projections.",
        unit="events",
        ge=1,
        le=100_000_000,
    )
    tail_events_max: int = _setting(
        "WS_TAIL_EVENTS_MAX",
        100_000,
        "Recent events that somebody was told of, kept in memory for clients that resume.",
        unit="events",
        ge=1,
        le=10_000_000,
    )
    tail_s: float = _setting(
        "WS_TAIL_S", 600, "Age up to which events are kept in memory.", unit="s", ge=1, le=86400
    )
    tail_frames_max: int = _setting(
        "WS_TAIL_FRAMES_MAX",
        1_000_000,
        "Recent messages kept in memory, counted for each user who is to get one.",
        ge=1,
        le=100_000_000,
    )
    tail_bytes_max: int = _setting(
        "WS_TAIL_BYTES_MAX",
        64 * 1024**2,
        "Memory for recent messages, of all users together.",
        unit="bytes",
        ge=1024**2,
        le=1024**4,
    )
    tail_bytes_per_user_max: int = _setting(
        "WS_TAIL_BYTES_PER_USER_MAX",
        512 * 1024,
        "Memory for recent messages of one user; who has missed more gets a `resync`.",
        unit="bytes",
        ge=4096,
        le=1024**3,
    )
    delayed_bytes_max: int = _setting(
        "WS_DELAYED_BYTES_MAX",
        64 * 1024**2,
        "Memory for what spectators get later (`spectator_delay_s`), of all rooms together.",
        unit="bytes",
        ge=1024**2,
        le=1024**4,
    )
    database_busy_ms: int = _setting(
        "WS_DATABASE_BUSY_MS",
        2000,
        "How long a locked database is waited for.",
        unit="ms",
        ge=0,
        le=60_000,
    )

    # The user service
    user_service_url: Annotated[str, Field(pattern=_HTTP_URL)] | None = _setting(
        "USER_SERVICE_URL",
        None,
        "User service: names, friends, and where finished matches are saved.",
        allowed="a URL like http://users:3000",
    )
    user_service_token: SecretStr | None = _setting(
        "USER_SERVICE_TOKEN",
        None,
        "Token to save a match with when the player's own has expired.",
    )
    user_service_timeout_s: float = _setting(
        "USER_SERVICE_TIMEOUT_S",
        2,
        "How long an answer about names and friends is waited for.",
        unit="s",
        ge=0.05,
        le=60,
    )
    user_service_concurrency: int = _setting(
        "USER_SERVICE_CONCURRENCY",
        16,
        "Requests at once for names and friends; the same again for matches.",
        ge=1,
        le=1000,
    )
    user_service_name_age_s: float = _setting(
        "USER_SERVICE_NAME_AGE_S",
        300,
        "How long a name that the user service gave is not asked for again.",
        unit="s",
        ge=0,
        le=86400,
    )
    user_service_names_max: int = _setting(
        "USER_SERVICE_NAMES_MAX",
        10_000,
        "Names of the user service kept in memory.",
        ge=1,
        le=10_000_000,
    )
    breaker_failures: int = _setting(
        "WS_BREAKER_FAILURES",
        5,
        "Consecutive failures of a service that open its circuit breaker.",
        ge=1,
        le=1000,
    )
    breaker_pause_s: float = _setting(
        "WS_BREAKER_PAUSE_S",
        10,
        "How long the circuit breaker stays open before a trial request.",
        unit="s",
        ge=0.05,
        le=3600,
    )

    # Finished matches
    webhook_urls: Annotated[
        tuple[Annotated[str, Field(pattern=_HTTP_URL)], ...], BeforeValidator(_split)
    ] = _setting(
        "WS_WEBHOOK_URLS",
        (),
        "Who else is told of each finished match.",
        allowed="URLs like https://stats.example.org/matches, separated by commas",
    )
    webhook_secret: SecretStr | None = _setting(
        "WS_WEBHOOK_SECRET",
        None,
        "Secret that webhooks are signed with.",
        allowed=f"whsec_ and base64, or a text of at least {SECRET_LENGTH_MIN} characters",
        min_length=SECRET_LENGTH_MIN,
    )
    outbox_timeout_s: float = _setting(
        "WS_OUTBOX_TIMEOUT_S",
        10,
        "How long a consumer of finished matches may take to answer.",
        unit="s",
        ge=0.05,
        le=300,
    )
    outbox_retry_s: float = _setting(
        "WS_OUTBOX_RETRY_S",
        1,
        "Wait after the first failed delivery; it doubles with each further one.",
        unit="s",
        ge=0.05,
        le=3600,
    )
    outbox_retry_max_s: float = _setting(
        "WS_OUTBOX_RETRY_MAX_S",
        300,
        "Longest wait between two deliveries of a match.",
        unit="s",
        ge=0.05,
        le=86400,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - it also takes field names
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take arguments (of tests) before the environment, and read no files."""
        return init_settings, _Environment(settings_cls)

    @model_validator(mode="after")
    def _hold_together(self) -> Self:
        """Refuse settings that are right by themselves but not together."""
        if self.slow_bytes > self.slow_bytes_max:
            message = f"WS_SLOW_BYTES={self.slow_bytes} must not be above WS_SLOW_BYTES_MAX"
            raise ValueError(message)
        if self.webhook_urls and self.webhook_secret is None:
            message = "WS_WEBHOOK_URLS needs WS_WEBHOOK_SECRET, which webhooks are signed with"
            raise ValueError(message)
        algorithms = ",".join(self.jwt_algorithms)
        symmetric = {name.startswith("HS") for name in self.jwt_algorithms}
        if len(symmetric) > 1:
            # With both, a public key could be passed off as the secret of HS*.
            message = f"JWT_ALGORITHMS={algorithms} must not mix HS* with the others"
            raise ValueError(message)
        sources = self._sources_of_public_keys()
        if True in symmetric and sources:
            message = (
                f"{sources[0]} checks tokens of RS*, ES* or EdDSA, but JWT_ALGORITHMS is "
                f"{algorithms}: set JWT_ALGORITHMS to what your tokens are signed with "
                f"(RS256, say), or unset {sources[0]} to check them with JWT_SECRET"
            )
            raise ValueError(message)
        if False in symmetric:
            _check_sources(sources, algorithms)
        if self.jwt_public_key is not None:
            _check_public_key(self.jwt_public_key, self.jwt_algorithms)
        if self.jwt_issuers is not None and self.jwt_issuer is not None:
            message = "JWT_ISSUER is of no use with JWT_ISSUERS, which names them all: unset one"
            raise ValueError(message)
        if self.secret_is_in_vault:
            self._check_vault()
        return self

    def _sources_of_public_keys(self) -> list[str]:
        values = {
            "JWT_PUBLIC_KEY": self.jwt_public_key,
            "JWT_JWKS_URL": self.jwt_jwks_url,
            "JWT_ISSUERS": self.jwt_issuers,
        }
        return [env for env, value in values.items() if value is not None]

    def _check_vault(self) -> None:
        """Raise `ValueError` when there is not exactly one way to sign in."""
        role = (self.vault_role_id, self.vault_secret_id)
        if (self.vault_token is None) == (role == (None, None)) or role.count(None) == 1:
            raise ValueError(
                "VAULT_ADDR needs either VAULT_TOKEN, or VAULT_ROLE_ID and VAULT_SECRET_ID"
            )
        token = self.vault_token.get_secret_value() if self.vault_token else ""
        if not (token.isascii() and token.isprintable()):
            raise ValueError("VAULT_TOKEN must be one line of plain characters")

    @property
    def checks_by_secret(self) -> bool:
        """Whether tokens are signed with a secret (HS*), and not with a private key."""
        return self.jwt_algorithms[0].startswith("HS")

    @property
    def secret_is_in_vault(self) -> bool:
        """Whether the secret is read from Vault; one that is set here comes before it."""
        return self.checks_by_secret and self.jwt_secret is None and self.vault_addr is not None

    @property
    def public_key(self) -> str | None:
        """The public key in PEM, with real ends of lines."""
        return self.jwt_public_key and _pem(self.jwt_public_key)

    def warnings(self) -> list[str]:
        """Name what works but is not safe."""
        secret = self.jwt_secret.get_secret_value() if self.jwt_secret else None
        urls = [self.jwt_jwks_url, *(one.jwks_url for one in (self.jwt_issuers or {}).values())]
        if self.secret_is_in_vault:
            urls.append(self.vault_addr)
        return [
            *(self.warnings_of(secret) if secret is not None else ()),
            *(
                f"{url} is asked without TLS: whoever stands in between can let anybody in"
                for url in urls
                if url is not None and _is_open_to_others(url)
            ),
        ]

    def warnings_of(self, secret: str) -> list[str]:
        """Name what is not safe about a secret, wherever it comes from."""
        # RFC 7518, 3.2: a key at least as long as the hash.
        bits = max(
            (int(name[2:]) for name in self.jwt_algorithms if name.startswith("HS")), default=0
        )
        length = len(secret.encode())
        if length < bits // 8:
            names = ",".join(self.jwt_algorithms)
            return [f"JWT_SECRET has {length} bytes; {names} wants {bits // 8} or more"]
        return []

    def table(self) -> list[SettingRow]:
        """List all settings as they are in force."""
        return [
            SettingRow(
                env=_env(field),
                value=_text(getattr(self, name)),
                default=_default(field),
                unit=_extra(field, "unit"),
                allowed=_allowed(field),
                help=field.description or "",
            )
            for name, field in Settings.model_fields.items()
        ]


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises `ConfigurationError` with one line that names each wrong variable, its value (unless
    it is secret) and what is allowed.
    """
    try:
        return Settings()
    except ValidationError as error:
        # `from None`: the original holds the values, also secret ones.
        raise ConfigurationError("; ".join(_complaints(error))) from None


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Warn of each variable that looks like a setting and is none, with the nearest one."""
    known = [_env(field) for field in Settings.model_fields.values()]
    warnings = []
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            hint = nearest(name, known)
            meant = "" if hint is None else f": did you mean {hint}?"
            warnings.append(f"{name} is no setting, and means nothing{meant}")
    return warnings


def signing_secret(settings: Settings) -> str:
    """Return the configured secret, else that of development.

    Raises `ConfigurationError` when there is neither, or when another one stands in Vault.
    """
    if settings.jwt_secret is not None:
        return settings.jwt_secret.get_secret_value()
    if settings.secret_is_in_vault:
        raise ConfigurationError("only `serve` reads the secret from Vault: set JWT_SECRET as well")
    secret = read_dev_secret(settings.data_dir)
    if secret is None:
        message = (
            "there is no secret to sign tokens with: set JWT_SECRET,"
            " or start `ws-service serve --dev` once, which makes one for development"
        )
        raise ConfigurationError(message)
    return secret


def dev_secret(data_dir: Path, new: str | None = None) -> str:
    """Return the secret of development in `data_dir`, made at first use, or `new` kept as that.

    Raises `ConfigurationError` when it can't be kept there.
    """
    return _made_secret(data_dir, DEV_SECRET_FILE, new)


def seal_secret(data_dir: Path) -> str:
    """Return the secret that stored tokens are encrypted with, made at first use.

    Raises `ConfigurationError` when it can't be kept in `data_dir`.
    """
    return _made_secret(data_dir, SEAL_SECRET_FILE)


def command_secret(data_dir: Path) -> str:
    """Return the key of the digests of commands in the log, made at first use.

    Without the file, a new key is made, and nothing can be compared with older digests any more.
    Raises `ConfigurationError` when it can't be kept in `data_dir`.
    """
    return _made_secret(data_dir, COMMAND_SECRET_FILE)


def read_dev_secret(data_dir: Path) -> str | None:
    """Return the secret of development in `data_dir`, or None when none was made.

    Raises `ConfigurationError` when it is there but can't be read.
    """
    return _read_secret(data_dir, DEV_SECRET_FILE)


def _made_secret(data_dir: Path, file: str, new: str | None = None) -> str:
    secret = _read_secret(data_dir, file)
    if secret is None:
        secret = new or secrets.token_urlsafe(32)
        path = data_dir / file
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(secret + "\n")
        except OSError as error:
            message = f"WS_DATA_DIR={data_dir} must be writable: {error.strerror}"
            raise ConfigurationError(message) from error
    return secret


def _read_secret(data_dir: Path, file: str) -> str | None:
    try:
        return (data_dir / file).read_text().strip() or None
    except FileNotFoundError:
        return None
    except OSError as error:
        message = f"WS_DATA_DIR={data_dir} must be readable: {error.strerror}"
        raise ConfigurationError(message) from error


def mask_url(url: str) -> str:
    """Hide the password in a URL, wherever it stands."""
    url = re.sub(r"(://[^:@/]*:).*@", rf"\1{MASK}@", url)
    return re.sub(r"([?&]\w*pass\w*=)[^&#]*", rf"\1{MASK}", url, flags=re.IGNORECASE)


def _pem(text: str) -> str:
    return text.replace("\\n", "\n")


def _is_open_to_others(url: str) -> bool:
    """Tell whether what comes from `url` goes over a network in the clear."""
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}


def _check_sources(sources: list[str], algorithms: str) -> None:
    """Raise `ValueError` when public keys do not come from exactly one place."""
    if not sources:
        message = f"JWT_ALGORITHMS={algorithms} needs JWT_PUBLIC_KEY, JWT_JWKS_URL or JWT_ISSUERS"
        raise ValueError(message)
    if len(sources) > 1:
        message = f"{' and '.join(sources)} can't be used together: unset all but one"
        raise ValueError(message)


def _check_public_key(key: str, algorithms: tuple[Algorithm, ...]) -> None:
    """Raise `ValueError` for a key that can't check tokens of these algorithms."""
    names = ",".join(algorithms)
    if "PRIVATE KEY" in key:
        message = "JWT_PUBLIC_KEY must be the public key in PEM; it holds a private key"
        raise ValueError(message)
    for name in algorithms:
        try:
            jwt.get_algorithm_by_name(name).prepare_key(_pem(key))
        except (jwt.InvalidKeyError, TypeError, ValueError):
            message = f"JWT_PUBLIC_KEY must be a public key in PEM that fits JWT_ALGORITHMS={names}"
            raise ValueError(message) from None


def _env(field: FieldInfo) -> str:
    return str(field.validation_alias)


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in get_args(field.annotation)


def _extra(field: FieldInfo, key: str) -> str:
    extra = field.json_schema_extra
    return str(extra.get(key) or "") if isinstance(extra, dict) else ""


def _default(field: FieldInfo) -> str:
    return _extra(field, "default") or _text(field.default)


def _text(value: object) -> str:
    """Show a value as it would be set; a secret only that it is there."""
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, bool | float):
        return str(value).lower() if isinstance(value, bool) else f"{value:g}"
    if isinstance(value, tuple):
        return ",".join(mask_url(part) for part in value)
    if isinstance(value, dict):
        return json.dumps({key: one.model_dump(exclude_none=True) for key, one in value.items()})
    return mask_url(str(value))


def _allowed(field: FieldInfo) -> str:
    """Say in words which values `field` takes."""
    by_hand = _extra(field, "allowed")
    if by_hand:
        return by_hand
    kind = field.annotation
    if kind is bool:
        return "true or false"
    if kind in (int, float):
        low = next(bound.ge for bound in field.metadata if isinstance(bound, Ge))
        high = next(bound.le for bound in field.metadata if isinstance(bound, Le))
        return f"{'a whole number' if kind is int else 'a number'} from {low} to {high}"
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(get_args(kind))
    if get_origin(kind) is tuple:
        return "some of " + ", ".join(get_args(get_args(kind)[0])) + ", separated by commas"
    return "a text"


def _place_in(loc: tuple[int | str, ...]) -> str:
    """Say where in a value of several parts, each with its name, the wrong one is."""
    return f" at {'.'.join(map(str, loc[1:]))}" if isinstance(loc[-1], str) and loc[1:] else ""


def _complaints(error: ValidationError) -> list[str]:
    """Make a sentence for each wrong setting."""
    by_env = {_env(field): field for field in Settings.model_fields.values()}
    lines = {}
    for problem in error.errors():
        if problem["type"] == "default_factory_not_called":
            # The database's place follows from the settings before it, one of which is wrong.
            continue
        env = str(problem["loc"][0]) if problem["loc"] else ""
        if env not in by_env:
            # What `_hold_together` says is a sentence already.
            lines[env] = str(problem.get("ctx", {}).get("error", problem["msg"]))
            continue
        field = by_env[env]
        shown = "" if _is_secret(field) else "=" + _text(os.environ.get(env, ""))
        where = _place_in(problem["loc"])
        lines[env] = f"{env}{shown} is not allowed{where}: it must be {_allowed(field)}"
    return list(lines.values())
