"""Inject all faults repeatedly, and check the guarantees.

    python -m tests.torture.torture --rounds 200 [--seed N]

As `crash.py` does, on which it builds: in each round real clients play, one fault happens (see
`faults.py`), and the service is killed. What was shown must be in the log, the log must be whole,
each projection must equal a rebuild, and each match must verify. Every fault has its turn before
one comes again. At the end the players come back and play what is live to its end.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from tests.acceptance.crash import SETTINGS, Crashes, Summary
from tests.acceptance.service_process import Running
from tests.proxy import Proxy
from tests.scripts import run_script
from tests.torture.faults import FAULTS, Fault, Scene, victim

EXPECTED = {"LOG_UNWRITABLE", "LOG_IN_USE", "4008", "4012"}
"""The error codes of log lines that these faults bring about."""


class Behind(Running):
    """A service that its clients reach through a proxy."""

    proxy_port = 0

    @property
    def ws_url(self) -> str:
        """Where sockets connect: to the proxy."""
        return f"ws://127.0.0.1:{self.proxy_port}"


class Torture(Crashes):
    """Crashes, each with a fault before it."""

    def __init__(
        self, directory: Path, seed: int, players: int = 8, faults: Sequence[Fault] = FAULTS
    ) -> None:
        super().__init__(directory, seed, players)
        self._faults = faults
        settings = SETTINGS | {"WS_DATABASE_BUSY_MS": "50"}
        self._service = self._behind = Behind(directory / "data", settings, dev=False)
        for player in self._players:
            player.patient = True
        self._turns = self._in_turn()
        self._fault = faults[0]
        self._clock = directory / "clock"
        self._clock.write_text("0")
        self.happened: Counter[str] = Counter()

    async def run(self, times: int, report: Callable[[str], None]) -> Summary:
        """Let so many faults happen; raise `AssertionError` for what does not hold."""
        async with Proxy(0) as self._proxy:
            self._behind.proxy_port = self._proxy.port
            return await super().run(times, report)

    def _in_turn(self) -> Iterator[Fault]:
        while True:
            yield from self._random.sample(self._faults, len(self._faults))

    def _describe(self, _load_s: float) -> str:
        return self._fault.name

    async def _round(self, load_s: float) -> None:
        self._fault = next(self._turns)
        self.happened[self._fault.name] += 1
        await asyncio.to_thread(self._service.kill)
        await asyncio.to_thread(self._fault.before, self._service, self._random)
        self._service.command = victim(self._fault.built_in(self._random, self._clock))
        # It was started without a fault, so that the start itself is one more life.
        try:
            await asyncio.to_thread(self._service.restart)
        except AssertionError:
            if "--kill-at" not in self._service.command:
                raise
            # The point lies within the start itself; the next start finds what is left.
            self._service.command = victim([])
            await asyncio.to_thread(self._service.start)
        self._proxy.target = urlsplit(self._service.url).port or 0
        await super()._round(load_s)
        self._service.command = victim([])

    async def _meet(self, tasks: list[asyncio.Task[None]], _load_s: float) -> None:
        async def live(seconds: float) -> None:
            until = time.monotonic() + seconds
            while self._service.is_alive and time.monotonic() < until:
                await self._until(min(until, time.monotonic() + 0.05), tasks)

        await self._fault.happen(Scene(self._service, self._proxy, live, self._random))
        self._proxy.heal()

    async def _finish(self) -> None:
        self._proxy.target = urlsplit(self._service.url).port or 0
        await super()._finish()

    def _check_logs(self) -> None:
        """The effects of these faults are reported, and nothing else is wrong."""
        wrong = [
            line
            for line in self._service.logs
            if line.get("log.level") in {"error", "critical"}
            and line.get("error_code") not in EXPECTED
        ]
        assert not wrong, f"the service complains: {wrong[:3]}"
        assert not self._service.errors, f"it writes to standard error: {self._service.errors}"


def main() -> int:
    """Run the script."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=len(FAULTS), help="how many faults")
    parser.add_argument("--seed", type=int, default=None, help="to repeat a run")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else time.time_ns() % 1_000_000

    def report(line: str) -> None:
        print(line, flush=True)  # noqa: T201 - the output of the script

    report(f"seed {seed}")
    with tempfile.TemporaryDirectory() as directory:
        torture = Torture(Path(directory), seed)
        try:
            summary = asyncio.run(torture.run(arguments.rounds, report))
        except AssertionError as error:
            kept = Path(tempfile.mkdtemp(prefix="torture-"))
            shutil.copytree(directory, kept, dirs_exist_ok=True)
            report(f"FAILED (seed {seed}, data kept in {kept}): {error}")
            report(f"faults: {dict(torture.happened)}")
            return 1
    report(str(summary))
    report("faults: " + ", ".join(f"{name} {count}" for name, count in torture.happened.items()))
    return 0


if __name__ == "__main__":
    run_script(main)
