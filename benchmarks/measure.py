"""What is read from the machine, and the arithmetic over it; nothing here starts anything."""

from __future__ import annotations

import array
import bisect
import math
import os
import platform
import time
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PERCENTILES = (50.0, 90.0, 99.0, 99.9, 100.0)

_CPU_CLOCK_SCHED = 2
_TICK_US = 1_000_000 / 60


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process, user and system, of all its threads that ever were.

    It is the sum that /proc/PID/stat shows in hundredths of a second, in nanoseconds: what
    `clock_getcpuclockid` gives, which Python does not have.
    """
    return time.clock_gettime(~pid << 3 | _CPU_CLOCK_SCHED)


def family_cpu_s(pid: int) -> float:
    """Return the CPU time of a process and of its children that live."""
    return sum(cpu_s(one) for one in family(pid))


def family(pid: int) -> list[int]:
    """Return a process and its children that live."""
    return [pid, *_children(pid)]


def _children(pid: int) -> Iterator[int]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # Behind the name, which may contain spaces and parentheses.
            _state, parent, *_ = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(parent) == pid:
            yield int(stat.parent.name)


def core_busy_s(core: int) -> float:
    """Return how long a core has worked, or was taken away by the host, for whomever."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _iowait, irq, softirq, steal, *_ = map(int, fields)
            ticks = user + nice + system + irq + softirq + steal
            return ticks / os.sysconf("SC_CLK_TCK")
    raise ValueError(f"there is no core {core}")


def rss_kib(pid: int) -> int:
    """Return the memory of a process that is in RAM."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ProcessLookupError(pid)


def percentiles(
    values: Sequence[float], points: Sequence[float] = PERCENTILES
) -> dict[float, float]:
    """Return the smallest values that so many per cent of all are not above (nearest rank)."""
    ordered = sorted(values)
    if not ordered:
        return {}
    return {point: ordered[max(0, math.ceil(len(ordered) * point / 100) - 1)] for point in points}


def read_numbers(path: Path) -> array.array[int]:
    """Read what the generator has written: 32 bits each, in the order of this machine."""
    numbers = array.array("I")
    numbers.frombytes(path.read_bytes())
    return numbers


def arrivals_by_connection(path: Path) -> dict[int, list[int]]:
    """Read when each connection got the frames that were watched for, in microseconds."""
    numbers = read_numbers(path)
    pairs = sorted(zip(numbers[::2], numbers[1::2], strict=True))
    return {
        connection: [at for _, at in some]
        for connection, some in groupby(pairs, lambda pair: pair[0])
    }


def tick_lateness_us(arrivals: Sequence[int], tick_us: float = _TICK_US) -> Iterator[float]:
    """Yield how late each tick was shown, by the arrivals (sorted) of one client's frames.

    Ticks are due on a grid whose period is known and whose phase is the one that fits the
    arrivals best. A tick is shown by the first frame after it is due; one frame that shows
    several ticks is late for each of them.
    """
    phase = _best_phase(arrivals, tick_us)
    first = math.ceil((arrivals[0] - phase) / tick_us)
    last = math.floor((arrivals[-1] - phase) / tick_us)
    for tick in range(first, last + 1):
        due = phase + tick * tick_us
        # The frame that set the phase is due when it arrives, whatever rounding makes of it.
        shown = arrivals[bisect.bisect_left(arrivals, due - 1)]
        yield max(0.0, shown - due)


def _best_phase(arrivals: Sequence[int], tick_us: float) -> float:
    """Find the phase with the least mean lateness; it is that of some arrival."""
    remainders = sorted(at % tick_us for at in arrivals)
    count, total = len(remainders), sum(remainders)

    def lateness_sum(index: int) -> float:
        # Those before `index` wrap around: they are late from the tick before.
        return total + index * tick_us - count * remainders[index]

    return remainders[min(range(count), key=lateness_sum)]


def machine() -> Mapping[str, str]:
    """Describe where this runs, as far as it bears on the figures."""
    processor = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return {
        "processor": f"{processor}, {os.cpu_count()} cores",
        "memory": f"{memory_gib:.0f} GiB",
        "kernel": platform.release(),
    }
