"""Broadcasts of users and rooms."""

from service.settings.fields import section, setting


@section
class BroadcastLimits:
    """Least intervals of presence broadcasts, and memory for what spectators get later."""

    user_list_ms: int = setting(
        "WS_USER_LIST_INTERVAL_MS",
        250,
        "Least time between two `user:list` to everybody; it is longer for a crowd.",
        unit="ms",
        ge=0,
        le=60_000,
    )
    user_diff_ms: int = setting(
        "WS_USER_DIFF_INTERVAL_MS",
        100,
        "Least time between two `user:diff`, longer for a crowd, or two states of one room.",
        unit="ms",
        ge=0,
        le=60_000,
    )
    delayed_bytes_max: int = setting(
        "WS_DELAYED_BYTES_MAX",
        64 * 1024**2,
        "Memory for what spectators get later (`spectator_delay_s`), of all rooms together.",
        unit="bytes",
        ge=1024**2,
        le=1024**4,
    )

    @property
    def user_list_s(self) -> float:
        """Least time between two lists of all users."""
        return self.user_list_ms / 1000

    @property
    def user_diff_s(self) -> float:
        """Least time between two differences of that list, or two states of one room."""
        return self.user_diff_ms / 1000
