"""`ws-service replay --live`: watch a room of the running service, as a spectator."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
from rich.live import Live

from service.cli.api import base_url
from service.cli.common import console, known_games, run
from service.cli.match_source import picture_size
from service.cli.plain_frames import PlainFrames, ending_with_the_pipe
from service.cli.token import make_token
from service.client import Closed, Refused, connect
from service.client.tokens import CODE_BAD_TOKEN
from service.errors import ServiceError
from service.games.sight import view_type
from service.replay.terminal import paint_view, plain
from service.replay.times import seconds_as_text
from service.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from service.client import Message
    from service.client.tokens import Token
    from service.replay.terminal import Line

USER = "ws-service-replay"
NAME = "Terminal"
TOKEN_TTL = timedelta(hours=1)

BAD_MESSAGE = "BAD_MESSAGE"


class CannotWatch(ServiceError):
    """The room can't be watched."""


def watch_room(room: str, url: str | None, token: str | None, password: str | None) -> None:
    """Show the match of a room until it is over; raise `CannotWatch`."""
    settings = load_settings()
    # The client warns of each refused token; the error at the end says it once.
    logging.getLogger("service.client").setLevel(logging.ERROR)

    async def sign() -> str:
        return make_token(settings, USER, NAME, TOKEN_TTL)

    run(_watch(room, base_url(url, settings, "ws"), token or sign, password))


async def _watch(room: str, url: str, token: Token, password: str | None) -> None:
    fields: dict[str, Any] = {} if password is None else {"password": password}
    try:
        async with connect(url, token) as client:
            await client.command("room:join", roomId=room, role="spectator", **fields)
            await show(client, Watched(room, client.welcome["user"]["id"]))
    except Refused as error:
        why = "it is no id of a room" if error.code == BAD_MESSAGE else error
        raise CannotWatch(f"room {room} can't be watched: {why}") from error
    except Closed as error:
        why = f"{url} has closed the connection for good: {error}"
        if error.code == CODE_BAD_TOKEN:
            why = (
                f"{url} refuses the token: JWT_SECRET must be the one of the service; or give "
                "--token with one that it accepts"
            )
        raise CannotWatch(why) from error
    except (aiohttp.ClientError, OSError) as error:
        reason = str(error) or "it does not answer"
        raise CannotWatch(f"the service at {url} can't be reached: {reason}") from error


class Watched:
    """What is known of a room that is watched."""

    def __init__(self, room: str, user: int | str) -> None:
        """Know nothing but its id, and who watches it."""
        self.room = room
        self.user = user
        self.game = ""
        self.names: list[str] = []
        self.update: Message | None = None
        self.note = "waiting for a match"
        self.is_over = False

    def take(self, message: Message) -> bool:
        """Take a message; return whether there is something new to be seen."""
        if message.get("roomId") != self.room:
            return False
        match message["type"]:
            case "game:start":
                self.game = message["game"]
                self.names = [player["name"] for player in message["players"]]
                self.note = ""
            case "game:update":
                self.update = message
                self.note = ""
            case "game:paused":
                self.note = "paused: a player is away"
            case "game:resumed":
                self.note = ""
            case "game:over":
                self.note = f"over: {message['reason']}   {' : '.join(map(str, message['scores']))}"
                self.is_over = True
            case "room:closed":
                self.note = "the room was closed"
                self.is_over = True
            # Who was offline joins again.
            case "room:left" if self._is_own(message) and message["reason"] != "offline":
                self.note = f"no longer watching: {message['reason']}"
                self.is_over = True
            case _:
                return False
        return True

    def picture(self, width: int, height: int) -> list[Line]:
        """Draw the latest state."""
        if self.update is None:
            return []
        view = self.update["state"]
        if self.game in known_games():
            view = msgspec.convert(view, _view_type(self.game))
        return paint_view(view, self.scores(), self.names, width, height)

    def scores(self) -> list[int]:
        """Return the points by seat, where the state has them."""
        state = {} if self.update is None else self.update["state"]
        return [state["s1"], state["s2"]] if isinstance(state, dict) and "s1" in state else []

    def second(self) -> int:
        """Return the second of the match, or the move; that of the clock for an unknown game."""
        if self.update is None:
            return 0
        if self.game not in known_games():
            return int(time.monotonic())
        tick: int = self.update["tick"]
        return tick // (known_games()[self.game].tick_hz or 1)

    def status(self) -> str:
        """Return the line below the picture."""
        return f"{self._when()}   {self.note}".strip()

    def _is_own(self, message: Message) -> bool:
        return bool(message["userId"] == self.user)

    def _when(self) -> str:
        if self.update is None:
            return ""
        run, tick = self.update["run"], self.update["tick"]
        where = f"run {run}   tick {tick}"
        game = known_games().get(self.game)
        if game is None:
            return where
        return (
            f"{seconds_as_text(tick / game.tick_hz)}   {where}" if game.tick_hz else f"move {tick}"
        )


async def show(client: AsyncIterable[Message], watched: Watched) -> None:
    """Draw on a terminal as messages come; otherwise print plain frames, until it is over."""
    if not sys.stdout.isatty():
        with ending_with_the_pipe():
            await _print_frames(client, watched)
        return
    from service.cli.replay_app import as_text  # noqa: PLC0415 - slow to import

    with Live(console=console(), auto_refresh=False, screen=True) as screen:
        async for message in client:
            if watched.take(message):
                picture = as_text(watched.picture(*picture_size()))
                screen.update(picture.append(f"\n{watched.status()}   Ctrl-C ends"), refresh=True)
            if watched.is_over:
                await asyncio.sleep(0)
                break
    print(plain(watched.picture(*picture_size())))
    print(watched.status())


async def _print_frames(client: AsyncIterable[Message], watched: Watched) -> None:
    frames = PlainFrames()
    frames.print(watched.status())
    async for message in client:
        if not watched.take(message):
            continue
        if frames.wants(watched.second(), watched.note, watched.scores(), watched.update is None):
            picture = plain(watched.picture(*picture_size()))
            frames.print("\n".join(part for part in (picture, watched.status()) if part))
        if watched.is_over:
            return


@cache
def _view_type(game: str) -> Any:
    return view_type(known_games()[game])
