"""The checks of the machine: disk, open files, memory, and the native wire."""

from __future__ import annotations

import os
import resource
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from service.bounds import bounds, total_of
from service.cli.doctor.findings import Finding
from service.edge.wire.choice import native
from service.eventstore.inspection import LogFiles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.settings import Settings

DISK, FILES, MEMORY, WIRE = "disk", "open-files", "memory", "wire"

MIB = 1024**2
FREE_MIN, FREE_LOW = 64 * MIB, 1024 * MIB

FILES_MIN, FILES_LOW = 256, 8192
FILES_APART = 100
"""Open files that are no sockets of clients."""

MEMORY_SHARE_MAX = 0.8

VOLATILE = {"tmpfs", "ramfs", "overlay"}
REMOTE = {"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"}


def check_disk(settings: Settings) -> Iterator[Finding]:
    """Check the space and the kind of the disk that has the data directory."""
    directory = settings.storage.data_dir.absolute()
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        advice = "change its owner or mode to the user who runs the service"
        yield Finding(DISK, "fail", f"{existing} is not writable by user {os.geteuid()}", advice)
    free = shutil.disk_usage(existing).free
    found = f"{free // MIB:,} MiB are free for {directory}"
    if free < FREE_MIN:
        advice = "free some now: when it is full, commands are answered UNAVAILABLE"
        yield Finding(DISK, "fail", found, advice)
    elif free < FREE_LOW:
        yield Finding(DISK, "warn", found, "free some, or enlarge it")
    else:
        yield Finding(DISK, "ok", found)
    yield from _kind(existing.resolve(), is_log=settings.storage.database_url.startswith("sqlite"))


def _kind(path: Path, *, is_log: bool) -> Iterator[Finding]:
    """Find a file system that does not keep data, or on which SQLite can't lock."""
    kind = file_system_of(path, Path("/proc/mounts"))
    if kind in VOLATILE:
        what = "the log" if is_log else "the secrets of this node"
        advice = "mount a volume, and set WS_DATA_DIR to it"
        yield Finding(DISK, "warn", f"{path} is on {kind}: {what} may not survive", advice)
    elif kind in REMOTE and is_log:
        found = f"{path} is on {kind}, where SQLite's locks and its WAL are not reliable"
        yield Finding(DISK, "fail", found, "use a local disk, or PostgreSQL (WS_DATABASE_URL)")


def file_system_of(path: Path, mounts: Path) -> str:
    """Return the kind of the file system at `path`, of those in the table `mounts`, or ``""``."""
    found = {}
    for line in mounts.read_text().splitlines() if mounts.exists() else ():
        _, where, kind, *_ = line.split(" ")
        found[Path(where)] = kind
    return next((found[one] for one in (path, *path.parents) if one in found), "")


def check_open_files(settings: Settings) -> Iterator[Finding]:
    """Compare the limit of open files with what sockets need."""
    whose, limit = _limit_of_service(settings)
    sockets = max(0, limit - FILES_APART)
    found = f"{whose} may open {limit:,} files, that is about {sockets:,} sockets"
    advice = "raise it (LimitNOFILE in a unit, nofile of a container, ulimit -n), and restart"
    if limit < FILES_MIN:
        yield Finding(FILES, "fail", found, advice)
    elif limit < FILES_LOW:
        yield Finding(FILES, "warn", found, advice)
    else:
        yield Finding(FILES, "ok", found)


def _limit_of_service(settings: Settings) -> tuple[str, int]:
    """Return the limit of the running service, or that of this process, and whose it is."""
    try:
        pid = int(LogFiles(settings.storage.log_file).lock.read_text())
        process = Path(f"/proc/{pid}")
        if b"serve" not in (process / "cmdline").read_bytes():
            raise ProcessLookupError(pid)
        limits = (process / "limits").read_text().splitlines()
        line = next(line for line in limits if line.startswith("Max open files"))
        return f"the service (process {pid})", int(line.split()[3])
    except (OSError, ValueError, StopIteration):
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return "a process of this shell", soft


def check_memory(settings: Settings) -> Iterator[Finding]:
    """Compare the bounds of what clients can make the service use with the memory there is."""
    bound, there = total_of(bounds(settings)), _memory()
    found = f"clients can make it use {bound // MIB:,} MiB, and {there // MIB:,} MiB are there"
    if bound > there * MEMORY_SHARE_MAX:
        advice = "lower the limits that `ws-service settings` lists below the table, or add memory"
        yield Finding(MEMORY, "warn", found, advice)
    else:
        yield Finding(MEMORY, "ok", found)


def _memory() -> int:
    """Return the memory of the container, or else of the machine, in bytes."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(machine, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):
        return machine


def check_wire(settings: Settings) -> Iterator[Finding]:
    """Check that the native wire is there where it is wanted."""
    if settings.wire.kind == "python":
        yield Finding(WIRE, "ok", "WS_WIRE=python: frames are sent by Python")
        return
    try:
        native()
    except ImportError as error:
        advice = "pip install ./wire, for about half of the work per frame"
        yield Finding(WIRE, "warn", f"the native wire can't be used: {error}", advice)
    else:
        yield Finding(WIRE, "ok", "the native wire is installed")
