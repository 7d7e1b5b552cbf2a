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
    """Opens spans; each belongs to the one that is open around it."""

    def __init__(self) -> None:
        """Collect nothing."""
        self._exporter: Exporter | None = None

    def start(self, endpoint: str) -> None:
        """Send spans to an OTLP/HTTP collector; raise `ConfigurationError` without the extra."""
        try:
            from service.telemetry.otel import Exporter  # noqa: PLC0415 - its packages are an extra
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"WS_OTEL_ENDPOINT needs {error.name}: in the checkout, `pip install '.[otel]'`"
            ) from error
        self._exporter = Exporter(endpoint)

    def stop(self) -> None:
        """Send what is left, which may block for a little, and collect no more."""
        if self._exporter is not None:
            self._exporter.stop()
            self._exporter = None

    def span(
        self, name: str, links: Sequence[SpanRef] = (), **attributes: str | int
    ) -> AbstractContextManager[object]:
        """Open a span; `links` are those whose work it does besides the one around it."""
        if self._exporter is None:
            return _NO_SPAN
        return self._exporter.span(name, links, attributes)

    def begin(self, name: str, **attributes: str | int) -> OpenSpan | None:
        """Open a span in the one around it, which a callback ends; None when tracing is off."""
        return None if self._exporter is None else self._exporter.begin(name, attributes)

    def within(self, span: OpenSpan | None) -> AbstractContextManager[object]:
        """Open further spans in `span`, which stays open afterwards."""
        return _NO_SPAN if span is None else span.current()


traces = Traces()
"""The traces of this process; there is one, as with logs."""
