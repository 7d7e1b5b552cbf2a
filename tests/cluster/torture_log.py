"""What a torture reads from the log: as it is appended, and what must hold of it at the end."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

import psycopg

from tests.cluster.torture_players import ALWAYS_RECORDED, Acked

READ_EVERY_S = 0.5


@dataclass(frozen=True)
class Row:
    """An event as the log has it."""

    position: int
    event_id: bytes
    hash: bytes
    type: str
    actor: str | None
    command: str | None
    """The id of the command, at the first of its events."""
    events: int
    """How many events that command has."""
    data: dict[str, Any]


def read(url: str, after: int = 0) -> list[Row]:
    """Read the events after a position, not by way of a proxy."""
    query = b"SELECT position, event_id, hash, type, actor, meta, data FROM events "
    query += b"WHERE position > %s ORDER BY position"
    with closing(psycopg.connect(url.replace("+psycopg", ""))) as connection:
        rows = connection.execute(query, (after,)).fetchall()
    found = []
    for position, event_id, hash_, type_, actor, meta, data in rows:
        known = json.loads(meta) if meta else {}
        command, events = known.get("command"), known.get("events", 1)
        row = Row(position, event_id, hash_, type_, actor, command, events, json.loads(data))
        found.append(row)
    return found


class Witness:
    """Reads what is appended while it is, so that no later change of it goes unnoticed."""

    def __init__(self, url: str) -> None:
        """Read from the log at `url`."""
        self._url = url
        self.seen: list[Row] = []

    async def watch(self) -> None:
        """Read on until it is cancelled."""
        while True:
            with suppress(psycopg.OperationalError):
                await self.look()
            await asyncio.sleep(READ_EVERY_S)

    async def look(self) -> None:
        """Read what is new; one at a time."""
        last = self.seen[-1].position if self.seen else 0
        self.seen += await asyncio.to_thread(read, self._url, last)


def changed(seen: Iterable[Row], rows: Sequence[Row]) -> list[str]:
    """Return which events that were seen are no longer in the log."""
    present = {row.position: row for row in rows}
    return [
        f"position {row.position} had event {row.event_id.hex()}, and has another one"
        for row in seen
        if present.get(row.position) != row
    ]


def wrong_order(rows: Sequence[Row]) -> list[str]:
    """Return whether positions have gaps, or an event is there twice."""
    faults = []
    if [row.position for row in rows] != list(range(1, len(rows) + 1)):
        faults.append("the positions of the log have gaps or repetitions")
    if len({row.event_id for row in rows}) != len(rows):
        faults.append("an event id is in the log twice")
    return faults


def wrong_acks(rows: Sequence[Row], acked: Iterable[Acked]) -> list[str]:
    """Return what was acknowledged and is not in the log, or what was carried out twice."""
    carried_out: dict[tuple[str | None, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row.command is not None:
            carried_out[row.actor, row.command].append(row)
    faults = [
        f"command {key} was carried out {len(found)} times: {[row.position for row in found]}"
        for key, found in carried_out.items()
        if len(found) > 1
    ]
    for ack in acked:
        found = carried_out[ack.user, ack.command]
        last = [row.position + row.events - 1 for row in found]
        if ack.position > len(rows):
            faults.append(f"acknowledged, but the log is shorter: {ack}")
        elif (found or ack.type in ALWAYS_RECORDED) and last != [ack.position]:
            faults.append(f"acknowledged, but the log has its events up to {last}: {ack}")
    return faults


def wrong_matches(rows: Sequence[Row]) -> list[str]:
    """Return who was in two live matches at once, and which matches have not ended once."""
    live: dict[str, list[Any]] = {}
    faults = []
    for row in rows:
        if row.type == "match.started":
            busy = {user for users in live.values() for user in users}
            faults += [f"{one} is in two matches" for one in busy & set(row.data["players"])]
            live[row.data["match"]] = row.data["players"]
        elif row.type == "match.ended" and live.pop(row.data["match"], None) is None:
            faults.append(f"match {row.data['match']} has ended twice")
    return [*faults, *(f"match {match} has not ended" for match in live)]


def still_online(rows: Sequence[Row]) -> list[str]:
    """Return who is online by the log."""
    online = set()
    for row in rows:
        if row.type == "user.came_online":
            online.add(row.data["user"])
        elif row.type == "user.went_offline":
            online.discard(row.data["user"])
    return [f"user {user} is online" for user in sorted(online, key=str)]
