"""Stop the service for a while, and check that no match was lost.

    python -m tests.acceptance.outage --down 30 [--matches 16]

Two clients a match play connect four; the service is killed, is away, and starts again. Everybody
comes back by the clients' own waits, the one player of a match sooner than the other one.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from service.client import connect
from tests.acceptance.service_process import PATIENCE_S, Running, token
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.client import Client

# Every deadline of the service is shorter than the outage, but for the one after a start.
GRACES = {
    "WS_RECONNECT_GRACE_S": "0",
    "WS_PRESENCE_GRACE_S": "0.3",
    "WS_ROOM_EMPTY_S": "0.3",
}


async def outage(
    directory: Path, settings: Mapping[str, str], *, matches: int, down_s: float
) -> int:
    """Kill the service under so many matches, start it later, and count those that go on."""
    ports = {"WS_PORT": str(free_port())}
    service = Running(directory / "data", GRACES | ports | dict(settings), dev=False)
    await asyncio.to_thread(service.start)
    try:
        async with AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(_client(service, user, 2 * matches))
                for user in range(1, 2 * matches + 1)
            ]
            for client in clients:
                reading = asyncio.create_task(_read(client))
                stack.callback(reading.cancel)
            for one, two in zip(clients[::2], clients[1::2], strict=True):
                await _begin(one, two)
            service.kill()
            await asyncio.sleep(down_s)
            await asyncio.to_thread(service.restart)
            async with asyncio.timeout(PATIENCE_S):
                while _resumed(service) + _ended(service) < matches:  # noqa: ASYNC110 - the log of another process
                    await asyncio.sleep(0.1)
            return _resumed(service)
    finally:
        await asyncio.to_thread(service.stop)


def _client(service: Running, user: int, users: int) -> Client:
    jitter = 0.2 if user % 2 else 0.7 + 0.3 * user / users
    return connect(service.ws_url, token(user), jitter=lambda: jitter)


async def _read(client: Client) -> None:
    async for _ in client:
        pass


async def _begin(one: Client, two: Client) -> None:
    made = await one.command("room:create", game="connect_four", options={"turn_s": 3600})
    await two.command("room:join", roomId=made["roomId"])
    for client in (one, two):
        await client.command("room:ready", roomId=made["roomId"])


def _resumed(service: Running) -> int:
    query = "SELECT count(DISTINCT stream) FROM events WHERE type = 'match.resumed'"
    return int(service.database(query)[0][0])


def _ended(service: Running) -> int:
    return int(service.database("SELECT count(*) FROM matches WHERE reason IS NOT NULL")[0][0])


def main() -> int:
    """Run the script."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--down", type=float, default=30, help="seconds without a service (30)")
    parser.add_argument("--matches", type=int, default=16, help="how many are played (16)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        kept = asyncio.run(
            outage(Path(directory), {}, matches=arguments.matches, down_s=arguments.down)
        )
    print(f"{kept} of {arguments.matches} matches went on")  # noqa: T201 - the output of the script
    return 0 if kept == arguments.matches else 1


if __name__ == "__main__":
    sys.exit(main())
