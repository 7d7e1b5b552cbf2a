"""`ws-service replay --fork`: a room of the running service with a match that goes on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import aiohttp

from service.cli.common import run
from service.cli.match_source import Source, load, tick_of
from service.cli.token import make_token
from service.domain.ids import parse_user_id
from service.edge.claims import Scope
from service.errors import ServiceError
from service.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

TOKEN_TTL = timedelta(minutes=5)
TIMEOUT_S = 30.0


class NotForked(ServiceError):
    """The service did not fork the match."""


def fork_match(
    source: Source, place: str, players: Sequence[str], url: str | None, token: str | None
) -> None:
    """Open a room from a state of a match, and print its address; raise `NotForked`."""
    settings = load_settings()
    # By the ticks of the whole match, which the service counts by.
    replay, _ = load(source._replace(secrets=True))
    base = (url or f"http://127.0.0.1:{settings.listen.port}").rstrip("/")
    body: dict[str, Any] = {
        "matchId": replay.started.match,
        "tick": tick_of(place, replay, "--fork"),
    }
    if players:
        body["players"] = [parse_user_id(user) for user in players]
    used = token or make_token(settings, None, None, TOKEN_TTL, (Scope.ADMIN,))
    forked = run(_post(f"{base}/api/v1/admin/fork", used, body))
    print(f"{base}/room/{forked['roomId']}")
    waiting = body.get("players", replay.started.players)
    print(f"match {forked['matchId']} waits there for {', '.join(map(str, waiting))}")


async def _post(url: str, token: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(TIMEOUT_S)) as http,
            http.post(url, json=body, headers=headers) as response,
        ):
            found = await response.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise NotForked(f"{url} can't be reached: {error}; is the service running?") from error
    if response.status != 200:  # noqa: PLR2004 - it has worked
        detail = found.get("detail", "") if isinstance(found, dict) else ""
        raise NotForked(f"{url} answers {response.status}. {detail}".strip())
    answer: dict[str, Any] = found
    return answer
