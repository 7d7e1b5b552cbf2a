"""OpenTelemetry exporter; needs the extra `otel`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from service import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

EXPORT_TIMEOUT_S = 3
"""A collector that is down delays the end of the service by no more."""


class Exporter:
    """Makes spans and sends them in batches, from a thread of its own."""

    def __init__(self, endpoint: str) -> None:
        """Send to the OTLP/HTTP collector at `endpoint`, its URL without a path."""
        self._provider = TracerProvider(
            resource=Resource.create(
                {"service.name": "ws-service", "service.version": __version__}
            ),
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_TIMEOUT_S)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("service", __version__)

    def span(
        self,
        name: str,
        links: Sequence[trace.SpanContext | None],
        attributes: Mapping[str, str | int],
    ) -> AbstractContextManager[object]:
        """Open a span in the one around it."""
        return self._tracer.start_as_current_span(
            name,
            links=[trace.Link(link) for link in links if link is not None],
            attributes=attributes,
        )

    def here(self) -> trace.SpanContext:
        """Refer to the open span."""
        return trace.get_current_span().get_span_context()

    def stop(self) -> None:
        """Send what is left."""
        self._provider.shutdown()
