"""The interpreters that are compared: how they were built, and the fastest Python of this machine.

A Python built without profile-guided optimisation takes about a third more time for the same work,
while every Node that can be downloaded is an optimised build. So the service is measured under the
fastest Python that the machine has, in a virtual environment of its own.
"""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks.processes import BenchmarkError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
REQUIREMENTS = ROOT / "requirements/run.txt"
WIRE = ROOT / "wire"
ENVIRONMENTS = Path(__file__).parent / ".build"

OLDEST = (3, 11)
NEWEST = (3, 13)

_DESCRIBE = """
import json, platform, sys, sysconfig, time

def work(rounds):
    seen, total = {}, 0
    for number in range(rounds):
        seen[number & 1023] = number
        total += len(str(number)) ^ seen.get(number * 7 & 1023, 0)
    return total

times = []
for _ in range(5):
    began = time.process_time()
    work(int(sys.argv[1]))
    times.append(time.process_time() - began)
try:
    import ensurepip, venv
    makes_environments = True
except ImportError:
    makes_environments = False
print(json.dumps({
    "executable": sys.executable,
    "prefix": sys.base_prefix,
    "version": list(sys.version_info[:3]),
    "compiler": platform.python_compiler(),
    "build": " ".join(platform.python_build()),
    "config_args": sysconfig.get_config_var("CONFIG_ARGS") or "",
    "flags": sysconfig.get_config_var("PY_CORE_CFLAGS") or sysconfig.get_config_var("CFLAGS") or "",
    "loop_ms": 1000 * min(times),
    "makes_environments": makes_environments,
}))
"""


class Python(msgspec.Struct, frozen=True):
    """A Python: where it is, how it was built, and the CPU time of a fixed loop."""

    executable: str
    prefix: str
    version: tuple[int, int, int]
    compiler: str
    build: str
    config_args: str
    flags: str
    loop_ms: float
    makes_environments: bool

    @property
    def name(self) -> str:
        """The version, and what bears on the figures."""
        version = ".".join(map(str, self.version))
        return f"{version} ({self.compiler}, built {self.build}), fixed loop {self.loop_ms:.1f} ms"


@functools.cache
def pythons() -> tuple[Python, ...]:
    """Return the Pythons of this machine, the fastest first."""
    return tuple(sorted(_found(), key=lambda one: one.loop_ms))


@functools.cache
def service_python() -> Path:
    """Return the Python that the service and the aiohttp peer run under: the fastest one."""
    return environment(next(one for one in pythons() if one.makes_environments))


def describe(executable: str | Path, rounds: int = 200_000) -> Python | None:
    """Ask a Python how it was built and how fast it is; None when it doesn't run.

    The time of a loop of so many rounds is taken.
    """
    try:
        answer = subprocess.run(
            [executable, "-c", _DESCRIBE, str(rounds)], capture_output=True, check=True, timeout=60
        )
        return msgspec.json.decode(answer.stdout, type=Python)
    except (OSError, subprocess.SubprocessError, msgspec.DecodeError):
        return None


def environment(python: Python) -> Path:
    """Return the Python of a virtual environment with what the service needs, made if need be."""
    if python.prefix == sys.base_prefix:
        return Path(sys.executable)
    directory = ENVIRONMENTS / f"python-{'.'.join(map(str, python.version))}"
    installed, stamp = directory / "bin/python", directory / ".requirements"
    wanted = _made_of()
    if stamp.exists() and stamp.read_text() == wanted:
        return installed
    _run([python.executable, "-m", "venv", "--clear", str(directory)])
    _run([str(installed), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
          "--require-hashes", "--requirement", str(REQUIREMENTS)])  # fmt: skip
    # Where it can't be built, the service does without.
    _run([str(installed), str(WIRE / "build.py")])
    stamp.write_text(wanted)
    return installed


def wire_of(python: Path) -> str:
    """Say by what the service sends under this Python: natively and how, or in Python."""
    script = "import ws_service_wire as wire; print(wire.Output(print, print, print, None).method)"
    answer = subprocess.run(
        [python, "-P", "-c", script], capture_output=True, text=True, check=False
    )
    if answer.returncode:
        return f"Python alone ({answer.stderr.strip().splitlines()[-1]})"
    way = {"ring": "io_uring", "send": "a send each, as io_uring is not allowed here"}
    return f"native, {way[answer.stdout.strip()]}"


def _made_of() -> str:
    """Return a digest of what is installed."""
    sources = (path for path in sorted(WIRE.rglob("*.*")) if path.suffix != ".pyc")
    digest = hashlib.sha256()
    for path in filter(Path.is_file, (REQUIREMENTS, *sources)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def node_build(node: Path) -> str:
    """Say how a Node was built, as far as it tells."""
    script = (
        "const v = process.config.variables;"
        "console.log(`V8 ${process.versions.v8}, PGO ${Boolean(v.enable_pgo_use)},"
        " LTO ${Boolean(v.enable_lto)}`)"
    )
    answer = subprocess.run([node, "-e", script], capture_output=True, text=True, check=True)
    return answer.stdout.strip()


def _found() -> Iterator[Python]:
    """Yield each Python once, whatever names it has."""
    seen: set[str] = set()
    names = ["python3", *(f"python3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1))]
    paths = [Path(folder) / name for folder in os.get_exec_path() for name in names]
    for path in (Path(sys.executable), *(path for path in paths if path.exists())):
        python = describe(path)
        if python is None or not OLDEST <= python.version[:2] <= NEWEST:
            continue
        if python.prefix not in seen:
            seen.add(python.prefix)
            yield python


def _run(command: list[str]) -> None:
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise BenchmarkError(f"{' '.join(command)} failed: {answer.stderr[-2000:]}")
