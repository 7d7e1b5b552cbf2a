"""OpenTelemetry tracing; a no-op until `start` names a collector."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, TypeAlias

from service.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.trace import SpanContext

    from service.telemetry.otel import Exporter, OpenSpan

SpanRef: TypeAlias = "SpanContext | None"

_NO_SPAN: AbstractContextManager[object] = nullcontext()


class Traces:
    """Opens spans; each is a child of the current one."""

    def __init__(self) -> None:
        """Start disabled."""
        self._exporter: Exporter | None = None
        self.is_on = False
        """Whether spans are exported: what is frequent opens none otherwise."""

    def start(self, endpoint: str) -> None:
        """Export spans to an OTLP/HTTP collector; raise `ConfigurationError` without the extra."""
        try:
            from service.telemetry.otel import Exporter  # noqa: PLC0415 - its packages are an extra
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"WS_OTEL_ENDPOINT needs {error.name}: in the checkout, `pip install '.[otel]'`"
            ) from error
        self._exporter = Exporter(endpoint)
        self.is_on = True

    def stop(self) -> None:
        """Export the remaining spans, which may block for some seconds, and disable tracing."""
        if self._exporter is not None:
            self._exporter.stop()
            self._exporter = None
            self.is_on = False

    def span(
        self, name: str, links: Sequence[SpanRef] = (), **attributes: str | int
    ) -> AbstractContextManager[object]:
        """Open a child of the current span; `links` are other spans whose work it does."""
        if self._exporter is None:
            return _NO_SPAN
        return self._exporter.span(name, links, attributes)

    def begin(self, name: str, **attributes: str | int) -> OpenSpan | None:
        """Open a child of the current span, to be ended by a callback; None without tracing."""
        return None if self._exporter is None else self._exporter.begin(name, attributes)

    def within(self, span: OpenSpan | None) -> AbstractContextManager[object]:
        """Make `span` the current span; it stays open afterwards."""
        return _NO_SPAN if span is None else span.current()


traces = Traces()
"""The tracer of this process."""
