"""Other services: the user service, webhooks, deliveries to both."""

from pydantic import SecretStr

from service.settings.fields import section, setting
from service.settings.kinds import SECRET_LENGTH_MIN, ServiceUrl, ServiceUrls


@section
class UserServiceSettings:
    """The user service: timeouts, concurrency, and the cache of names."""

    url: ServiceUrl | None = setting(
        "USER_SERVICE_URL",
        None,
        "User service: looks up names and friends, and saves finished matches.",
        allowed="a URL like http://users:3000",
    )
    token: SecretStr | None = setting(
        "USER_SERVICE_TOKEN",
        None,
        "Token to save a match with when the player's token has expired.",
    )
    timeout_s: float = setting(
        "USER_SERVICE_TIMEOUT_S",
        2,
        "Timeout of a request for names or friends.",
        unit="s",
        ge=0.05,
        le=60,
    )
    concurrency: int = setting(
        "USER_SERVICE_CONCURRENCY",
        16,
        "Maximum concurrent requests for names and friends, and as many for matches.",
        ge=1,
        le=1000,
    )
    name_age_s: float = setting(
        "USER_SERVICE_NAME_AGE_S",
        300,
        "Time that a name from the user service is cached.",
        unit="s",
        ge=0,
        le=86400,
    )
    names_max: int = setting(
        "USER_SERVICE_NAMES_MAX",
        10_000,
        "Maximum number of cached names from the user service.",
        ge=1,
        le=10_000_000,
    )


@section
class BreakerLimits:
    """When a circuit breaker opens, and for how long."""

    failures_max: int = setting(
        "WS_BREAKER_FAILURES",
        5,
        "Consecutive failures of a service that open its circuit breaker.",
        ge=1,
        le=1000,
    )
    pause_s: float = setting(
        "WS_BREAKER_PAUSE_S",
        10,
        "Time that the circuit breaker stays open before a trial request.",
        unit="s",
        ge=0.05,
        le=3600,
    )


@section
class WebhookSettings:
    """Webhooks that finished matches are posted to."""

    urls: ServiceUrls = setting(
        "WS_WEBHOOK_URLS",
        (),
        "Webhooks that each finished match is posted to.",
        allowed="URLs like https://stats.example.org/matches, separated by commas",
    )
    secret: SecretStr | None = setting(
        "WS_WEBHOOK_SECRET",
        None,
        "Secret that webhooks are signed with.",
        allowed=f"whsec_ and base64, or a text of at least {SECRET_LENGTH_MIN} characters",
        min_length=SECRET_LENGTH_MIN,
    )


@section
class RetryPolicy:
    """Timeout and exponential backoff of deliveries of finished matches."""

    timeout_s: float = setting(
        "WS_OUTBOX_TIMEOUT_S",
        10,
        "Timeout of a delivery of a finished match.",
        unit="s",
        ge=0.05,
        le=300,
    )
    retry_s: float = setting(
        "WS_OUTBOX_RETRY_S",
        1,
        "Delay after the first failed delivery; it doubles with each further one.",
        unit="s",
        ge=0.05,
        le=3600,
    )
    retry_max_s: float = setting(
        "WS_OUTBOX_RETRY_MAX_S",
        300,
        "Maximum delay between two delivery attempts of a match.",
        unit="s",
        ge=0.05,
        le=86400,
    )

    def after(self, attempts: int, jitter: float) -> float:
        """Return the seconds to wait after this many failed attempts; `jitter` is from 0 to 1.

        The bound doubles with each attempt. Half of it is jitter, so that deliveries that failed
        together are not retried together.
        """
        bound = min(self.retry_max_s, self.retry_s * 2.0 ** min(attempts - 1, 60))
        return bound * (1 + jitter) / 2
