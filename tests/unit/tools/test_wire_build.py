"""Building the native wire: where it can't be built, one line says so and nothing fails."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest

BUILD = Path(__file__).parents[3] / "wire" / "build.py"
NOTICE = "NOTICE: the native wire is not built, Python does its work: "


def build(python: Path, **environment: str) -> list[str]:
    """Build for this Python; return what is printed."""
    kept = {name: value for name, value in os.environ.items() if name not in {"CC", "PYTHONPATH"}}
    done = subprocess.run(
        [python, BUILD], env=kept | environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """An environment of its own: what is tested uninstalls."""
    venv.create(tmp_path / "venv", with_pip=False)
    return tmp_path / "venv/bin/python"


def test_without_a_compiler_one_line_says_so(python: Path) -> None:
    (line,) = build(python, PATH=str(python.parent))
    assert line.startswith(f"{NOTICE}there is no C compiler")


def test_a_compiler_that_is_named_but_missing_is_told_by_its_name(python: Path) -> None:
    (line,) = build(python, CC="a-compiler-that-is-not-here -O3")
    assert line == f"{NOTICE}there is no C compiler (a-compiler-that-is-not-here -O3)"


def test_without_the_headers_of_python_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    module: Any = runpy.run_path(str(BUILD))
    names = module["main"].__globals__
    monkeypatch.setattr(sys, "argv", ["build.py"])
    monkeypatch.setattr(shutil, "which", str)
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(tmp_path))
    monkeypatch.setitem(names, "uninstall", lambda: None)
    assert module["main"]() == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{NOTICE}there is no {tmp_path}/Python.h")


def test_any_other_failure_is_told_in_one_line_and_the_old_wheel_goes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module: Any = runpy.run_path(str(BUILD))
    names = module["main"].__globals__
    gone: list[bool] = []
    monkeypatch.setattr(sys, "argv", ["build.py"])
    monkeypatch.setitem(names, "check_tools", lambda: None)
    monkeypatch.setitem(names, "uninstall", lambda: gone.append(True))
    monkeypatch.setitem(names, "Workshop", fails)
    assert module["main"]() == 0
    assert capsys.readouterr().out.splitlines() == [f"{NOTICE}the disk is full"]
    assert gone == [True]


def fails(_directory: Path) -> None:
    raise OSError("the disk is full")
