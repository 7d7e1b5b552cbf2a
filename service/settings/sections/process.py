"""Address, logs and traces of the process."""

from typing import Literal

from service.settings.fields import section, setting
from service.settings.kinds import CollectorUrl, Level


@section
class ListenSettings:
    """Address and port of the service."""

    host: str = setting("WS_HOST", "127.0.0.1", "Address to listen on.")
    port: int = setting("WS_PORT", 4000, "Port to listen on; 0 takes a free one.", ge=0, le=65535)


@section
class WireSettings:
    """The hot paths between frames and sockets."""

    kind: Literal["native", "python"] = setting(
        "WS_WIRE",
        "native",
        "Code that reads and writes frames: the C extension if it is installed, or Python only.",
    )


@section
class LogSettings:
    """Logs and traces."""

    level: Level = setting("LOG_LEVEL", "info", "Minimum level that is logged.")
    format: Literal["ecs", "console"] = setting(
        "WS_LOG_FORMAT", "ecs", "Log format: JSON (Elastic Common Schema), or text for a terminal."
    )
    otel_endpoint: CollectorUrl | None = setting(
        "WS_OTEL_ENDPOINT",
        None,
        "OpenTelemetry collector (OTLP/HTTP) that traces are sent to; unset: no traces.",
        allowed="a URL like http://collector:4318; it needs the extra otel",
    )
