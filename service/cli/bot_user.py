"""A user who plays by itself: a client of the service that decides as the bots of its games do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from service.client import Refused
from service.games.bots import BOT_HZ
from service.games.chance import Chance
from service.games.protocol import Sight
from service.games.sight import view_type

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from service.client import Client, Message
    from service.games.protocol import Game, Move

    LegalMoves: TypeAlias = Callable[[str], Awaitable[Sequence[Move]]]

PAUSE_S = 1.0
"""Between a match and the search for the next one, on average; and before an invite is accepted."""

MOVE_S = 0.5
"""How long it takes for a move in a game without ticks."""


class Tally(msgspec.Struct):
    """What the users of one command have come to."""

    online: int = 0
    playing: int = 0
    played: int = 0
    won: int = 0
    refused: int = 0
    """Commands that the service refused."""
    last_refusal: str = ""


class BotUser:
    """Plays match after match; made for one connection of a client."""

    def __init__(  # noqa: PLR0913 - what a user plays by
        self,
        client: Client,
        game: Game,
        level: int,
        *,
        tally: Tally,
        chance: Chance,
        legal_moves: LegalMoves,
    ) -> None:
        """Play `game` at a level of its bots, and count in `tally`.

        `legal_moves` asks for the moves that this user may make in a match without ticks; it raises
        `OSError` or `TimeoutError` when there is no answer.
        """
        self._client = client
        self._game = game
        self._level = level
        self._tally = tally
        self._chance = chance
        self._legal_moves = legal_moves
        self._match = ""
        self._view_type: Any = view_type(game)
        self._room: str | None = None
        self._seat: int | None = None
        self._latest: Message | None = None
        self._before: tuple[int, Any] = (0, None)
        self._keys: dict[str, str] = {}
        self._is_new = asyncio.Event()

    async def run(self) -> None:
        """Meet others and play, until cancelled; raise `Closed`."""
        self._tally.online += 1
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._play())
                tasks.create_task(self._enter())
                async for message in self._client:
                    work = self._react(message)
                    if work is not None:
                        tasks.create_task(work)
        finally:
            self._tally.online -= 1
            self._stand_up()

    def _react(self, message: Message) -> Any:
        """Take a message, and return the work that follows from it, if any."""
        kind = message["type"]
        if kind == "invite:received" and message["game"] == self._game.name:
            return self._accept(message["from"]["id"])
        if kind in {"room:start", "game:ready"}:
            return self._join(message["roomId"], begins=kind == "game:ready")
        if kind.startswith("game:"):
            return self._follow(message)
        has_left = kind == "room:left" and message["userId"] == self._id
        if has_left or kind == "room:closed":
            self._stand_up()
        elif kind != "matchmaking:cancelled":
            return None
        return self._enter()

    def _follow(self, message: Message) -> Any:
        """Take a message about a match, and return the work that follows from it, if any."""
        kind = message["type"]
        if kind == "game:start" and message["game"] != self._game.name:
            # A seat from before this client began.
            return self._leave(message["roomId"])
        if kind == "game:start" and message["playerIndex"] is not None:
            self._sit_down(message)
        elif kind == "game:update" and message["roomId"] == self._room:
            self._latest = message
            self._is_new.set()
        elif kind == "game:over" and message["roomId"] == self._room:
            self._count(message)
            return self._leave(message["roomId"])
        return None

    @property
    def _id(self) -> Any:
        return self._client.welcome["user"]["id"]

    async def _enter(self) -> None:
        """Go to the lobby, and search for an opponent."""
        await asyncio.sleep(self._pause_s())
        if self._room is None:
            await self._command("lobby:join")
            await self._command("matchmaking:join", "ALREADY_SEARCHING", game=self._game.name)

    async def _accept(self, inviter: Any) -> None:
        await asyncio.sleep(self._pause_s())
        await self._command("invite:accepted", "INVITE_NOT_FOUND", **{"from": inviter})

    async def _join(self, room: str, *, begins: bool) -> None:
        if begins:
            await self._command("game:begin", "MATCH_ALREADY_STARTED", roomId=room)
        else:
            await self._command("game:join", roomId=room)

    async def _leave(self, room: str) -> None:
        self._stand_up()
        await asyncio.sleep(self._pause_s())
        await self._command("room:leave", "ROOM_NOT_FOUND", roomId=room)

    async def _command(self, type_: str, *expected: str, **fields: Any) -> None:
        """Send a command; a refusal other than those that are `expected` is counted."""
        try:
            await self._client.command(type_, **fields)
        except Refused as error:
            # Others act at the same time: rooms close, and users meet somebody else first.
            if error.code not in {*expected, "NOT_IN_ROOM", "ALREADY_IN_ROOM", "ROOM_NOT_FOUND"}:
                self._tally.refused += 1
                self._tally.last_refusal = str(error)

    def _pause_s(self) -> float:
        return PAUSE_S * (0.5 + self._chance.below(1000) / 1000)

    # Matches

    def _sit_down(self, message: Message) -> None:
        if self._room is None:
            self._tally.playing += 1
        self._match = message["matchId"]
        self._room, self._seat = message["roomId"], message["playerIndex"]
        self._latest, self._before, self._keys = None, (0, None), {}

    def _stand_up(self) -> None:
        if self._room is not None:
            self._tally.playing -= 1
        self._room = self._seat = self._latest = None

    def _count(self, message: Message) -> None:
        self._tally.played += 1
        self._tally.won += message["winner"] == self._seat

    async def _play(self) -> None:
        """Decide at the rate of bots, by the newest state."""
        while True:
            await self._is_new.wait()
            self._is_new.clear()
            if not self._game.tick_hz:
                await asyncio.sleep(MOVE_S)
            try:
                moves = await self._moves()
            except (OSError, TimeoutError):
                # There may be no further state before its move.
                await asyncio.sleep(PAUSE_S)
                self._is_new.set()
                continue
            for move in moves:
                await self._move(move)
            if self._game.tick_hz:
                await asyncio.sleep(1 / BOT_HZ)

    async def _moves(self) -> list[Move]:
        legal = (
            () if self._game.tick_hz or not self._match else await self._legal_moves(self._match)
        )
        latest, seat = self._latest, self._seat
        if latest is None or seat is None:
            return []
        view = msgspec.convert(latest["state"], self._view_type)
        tick, before = self._before
        ticks = latest["tick"] - tick if self._game.tick_hz else 0
        sight = Sight(seat, view, legal, before, ticks)
        self._before = latest["tick"], view
        return list(self._game.bot(sight, self._level, self._chance))

    async def _move(self, move: Move) -> None:
        if move.keys() != {"direction", "action"}:
            if self._room is not None:
                await self._command("game:move", "MATCH_NOT_RUNNING", roomId=self._room, move=move)
        elif self._keys.get(move["direction"], "up") != move["action"]:
            # Only changes of keys are sent, and what gets lost is of no use later.
            self._keys[move["direction"]] = move["action"]
            await self._client.send("game:move", roomId=self._room, **move)


def first_error(group: BaseExceptionGroup[BaseException], kind: type[Any]) -> Any:
    """Return the first error of a kind in a group of them, or None."""
    found = group.subgroup(kind)
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
