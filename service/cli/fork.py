"""`ws-service replay --fork`: a room of the running service with a match that goes on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import typer

from service.cli.api import ask, base_url
from service.cli.common import run
from service.cli.match_source import Source, load, tick_of
from service.cli.token import make_token
from service.domain.ids import parse_user_id
from service.edge.claims import Scope
from service.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.ids import UserId

TOKEN_TTL = timedelta(minutes=5)
TIMEOUT_S = 30.0


def fork_match(
    source: Source, place: str, players: Sequence[str], url: str | None, token: str | None
) -> None:
    """Open a room from a state of a match, and print its address; raise `ServiceNotReached`."""
    settings = load_settings()
    # By the ticks of the whole match, which the service counts by.
    replay, _ = load(source._replace(secrets=True))
    base = base_url(url, settings)
    body: dict[str, Any] = {
        "matchId": replay.started.match,
        "tick": tick_of(place, replay, "--fork"),
    }
    if players:
        body["players"] = [_user(user) for user in players]
    used = token or make_token(settings, None, None, TOKEN_TTL, (Scope.ADMIN,))
    forked = run(_post(f"{base}/api/v1/admin/fork", used, body))
    print(f"{base}/room/{forked['roomId']}")
    waiting = body.get("players", replay.started.players)
    print(f"match {forked['matchId']} waits there for {', '.join(map(str, waiting))}")


def _user(text: str) -> UserId:
    try:
        return parse_user_id(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--player") from error


async def _post(url: str, token: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"}
    timeout = aiohttp.ClientTimeout(TIMEOUT_S)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as http:
        return await ask(http, "POST", url, body)
