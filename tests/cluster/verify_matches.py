"""Verify every match of the configured log, as `ws-service replay MATCH --verify` does for one.

Run it in a process of its own: `python -m tests.cluster.verify_matches`. It prints what is wrong,
and the number of matches as its last line.
"""

from __future__ import annotations

import asyncio

from service.cli.common import opened_log
from service.eventstore.integrity import broken_match
from service.eventstore.read_models.match_history import MatchQuery, find_matches, match_events
from service.games.catalogue import GAMES
from service.replay.replay import Replay


async def verify() -> None:
    """Verify the hashes and the replay of each match, and that it has ended."""
    async with opened_log() as reader:
        matches = await find_matches(reader, MatchQuery(limit=30_000))
        for match in matches:
            broken = await broken_match(reader, match.id)
            replay = Replay(await match_events(reader, match.id), GAMES)
            wrong = broken or replay.verify()
            if wrong is not None:
                print(f"match {match.id}: {wrong}")
            if match.ended_at is None:
                print(f"match {match.id} has not ended")
    print(len(matches))


if __name__ == "__main__":
    asyncio.run(verify())
