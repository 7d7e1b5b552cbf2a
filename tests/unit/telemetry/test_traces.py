import sys

import pytest

from service.errors import ConfigurationError
from service.telemetry.traces import Traces


def test_without_a_collector_there_are_no_spans() -> None:
    traces = Traces()
    with traces.span("outer", events=1) as outer, traces.span("inner", [None]) as inner:
        assert outer is inner is None
    begun = traces.begin("outer", events=1)
    with traces.within(begun) as within:
        assert begun is within is None
    traces.stop()


def test_a_missing_extra_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "service.telemetry.otel", raising=False)
    # What the import system finds where a package was not installed.
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigurationError, match=r"pip install '\.\[otel\]'"):
        Traces().start("http://127.0.0.1:4318")
