"""Build the native wire in a throwaway environment, from the requirements locked beside this.

    python wire/build.py            build it, and install it for this Python
    python wire/build.py --sanitize DIR   build it with the address sanitizer into DIR
    python wire/build.py --generate       write the C that is committed
    python wire/build.py --check          tell whether that C is current

Only to install may fail: then one line says why, and the service uses its twin in Python.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = Path("ws_service_wire/_wire.pyx")
GENERATED = SOURCE.with_suffix(".c")
NAME = "ws-service-wire"

PIP = ("-m", "pip", "--disable-pip-version-check", "--quiet")


def run(*command: str | Path, **environment: str) -> None:
    """Run a command in a copy of these sources; raises `OSError` with what it last said."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | environment
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or [f"exit {done.returncode}"]
        raise OSError(next((line for line in said if "error" in line.lower()), said[-1]).strip())


def check_tools() -> None:
    """Raise `OSError` where an extension can't be compiled; to find out by trying takes long."""
    compiler = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    if shutil.which(shlex.split(compiler)[0]) is None:
        raise OSError(f"there is no C compiler ({compiler})")
    header = Path(sysconfig.get_path("include")) / "Python.h"
    if not header.exists():
        raise OSError(f"there is no {header} (Debian: apt-get install python3-dev)")


def uninstall() -> None:
    """Remove what an older build has installed."""
    try:
        importlib.metadata.distribution(NAME)
    except importlib.metadata.PackageNotFoundError:
        return
    run(sys.executable, *PIP, "uninstall", "--yes", NAME)


class Workshop:
    """A copy of the sources, and an environment with the tools."""

    def __init__(self, directory: Path) -> None:
        """Make them in a directory that is empty."""
        self.sources = directory / "sources"
        shutil.copytree(HERE, self.sources, ignore=shutil.ignore_patterns("build", "*.egg-info"))
        venv.create(directory / "venv", with_pip=True)
        self.python = directory / "venv/bin/python"
        lock = HERE / "requirements.txt"
        run(self.python, *PIP, "install", "--require-hashes", "--no-deps", "-r", lock)

    def generate(self) -> bytes:
        """Return the C that Cython makes of the source."""
        run(self.python, "-m", "cython", "-3", "-w", self.sources, str(SOURCE))
        return (self.sources / GENERATED).read_bytes()

    def wheel(self, **environment: str) -> Path:
        """Build the wheel of the C that is committed."""
        shutil.copy(HERE / GENERATED, self.sources / GENERATED)
        to = self.sources.parent / "dist"
        options = ("--no-deps", "--no-build-isolation", "--wheel-dir", to)
        run(self.python, *PIP, "wheel", *options, self.sources, **environment)
        return next(to.glob("*.whl"))


def install(wheel: Path, *to: str | Path) -> None:
    """Install a wheel for the Python that runs this."""
    run(sys.executable, *PIP, "install", "--no-deps", "--force-reinstall", *to, wheel)


def main() -> int:
    """Do what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generate", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--sanitize", type=Path, metavar="DIR")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        if asked.generate or asked.check:
            generated = Workshop(Path(directory)).generate()
            if asked.generate:
                (HERE / GENERATED).write_bytes(generated)
            elif generated != (HERE / GENERATED).read_bytes():
                print(f"wire/{GENERATED} is not current: python wire/build.py --generate")
                return 1
        elif asked.sanitize:
            flags = "-g -O1 -fsanitize=address -fno-omit-frame-pointer"
            wheel = Workshop(Path(directory)).wheel(CFLAGS=flags, LDFLAGS="-fsanitize=address")
            install(wheel, "--target", asked.sanitize)
        else:
            try:
                check_tools()
                install(Workshop(Path(directory)).wheel())
            except (OSError, subprocess.SubprocessError) as error:
                uninstall()
                print(f"NOTICE: the native wire is not built, Python does its work: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
