"""The event store, and the backlog that is kept in memory."""

from pathlib import Path

from service.settings.fields import section, setting
from service.settings.kinds import DatabaseUrl


@section
class StorageSettings:
    """Database and data directory; intervals of checkpoints and snapshots."""

    data_dir: Path = setting(
        "WS_DATA_DIR", Path("data"), "Data directory: the log, its lock and its secrets."
    )
    database_url: DatabaseUrl = setting(
        "WS_DATABASE_URL",
        "",
        "Database of the event log.",
        allowed="sqlite+aiosqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE",
        default_text="sqlite+aiosqlite:///<WS_DATA_DIR>/ws-service.db",
    )
    migrate_at_start: bool = setting(
        "WS_MIGRATE_AT_START",
        default=True,
        help_="Whether to migrate the database to the newest schema at start.",
    )
    busy_ms: int = setting(
        "WS_DATABASE_BUSY_MS",
        2000,
        "How long to wait for a locked database.",
        unit="ms",
        ge=0,
        le=60_000,
    )
    archive_dir: Path | None = setting(
        "WS_ARCHIVE_DIR",
        None,
        "Directory of the archives that `ws-service log archive` has written; shared by all nodes.",
    )
    checkpoint_s: float = setting(
        "WS_CHECKPOINT_S",
        1,
        "Interval of checkpoints of a live match.",
        unit="s",
        ge=0.1,
        le=60,
    )
    snapshot_events: int = setting(
        "WS_SNAPSHOT_EVENTS",
        50_000,
        "Number of events between two snapshots of the projections.",
        unit="events",
        ge=1,
        le=100_000_000,
    )

    def __post_init__(self) -> None:
        """Put the database into the data directory, unless a URL is set."""
        if not self.database_url:
            url = f"sqlite+aiosqlite:///{self.data_dir}/ws-service.db"
            object.__setattr__(self, "database_url", url)

    @property
    def log_file(self) -> Path:
        """The file of the log on SQLite; on PostgreSQL it names the lock and the side file."""
        if self.database_url.startswith("sqlite"):
            return Path(self.database_url.partition(":///")[2].partition("?")[0])
        return self.data_dir / "ws-service.db"


@section
class BacklogLimits:
    """How many recent messages are kept for clients that resume."""

    events_max: int = setting(
        "WS_TAIL_EVENTS_MAX",
        100_000,
        "Maximum number of recent events with messages, kept in memory for resumes.",
        unit="events",
        ge=1,
        le=10_000_000,
    )
    age_s: float = setting(
        "WS_TAIL_S", 600, "Maximum age of the events kept in memory.", unit="s", ge=1, le=86400
    )
    frames_max: int = setting(
        "WS_TAIL_FRAMES_MAX",
        1_000_000,
        "Maximum number of recent messages in memory, counted once per recipient.",
        ge=1,
        le=100_000_000,
    )
    bytes_max: int = setting(
        "WS_TAIL_BYTES_MAX",
        64 * 1024**2,
        "Memory for recent messages, all users together.",
        unit="bytes",
        ge=1024**2,
        le=1024**4,
    )
    bytes_per_user_max: int = setting(
        "WS_TAIL_BYTES_PER_USER_MAX",
        512 * 1024,
        "Memory for recent messages of one user; a user who missed more gets a `resync`.",
        unit="bytes",
        ge=4096,
        le=1024**3,
    )
