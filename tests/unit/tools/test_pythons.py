"""Which other Pythons the checks find."""

from pathlib import Path

import pytest

from tools import pythons


def put(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def bin_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin"


def test_a_python_on_the_path_is_found_when_it_runs(bin_: Path) -> None:
    put(bin_ / "python9.1", "echo 9.1 and so on")
    assert pythons.find("9.1") == bin_ / "python9.1"


def test_a_shim_that_does_not_run_is_passed_over_for_the_newest_version_of_pyenv(
    bin_: Path, tmp_path: Path
) -> None:
    put(bin_ / "python9.1", "exit 127")
    put(
        bin_ / "pyenv",
        f'[ "$1" = versions ] && echo "9.1.1\n9.1.2\n9.10.1" || echo "{tmp_path}/$2"',
    )
    put(tmp_path / "9.1.1" / "bin" / "python", "echo 9.1 older")
    put(tmp_path / "9.1.2" / "bin" / "python", "echo 9.1 newer")
    assert pythons.find("9.1") == tmp_path / "9.1.2" / "bin" / "python"


def test_a_version_that_the_machine_does_not_have_is_left_out_and_named(bin_: Path) -> None:
    put(bin_ / "python9.1", "echo 9.10 is another one")
    passed, said = pythons.check("9.1")
    assert (passed, said) == (True, "NOTICE: Python 9.1 is LEFT OUT: this machine has none")


def test_a_version_whose_environment_fails_is_left_out_with_the_reason(
    bin_: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bin_ / "python9.1", '[ "$1" = -c ] && echo 9.1 x || { echo no wheels; exit 1; }')
    monkeypatch.setattr(pythons, "ROOT", tmp_path)
    for path in (*pythons.LOCKS, "pyproject.toml"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    passed, said = pythons.check("9.1")
    assert passed
    assert said == "NOTICE: Python 9.1 is LEFT OUT: it can't be set up: no wheels"


def test_the_versions_are_those_of_the_classifiers() -> None:
    project = (pythons.ROOT / "pyproject.toml").read_text()
    for version in pythons.VERSIONS:
        assert f'"Programming Language :: Python :: {version}"' in project
    assert project.count("Programming Language :: Python :: 3.") == len(pythons.VERSIONS)
