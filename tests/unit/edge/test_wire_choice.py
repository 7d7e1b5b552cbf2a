"""Which kind of wire is used, and what is told of it."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from service.edge.flush import FlushScope
from service.edge.wire import python
from service.edge.wire.choice import INTERFACE, MODULE, PYTHON, choose
from service.edge.wire.interface import Wire
from service.telemetry import Metrics


def told(metrics: Metrics) -> dict[str, str]:
    """Return what the metric says."""
    (labels,) = [
        sample.labels
        for family in metrics.registry.collect()
        if family.name == "ws_wire"
        for sample in family.samples
    ]
    return dict(labels)


def module(interface: int) -> Any:
    return SimpleNamespace(
        INTERFACE=interface,
        Output=python.Output,
        SendQueue=python.SendQueue,
        Reader=object,
    )


def test_the_native_wire_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, MODULE, module(INTERFACE))
    assert choose("native").name == "native"


def test_the_twin_is_used_where_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, MODULE, module(INTERFACE))
    assert choose("python") is PYTHON


def test_the_twin_is_used_where_the_native_wire_is_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, MODULE, None)
    assert choose("native") is PYTHON


def test_the_twin_is_used_in_place_of_a_native_wire_of_another_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, MODULE, module(INTERFACE + 1))
    assert choose("native") is PYTHON


def test_the_metric_tells_when_output_changes_its_method() -> None:
    made: list[Any] = []

    class Output(python.Output):
        def __init__(self, failed: Any, *callbacks: Any) -> None:
            super().__init__(failed, *callbacks)
            self.method = "ring"
            self.fails = failed
            made.append(self)

    metrics = Metrics()
    FlushScope(Wire("native", Output, python.SendQueue, python.Reader), metrics)
    assert told(metrics) == {"kind": "native", "method": "ring"}
    made[0].method = "send"
    made[0].fails(None, OSError("io_uring has failed"))
    assert told(metrics) == {"kind": "native", "method": "send"}
