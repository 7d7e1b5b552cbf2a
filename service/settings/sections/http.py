"""Limits of HTTP, and of addresses."""

from service.settings.fields import section, setting


@section
class AddressLimits:
    """Rates of one address, and how it is found behind proxies."""

    handshakes_per_s: int = setting(
        "WS_HANDSHAKES_PER_S_PER_IP",
        50,
        "New connections from one address; 0: no limit.",
        unit="/s",
        ge=0,
        le=100_000,
    )
    requests_per_s: int = setting(
        "WS_REQUESTS_PER_S_PER_IP",
        50,
        "API requests from one address; 0: no limit.",
        unit="/s",
        ge=0,
        le=100_000,
    )
    trusted_hops: int = setting(
        "WS_TRUSTED_HOPS",
        0,
        "Number of reverse proxies in front, whose entries in X-Forwarded-For are trusted.",
        ge=0,
        le=16,
    )


@section
class HttpLimits:
    """Timeouts of HTTP, and a cap on connections that are not authenticated."""

    unauthenticated_max: int = setting(
        "WS_UNAUTHENTICATED_PER_IP_MAX",
        256,
        "Unauthenticated connections from one address (IPv6: one /64); 0: no limit.",
        ge=0,
        le=1_000_000,
    )
    head_s: float = setting(
        "WS_HTTP_HEAD_S",
        10,
        "Time limit for the head of a request, from the connect or its first byte.",
        unit="s",
        ge=0.1,
        le=3600,
    )
    body_s: float = setting(
        "WS_HTTP_BODY_S",
        15,
        "Time limit for the body of a request.",
        unit="s",
        ge=0.1,
        le=3600,
    )
    idle_s: float = setting(
        "WS_HTTP_IDLE_S",
        20,
        "Keep-alive timeout of a connection; must exceed that of a proxy in front.",
        unit="s",
        ge=0.1,
        le=3600,
    )


@section
class AdmissionLimits:
    """The queue of new connections, which wait while the ticks of live matches are late."""

    queue_max: int = setting(
        "WS_ADMISSION_QUEUE_MAX",
        2000,
        "Maximum queue of new connections while the service is busy; others get HTTP 503.",
        ge=1,
        le=100_000,
    )
    wait_s: float = setting(
        "WS_ADMISSION_WAIT_S",
        8,
        "Time that a new connection may wait in that queue; then it gets HTTP 503.",
        unit="s",
        ge=0.1,
        le=300,
    )
