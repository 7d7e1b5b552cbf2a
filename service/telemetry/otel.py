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
"""Bounds how long a collector that is down delays the end of the service."""


class OpenSpan:
    """A span that is ended by another callback than the one that began it."""

    def __init__(self, span: trace.Span) -> None:
        """Take a span that has begun."""
        self._span = span

    @property
    def ref(self) -> trace.SpanContext:
        """Refer to the span, for a link from another trace."""
        return self._span.get_span_context()

    def current(self) -> AbstractContextManager[object]:
        """Make it the parent of the spans that are begun meanwhile."""
        return trace.use_span(self._span)

    def end(self, error: Exception | None = None) -> None:
        """End it; `error` is what it has failed by."""
        if error is not None:
            self._span.record_exception(error)
            self._span.set_status(trace.StatusCode.ERROR, type(error).__name__)
        self._span.end()


class Exporter:
    """Creates spans and exports them in batches, from a thread of its own."""

    def __init__(self, endpoint: str) -> None:
        """Export to the OTLP/HTTP collector at `endpoint`, a URL without a path."""
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

    def begin(self, name: str, attributes: Mapping[str, str | int]) -> OpenSpan:
        """Open a span in the one around it; it stays open until its `end`."""
        return OpenSpan(self._tracer.start_span(name, attributes=attributes))

    def stop(self) -> None:
        """Send what is left."""
        self._provider.shutdown()
