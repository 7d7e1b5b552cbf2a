"""Broadcasts of users and rooms."""

from service.settings.fields import section, setting


@section
class BroadcastLimits:
    """Minimum intervals of presence broadcasts, and memory for delayed spectator messages."""

    user_list_ms: int = setting(
        "WS_USER_LIST_INTERVAL_MS",
        250,
        "Minimum time between two `user:list` broadcasts; it grows with the number of sockets.",
        unit="ms",
        ge=0,
        le=60_000,
    )
    user_diff_ms: int = setting(
        "WS_USER_DIFF_INTERVAL_MS",
        100,
        "Minimum time between two `user:diff` (grows with the sockets) or two states of a room.",
        unit="ms",
        ge=0,
        le=60_000,
    )
    delayed_bytes_max: int = setting(
        "WS_DELAYED_BYTES_MAX",
        64 * 1024**2,
        "Memory for delayed spectator messages (`spectator_delay_s`), all rooms together.",
        unit="bytes",
        ge=1024**2,
        le=1024**4,
    )

    @property
    def user_list_s(self) -> float:
        """Minimum time between two lists of all users."""
        return self.user_list_ms / 1000

    @property
    def user_diff_s(self) -> float:
        """Minimum time between two diffs of that list, or two states of one room."""
        return self.user_diff_ms / 1000
