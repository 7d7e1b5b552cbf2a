"""The faults of a round of `torture.py`."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import NamedTuple, TypeAlias

from tests.acceptance.service_process import Running, clean_environment
from tests.proxy import Proxy
from tests.torture.victim import POINTS

Live: TypeAlias = Callable[[float], Awaitable[None]]
"""Lets the players play for so many seconds, or until the service has died."""


class Scene(NamedTuple):
    """Where a fault happens."""

    service: Running
    proxy: Proxy
    live: Live
    random: Random


class Fault(NamedTuple):
    """A fault: how the service is started for it, and what happens while it is under load."""

    name: str
    happen: Callable[[Scene], Awaitable[None]]
    built_in: Callable[[Random, Path], list[str]] = lambda _random, _clock: []
    """The options of the victim (`victim.py`)."""
    before: Callable[[Running, Random], None] = lambda _service, _random: None
    """What happens to the data directory while the service does not run."""


def victim(options: list[str]) -> list[str]:
    """Return the command that runs the service with faults built in."""
    return [sys.executable, "-m", "tests.torture.victim", *options, "--"]


def _killed_in_migration(service: Running, random: Random) -> None:
    """Take the newest revision back, and kill the upgrade at one of its statements."""
    _run(service, [sys.executable, "-m", "alembic", "downgrade", "-1"])
    _run(service, [*victim(["--kill-at", f"statement:{random.randrange(1, 12)}"]), "db", "upgrade"])


def _read_only_directory(service: Running, _random: Random) -> None:
    """Start it where nothing can be written; it must say so, and do no harm."""
    read_only = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", read_only, str(service.data_dir)]
    done = _run(service, [*command, *service.command[:1], "-m", "service", "serve"])
    assert done.returncode not in {0, -signal.SIGKILL}, done
    assert "Traceback" not in done.stderr, done.stderr


def _run(service: Running, command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=clean_environment(service.settings),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


async def _nothing(scene: Scene) -> None:
    await scene.live(scene.random.uniform(0.3, 2))


async def _die_by_itself(scene: Scene) -> None:
    """Live until the point is reached; where it is not, the round ends by a kill as usual."""
    await scene.live(4)


async def _full_disk(scene: Scene) -> None:
    """Let no file grow for a while, at a moment of chance."""
    await scene.live(scene.random.uniform(0.2, 0.8))
    wal = scene.service.data_dir / "ws-service.db-wal"
    pid, size = scene.service.pid, wal.stat().st_size
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        await scene.live(scene.random.uniform(0.1, 1.5))
    finally:
        if scene.service.is_alive:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    await scene.live(scene.random.uniform(0.2, 1))


async def _locked_database(scene: Scene) -> None:
    """Write to the database from elsewhere for longer than the service waits for its lock."""
    await scene.live(scene.random.uniform(0.2, 0.8))
    path = scene.service.data_dir / "ws-service.db"
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as database:
        database.execute("BEGIN IMMEDIATE")
        await scene.live(scene.random.uniform(0.1, 1.5))
        database.execute("ROLLBACK")
    await scene.live(scene.random.uniform(0.2, 1))


async def _frozen(scene: Scene) -> None:
    """Stop the process (SIGSTOP), as a machine does that sleeps, and let it go on."""
    for _ in range(2):
        await scene.live(scene.random.uniform(0.2, 0.6))
        os.kill(scene.service.pid, signal.SIGSTOP)
        try:
            await scene.live(scene.random.uniform(0.1, 1.5))
        finally:
            os.kill(scene.service.pid, signal.SIGCONT)
    await scene.live(0.5)


async def _clock_jumps(scene: Scene) -> None:
    """Set the wall clock ahead and back while matches are played."""
    for _ in range(4):
        await scene.live(scene.random.uniform(0.1, 0.6))
        _clock(scene.service).write_text(str(scene.random.uniform(-900, 900)))
        os.kill(scene.service.pid, signal.SIGUSR2)
    await scene.live(0.5)


async def _bad_line(scene: Scene) -> None:
    """Let connections be slow, small pieces, cut off in the middle, or not read from."""
    random, proxy = scene.random, scene.proxy
    until = time.monotonic() + 3
    while time.monotonic() < until and scene.service.is_alive:
        ways = (proxy.to_client, proxy.to_server)
        for way in ways:
            way.delay_s = random.choice([0, 0, 0.02, 0.2])
            way.trickle_bytes = random.choice([0, 0, 0, 7])
            way.cut_after = random.choice([None, None, None, random.randrange(1, 4000)])
        stalled = random.random() < 0.3
        if stalled:
            proxy.to_client.flows.clear()
        if random.random() < 0.4:
            random.choice([proxy.reset_all, proxy.close_all])()
        await scene.live(random.uniform(0.1, 0.5))
        proxy.heal()
    await scene.live(0.3)


async def _clean_stop(scene: Scene) -> None:
    """Ask it to stop (SIGTERM), and kill it at a moment of that."""
    await scene.live(scene.random.uniform(0.3, 1.5))
    os.kill(scene.service.pid, signal.SIGTERM)
    await asyncio.sleep(scene.random.uniform(0, 0.4))


def _clock(service: Running) -> Path:
    return service.data_dir.parent / "clock"


def _kill_at(point: str) -> Fault:
    def built_in(random: Random, _clock: Path) -> list[str]:
        often = 1 if "snapshot" in point or "side_file" in point else random.randrange(1, 60)
        return ["--kill-at", f"{point}:{often}"]

    return Fault(f"killed {point.replace('_', ' ')}", _die_by_itself, built_in)


FAULTS: tuple[Fault, ...] = (
    Fault("killed", _nothing),
    *(_kill_at(point) for point in POINTS),
    Fault("full disk", _full_disk),
    Fault("locked database", _locked_database),
    Fault(
        "slow disk",
        _nothing,
        lambda random, _: ["--slow-commit-s", f"{random.uniform(0.005, 0.15):.3f}"],
    ),
    Fault("frozen", _frozen),
    Fault("clock jumps", _clock_jumps, lambda _, clock: ["--clock", str(clock)]),
    Fault("bad line", _bad_line),
    Fault("killed while it stops", _clean_stop),
    Fault("killed in a migration", _nothing, before=_killed_in_migration),
    Fault("read-only directory", _nothing, before=_read_only_directory),
)
