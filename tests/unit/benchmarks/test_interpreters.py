"""The Pythons of the machine are described, and the fastest one that is fit is chosen."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from benchmarks import interpreters
from benchmarks.interpreters import Python, describe, environment, service_python, wire_of


@pytest.fixture(autouse=True)
def _forget() -> None:
    interpreters.pythons.cache_clear()
    interpreters.service_python.cache_clear()


def python_of(prefix: str, loop_ms: float, *, makes_environments: bool = True) -> Python:
    return Python(prefix, prefix, (3, 11, 2), "GCC", "main", "", "", loop_ms, makes_environments)


def test_the_running_python_is_described() -> None:
    found = describe(sys.executable, rounds=100)
    assert found is not None
    assert ".".join(map(str, found.version)) == platform.python_version()
    assert found.prefix == sys.base_prefix
    assert found.loop_ms > 0
    assert platform.python_version() in found.name


def test_files_that_are_not_a_python_are_ignored(tmp_path: Path) -> None:
    other = tmp_path / "python3.11"
    other.write_text("#!/bin/sh\necho hello\n")
    other.chmod(0o755)
    assert describe(other) is None
    assert describe(tmp_path / "missing") is None


def test_the_running_python_needs_no_other_environment() -> None:
    assert environment(python_of(sys.base_prefix, 1.0)) == Path(sys.executable)


def test_the_fastest_python_that_can_make_an_environment_is_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [
        python_of(sys.base_prefix, 30.0),
        python_of("/fast", 10.0, makes_environments=False),
        python_of("/good", 20.0),
    ]
    monkeypatch.setattr(interpreters, "_found", lambda: iter(found))
    monkeypatch.setattr(interpreters, "environment", lambda python: Path(python.prefix))
    assert service_python() == Path("/good")
    assert [one.loop_ms for one in interpreters.pythons()] == [10.0, 20.0, 30.0]


def test_a_python_without_the_native_wire_says_so(tmp_path: Path) -> None:
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\necho 'No module named ws_service_wire' >&2\nexit 1\n")
    other.chmod(0o755)
    assert wire_of(other) == "Python alone (No module named ws_service_wire)"


@pytest.mark.parametrize(("method", "told"), [("ring", "io_uring"), ("send", "a send each")])
def test_the_way_in_which_the_native_wire_sends_is_told(
    method: str, told: str, tmp_path: Path
) -> None:
    other = tmp_path / "python"
    other.write_text(f"#!/bin/sh\necho {method}\n")
    other.chmod(0o755)
    assert wire_of(other).startswith(f"native, {told}")
