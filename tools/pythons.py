"""Runs the checks of generated documents and some tests on the other Pythons of this machine.

    python -m tools.pythons

Each gets an environment of its own, `.venv-3.12` and so on, from requirements/test.txt, for
the unit tests and those of the wire, which is built for it. A version is left out, and that is
said, where the machine does not have it or its wheels can't be had.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent

VERSIONS = ("3.11", "3.12", "3.13")
"""Those of the classifiers in pyproject.toml."""

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"

LOCKS = ("requirements/test.txt", "requirements/build.txt")
WIRE = tuple(path for path in sorted((ROOT / "wire").rglob("*.*")) if path.suffix != ".pyc")

TESTS = ("tests/unit", "tests/wire")
CHECKS = (
    ("tools/reference.py", "--check"),
    ("-m", "tools.authorisation", "--check"),
    ("-m", "tools.asyncapi", "--check"),
    ("tools/openapi.py", "--check"),
    (
        "-m",
        "pytest",
        "--quiet",
        "--no-header",
        "-p",
        "no:cacheprovider",
        "tests/unit",
        "tests/wire",
    ),
)

PROBE = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2], sys.version)"


def find(version: str) -> Path | None:
    """Find a Python of this version that runs: on the PATH, or among those of pyenv."""
    return next((one for one in _candidates(version) if _is(one, version)), None)


def _candidates(version: str) -> Iterator[Path]:
    found = shutil.which(f"python{version}")
    if found is not None:
        yield Path(found)
    if shutil.which("pyenv") is not None:
        for name in reversed(_output("pyenv", "versions", "--bare").split()):
            if name.startswith(f"{version}."):
                yield Path(_output("pyenv", "prefix", name).strip()) / "bin" / "python"


def _is(python: Path, version: str) -> bool:
    """Return whether it runs: pyenv has shims also for versions that are not selected."""
    return _output(str(python), "-c", PROBE).startswith(f"{version} ")


def _output(*command: str) -> str:
    """Return what a command prints, or nothing when it can't be run."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def environment(version: str, python: Path) -> Path:
    """Return the Python of an environment with what the tests need, made anew when that changes.

    Raises `CalledProcessError` where it can't be installed.
    """
    home = ROOT / f".venv-{version}"
    own, stamp = home / "bin" / "python", home / ".ready"
    made_of = hashlib.sha256(_output(str(python), "-c", PROBE).encode())
    for path in (*map(ROOT.joinpath, (*LOCKS, "pyproject.toml")), *WIRE):
        made_of.update(path.read_bytes())
    if not stamp.exists() or stamp.read_text() != made_of.hexdigest():
        pip = (str(own), "-m", "pip", "--disable-pip-version-check", "--quiet", "install")
        locks = [part for lock in LOCKS for part in ("--requirement", lock)]
        _run(str(python), "-m", "venv", "--clear", str(home))
        # Only what is imported is compiled then.
        _run(*pip, "--no-compile", "--no-deps", "--only-binary=:all:", "--require-hashes", *locks)
        _run(*pip, "--no-deps", "--no-build-isolation", "--editable", ".")
        # Where it can't be built, it says so, and its tests are left out.
        _run(str(own), "wire/build.py")
        stamp.write_text(made_of.hexdigest())
    return own


def _run(*command: str) -> str:
    environment_ = os.environ | {"HYPOTHESIS_PROFILE": "dev"}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment_,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return done.stdout


def check(version: str) -> tuple[bool, str]:
    """Check one version; return whether it passed or was left out, and what to print."""
    found = find(version)
    if found is None:
        return True, f"NOTICE: Python {version} is LEFT OUT: this machine has none"
    try:
        python = environment(version, found)
    except subprocess.CalledProcessError as error:
        *_, reason = (error.stdout or "").strip().splitlines() or [str(error)]
        return True, f"NOTICE: Python {version} is LEFT OUT: it can't be set up: {reason}"
    try:
        *_, last = [_run(str(python), *arguments) for arguments in CHECKS]
    except subprocess.CalledProcessError as error:
        return False, f"Python {version}: {' '.join(error.cmd[1:])} fails\n{error.stdout}"
    return True, f"Python {version}: {last.strip().splitlines()[-1]}"


def main() -> None:
    """Check all versions but the running one, at the same time."""
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(check, [one for one in VERSIONS if one != RUNNING]))
    for _, said in results:
        print(said)
    sys.exit(0 if all(passed for passed, _ in results) else 1)


if __name__ == "__main__":
    main()
