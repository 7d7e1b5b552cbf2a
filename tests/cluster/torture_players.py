"""The users of a torture: pairs who play one match after the other, and what they note."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from service.client import NoAnswer, Refused
from tests.cluster.frame_gaps import Player

MATCH_S = 5
"""The length of a match of Pong."""

PONG_OF = 10
"""One pair of so many plays Pong, whose frames cost most; all others play connect four."""

THINKS_S = (0.3, 6.0)
"""How long a player of connect four thinks."""

SLOW_OF = 4
"""One pair of so many thinks five times as long: their matches live through many faults."""

COMMAND_S = 5.0

OUTDATED_S = 30.0
"""How long a player may be shown an older state than the one in which their moves are decided."""


@dataclass(frozen=True)
class Acked:
    """An acknowledged command, and up to where its events are in the log."""

    user: str
    command: str
    """The id that the client chose."""
    type: str
    position: int


ALWAYS_RECORDED = frozenset({"room:create", "chat:send", "game:move of connect_four"})
"""Commands that can't be acknowledged without an event of their own."""


class TorturePlayer(Player):
    """A player who also notes what is acknowledged, and which messages they are shown."""

    def __init__(self, url: str, user: int, name: str) -> None:
        """Connect to `url` within the `async with` block."""
        super().__init__(url, user, name, frame_hz=20)
        self.acked: list[Acked] = []
        self.texts: list[str] = []
        """The texts that were shown, in order."""
        self.over: set[str] = set()
        """Rooms whose match is over, or that are closed."""
        self.is_complete = True
        """Never told that messages were missed."""

    async def tell(self, type_: str, kind: str = "", **fields: Any) -> dict[str, Any]:
        """Carry a command out once, and note its ack."""
        answer = await self.client.command(type_, **fields)
        self.acked.append(Acked(str(self.user), answer["id"], kind or type_, answer["position"]))
        return answer

    async def do(self, type_: str, **fields: Any) -> dict[str, Any]:
        """Carry a command out, and note its ack; the client repeats what is refused for now."""
        return await self.tell(type_, **fields)

    def take(self, message: dict[str, Any]) -> None:
        """Keep what the checks need of a message."""
        match message["type"]:
            case "chat:message":
                self.texts.append(message["text"])
            case "game:over" | "room:closed":
                self.over.add(message["roomId"])
            case "resync":
                self.is_complete = False
            case _:
                pass


class Pair:
    """Two users who play against each other, until they are told to stop."""

    def __init__(self, number: int, players: tuple[TorturePlayer, TorturePlayer]) -> None:
        """Choose the game and the pace by `number`."""
        self.players = players
        self.is_playing_pong = number % PONG_OF == 0
        self.said: list[tuple[TorturePlayer, str]] = []
        """Acknowledged texts, and who was to be shown them."""
        self.matches = 0
        self._chance = random.Random(number)  # noqa: S311 - it has to be repeatable
        self._slowness = 5 if number % SLOW_OF == 1 else 1
        self._is_over = asyncio.Event()
        self._wrong_turn: tuple[object, float] = None, 0.0
        """In which state it was told that it is the other's turn, and when first (monotonic)."""
        self.faults: list[str] = []

    def stop(self) -> None:
        """Play the present match to its end at once, and no other one."""
        self._is_over.set()

    async def play(self) -> None:
        """Play one match after the other."""
        game = "pong" if self.is_playing_pong else "connect_four"
        one, other = self.players
        while not self._is_over.is_set():
            options = {"duration_s": MATCH_S} if self.is_playing_pong else {"turn_s": 60}
            room = str((await one.do("room:create", game=game, options=options))["roomId"])
            await other.do("room:join", roomId=room)
            await self._say(room)
            for player in self.players:
                await self._try(player, "room:ready", {"INVALID_STATE", "NOT_SEATED"}, room)
            while not any(room in player.over for player in self.players):
                await self._move(room)
            self.matches += 1
            await self._say(room)
            for player in self.players:
                await self._try(player, "room:leave", None, room)

    def told(self) -> str:
        """Tell what the players have seen last."""
        return " | ".join(f"{one.user}: {one.state} {one.seen[-3:]}" for one in self.players)

    async def _say(self, room: str) -> None:
        author, reader = self._chance.sample(self.players, 2)
        text = f"{room} {len(self.said)}"
        with suppress(Refused):
            await author.tell("chat:send", roomId=room, text=text)
            self.said.append((reader, text))

    async def _try(
        self, player: TorturePlayer, type_: str, refusals: set[str] | None, room: str
    ) -> None:
        try:
            await player.tell(type_, roomId=room)
        except Refused as refused:
            if refusals is not None and refused.code not in refusals:
                raise

    async def _move(self, room: str) -> None:
        """Make one move, whose answer may fail to come."""
        with suppress(Refused, NoAnswer):
            if self.is_playing_pong:
                action = self._chance.choice(["down", "up"])
                await self._chance.choice(self.players).tell(
                    "game:move",
                    "game:move of pong",
                    roomId=room,
                    direction="w",
                    action=action,
                    timeout_s=COMMAND_S,
                )
                await asyncio.sleep(0.25)
                return
            await self._think()
            state = self.players[0].states.get(room)
            turn = state["state"]["turn"] if state else None
            if turn is None:
                turn = self._chance.randrange(2)
            move = {"column": self._chance.randrange(7)}
            try:
                await self.players[turn].tell(
                    "game:move",
                    "game:move of connect_four",
                    roomId=room,
                    move=move,
                    timeout_s=COMMAND_S,
                )
            except Refused as refused:
                if state is not None and refused.code == "INVALID_MOVE":
                    self._note_refusal(state, str(refused))
                raise

    def _note_refusal(self, state: dict[str, Any], reason: str) -> None:
        """Take note that it is not the turn of the player whose turn the state shows."""
        shown = state["roomId"], state["run"], state["tick"]
        before, since = self._wrong_turn
        if "turn" not in reason:
            return
        if before != shown:
            self._wrong_turn = shown, time.monotonic()
        elif time.monotonic() - since > OUTDATED_S:
            self._wrong_turn = shown, float("inf")
            self.faults.append(f"{shown} is shown to {self.players[0].user}, and is outdated")

    async def _think(self) -> None:
        """Wait as long as a move takes; at the end of all play hardly at all."""
        thinks_s = self._chance.uniform(*THINKS_S) * self._slowness
        with suppress(TimeoutError):
            async with asyncio.timeout(thinks_s):
                await self._is_over.wait()
                await asyncio.sleep(0.1)
