"""`ws-service bots`: fill the lobby of a running service with users who play by themselves."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from service.cli.api import ServiceNotReached, base_url, http_address
from service.cli.bot_user import BotUser, Tally, first_error
from service.cli.common import known_games
from service.cli.token import InvalidArgument, make_token
from service.client import Closed, connect
from service.client.tokens import CODE_BAD_TOKEN
from service.domain.commands.bots import NAMES
from service.errors import ServiceError
from service.games.chance import Chance
from service.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.client import Token
    from service.games.protocol import Game, Move
    from service.settings import Settings

TOKEN_TTL = timedelta(hours=1)
"""Of the tokens that are signed here; clients renew them."""

CONNECT_EVERY_S = 0.1
"""Between two connections, so that the service's limit of handshakes is kept."""

REPORT_EVERY_S = 1.0

TRIES_MAX = 5
"""How often a user tries to connect for the first time."""


def bots(  # noqa: PLR0913, PLR0917 - these are the options
    count: int, game: str, level: int, url: str | None, tokens: Path | None, prefix: str
) -> None:
    """Have `count` users play `game` until Ctrl-C or SIGTERM; raise `ServiceError`."""
    rules = _game(game, level)
    settings = load_settings()
    users = _tokens(settings, count, tokens, prefix)
    # The client warns of each refused token; the error at the end says it once.
    logging.getLogger("service.client").setLevel(logging.ERROR)
    asyncio.run(_until_stopped(users, rules, level, base_url(url, settings, "ws")))


def _game(name: str, level: int) -> Game:
    games = known_games()
    game = games.get(name)
    able = [one for one in games if games[one].bot_levels]
    if game is None:
        raise InvalidArgument(f"--game {name} is not here; choose one of: {', '.join(able)}")
    if not game.bot_levels:
        raise InvalidArgument(f"--game {name} has no bots; choose one of: {', '.join(able)}")
    if not 1 <= level <= game.bot_levels:
        raise InvalidArgument(f"--level {level} must be from 1 to {game.bot_levels} for {name}")
    return game


def _tokens(settings: Settings, count: int, file: Path | None, prefix: str) -> list[Token]:
    """Return what gives each user a token; raise `InvalidArgument` or `ConfigurationError`."""
    if file is not None:
        lines = [line.strip() for line in file.read_text().splitlines() if line.strip()]
        if len(lines) < count:
            raise InvalidArgument(f"--tokens {file} has {len(lines)} lines; --count is {count}")
        return [*lines[:count]]
    made: list[Token] = [
        _signed(settings, f"{prefix}{number + 1}", number) for number in range(count)
    ]
    # An unusable secret is reported at once, and not by each user.
    make_token(settings, f"{prefix}1", None, TOKEN_TTL)
    return made


def _signed(settings: Settings, user: str, number: int) -> Token:
    name = NAMES[number % len(NAMES)].capitalize()
    name += f" {number // len(NAMES) + 1}" if number >= len(NAMES) else ""

    async def give() -> str:
        return make_token(settings, user, name, TOKEN_TTL)

    return give


async def _until_stopped(users: list[Token], game: Game, level: int, url: str) -> None:
    tally = Tally()
    work = asyncio.create_task(_play(users, game, level, url, tally))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, work.cancel)
    reports = asyncio.create_task(_report(tally, len(users)))
    try:
        with suppress(asyncio.CancelledError):
            await work
    except BaseExceptionGroup as group:
        error = first_error(group, ServiceError)
        raise error or group from None
    finally:
        reports.cancel()
    print(f"{_line(tally, len(users))}; all have left")


async def _play(users: list[Token], game: Game, level: int, url: str, tally: Tally) -> None:
    async with asyncio.TaskGroup() as tasks:
        for number, token in enumerate(users):
            tasks.create_task(_be_one(token, game, level, url, tally, number))
            await asyncio.sleep(CONNECT_EVERY_S)


async def _be_one(  # noqa: PLR0913, PLR0917 - one user of many
    token: Token,
    game: Game,
    level: int,
    url: str,
    tally: Tally,
    number: int,
) -> None:
    """Be one of the users, for good; raise `ServiceNotReached` when the service refuses them."""
    for pause_s in _pauses():
        try:
            async with connect(url, token, frame_hz=20) as client, aiohttp.ClientSession() as http:
                # Their chance need not be the same in every run.
                chance = Chance(hash((number, id(client))))
                legal_moves = partial(legal_moves_of, http, url, token)
                user = BotUser(
                    client, game, level, tally=tally, chance=chance, legal_moves=legal_moves
                )
                await user.run()
        except* Closed as group:
            raise _refused(first_error(group, Closed), url) from None
        except* (aiohttp.ClientError, OSError) as group:
            error = first_error(group, Exception)
            if pause_s is None or not isinstance(error, aiohttp.WSServerHandshakeError):
                raise _unreachable(error, url) from None
        else:
            return
        await asyncio.sleep(pause_s or 0)


async def legal_moves_of(
    http: aiohttp.ClientSession, url: str, token: Token, match: str
) -> list[Move]:
    """Ask the HTTP API for the moves that a user may make; raise `OSError` or `TimeoutError`."""
    bearer = token if isinstance(token, str) else await token()
    path = f"{http_address(url)}/api/v1/matches/{match}/legal-moves"
    headers = {"Authorization": f"Bearer {bearer}"}
    try:
        async with http.get(path, headers=headers, raise_for_status=True) as answer:
            moves: list[Move] = (await answer.json())["moves"]
            return moves
    except aiohttp.ClientError as error:
        raise OSError(str(error)) from error


def _pauses() -> Iterator[float | None]:
    yield from (1.0 * 2**tried for tried in range(TRIES_MAX - 1))
    yield None


def _refused(closed: Closed, url: str) -> ServiceNotReached:
    if closed.code == CODE_BAD_TOKEN:
        return ServiceNotReached(
            f"{url} refuses the token: JWT_SECRET must be the one of the service; or give --tokens"
            " with tokens that it accepts"
        )
    return ServiceNotReached(f"{url} has closed the connection for good: {closed}")


def _unreachable(error: Exception, url: str) -> ServiceNotReached:
    return ServiceNotReached(
        f"{url} cannot be reached ({error}): start the service, or give its address by --url"
    )


async def _report(tally: Tally, count: int) -> None:
    """Print the progress whenever it has changed."""
    last = ""
    while True:
        await asyncio.sleep(REPORT_EVERY_S)
        line = _line(tally, count)
        if tally.online and line != last:
            print(line, flush=True)
            last = line


def _line(tally: Tally, count: int) -> str:
    refusals = f", {tally.refused} refused ({tally.last_refusal})" if tally.refused else ""
    # A match of two of them is counted by both.
    return (
        f"{tally.online} of {count} connected, {tally.playing} play, {tally.played} times played,"
        f" {tally.won} won{refusals}"
    )
