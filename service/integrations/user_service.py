"""Client of the platform's user service: display names, friends, and finished matches."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import quote

import msgspec

from service.domain.commands.outbox import Rejected
from service.domain.ids import parse_user_id
from service.domain.projections.outbox import reporting_seat
from service.errors import ClientError
from service.integrations.breaker import Breaker
from service.integrations.http import (
    REQUEST_ERRORS,
    describe,
    iso_time,
    open_session,
    post,
    read_body,
)
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from aiohttp import ClientSession

    from service.domain.commands.outbox import Delivered, FinishedMatch, Indeterminate
    from service.domain.ids import UserId
    from service.settings import Settings
    from service.settings.sections.integrations import UserServiceSettings

UNAUTHORISED = 401
NOT_FOUND = 404
OK = 200

logger = get_logger(__name__)


Body = TypeVar("Body")


class UserServiceUnavailable(ClientError):
    """The user service does not respond, or none is configured; try again later."""

    code = "USER_SERVICE_UNAVAILABLE"


class TokenInvalid(msgspec.Struct, frozen=True):
    """The user service answered 401: the token is invalid or expired, the match was not saved."""


class _Public(msgspec.Struct):
    name: str | None = None


class _Friend(msgspec.Struct):
    id: int | str


class _Me(msgspec.Struct):
    friends: list[_Friend] = []


class _MeResponse(msgspec.Struct):
    user: _Me


_Key: TypeAlias = "tuple[str, UserId]"


class UserService:
    """Queries the user service; no query is sent while the circuit breaker is open."""

    def __init__(
        self,
        url: str,
        settings: UserServiceSettings,
        breaker: Breaker,
        *,
        save_timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Send requests to `url`; `breaker` guards names and friends, the outbox has its own."""
        self._url = url.rstrip("/")
        self._settings = settings
        self._breaker = breaker
        self._clock = clock
        self._names: OrderedDict[UserId, tuple[str | None, float]] = OrderedDict()
        self._flights: dict[_Key, asyncio.Task[Any]] = {}
        self._query_session = open_session(settings.timeout_s, settings.concurrency)
        self._save_session = open_session(save_timeout_s, settings.concurrency)

    async def name(self, user: UserId) -> str | None:
        """Return the display name of `user`, or None if the user service has none.

        Raises `UserServiceUnavailable`.
        """
        known = self._names.get(user)
        if known is not None and self._clock() - known[1] < self._settings.name_age_s:
            return known[0]
        name: str | None = await self._single_flight(("name", user), lambda: self._fetch_name(user))
        return name

    async def friends(self, user: UserId, token: str) -> list[UserId]:
        """Return the friends of `user`, queried with their own token.

        Raises `UserServiceUnavailable`.
        """
        friends: list[UserId] = await self._single_flight(
            ("friends", user), lambda: self._fetch_friends(token)
        )
        return friends

    async def save(
        self, match: FinishedMatch, token: str
    ) -> Delivered | Rejected | Indeterminate | TokenInvalid:
        """Save a finished match; repeated calls have the same body and idempotency key."""
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": match.id}
        body = msgspec.json.encode(create_match(match))
        outcome = await post(self._save_session, f"{self._url}/users/me", body, headers)
        refused = isinstance(outcome, Rejected) and outcome.status == UNAUTHORISED
        return TokenInvalid() if refused else outcome

    async def close(self) -> None:
        """Cancel running queries and close all connections."""
        for flight in list(self._flights.values()):
            flight.cancel()
        await asyncio.gather(*self._flights.values(), return_exceptions=True)
        await self._query_session.close()
        await self._save_session.close()

    async def _single_flight(self, key: _Key, ask: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Send one request for all callers that ask for the same at the same time."""
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(ask())
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._on_done(key, done))
        return await asyncio.shield(flight)

    def _on_done(self, key: _Key, flight: asyncio.Task[Any]) -> None:
        del self._flights[key]
        if not flight.cancelled():
            # Retrieved, since asyncio would log it if all callers were cancelled.
            flight.exception()

    async def _fetch_name(self, user: UserId) -> str | None:
        status, body = await self._get(f"/users/public/{quote(str(user), safe='')}")
        name = None if status == NOT_FOUND else _decoded(body, _Public).name
        self._names[user] = (name, self._clock())
        self._names.move_to_end(user)
        if len(self._names) > self._settings.names_max:
            self._names.popitem(last=False)
        return name

    async def _fetch_friends(self, token: str) -> list[UserId]:
        _, body = await self._get("/users/me", {"Authorization": f"Bearer {token}"})
        try:
            return [parse_user_id(friend.id) for friend in _decoded(body, _MeResponse).user.friends]
        except ValueError as error:
            raise UserServiceUnavailable(
                "The user service sent a friend with an invalid id."
            ) from error

    async def _get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        if not self._breaker.allow():
            raise UserServiceUnavailable
        try:
            status, body = await self._fetch(self._query_session, path, headers)
        except REQUEST_ERRORS as error:
            self._breaker.failed()
            self._warn(path, describe(error))
            raise UserServiceUnavailable from error
        except BaseException:
            self._breaker.unused()
            raise
        if status >= 500:  # noqa: PLR2004 - the class of server errors
            self._breaker.failed()
        else:
            self._breaker.succeeded()
        if status not in (OK, NOT_FOUND):
            self._warn(path, f"HTTP {status}", http_status=status)
            raise UserServiceUnavailable
        return status, body

    async def _fetch(
        self, session: ClientSession, path: str, headers: dict[str, str] | None
    ) -> tuple[int, bytes]:
        url = self._url + path
        async with session.get(url, headers=headers, allow_redirects=False) as response:
            return response.status, await read_body(response)

    def _warn(self, path: str, reason: str, **fields: int) -> None:
        logger.warning(
            "user service failed",
            error_type="external_service_error",
            error_code="USER_SERVICE_UNAVAILABLE",
            metadata={"path": path, "reason": reason},
            **fields,
        )


def _decoded(body: bytes, type_: type[Body]) -> Body:
    try:
        return msgspec.json.decode(body, type=type_)
    except msgspec.DecodeError as error:
        raise UserServiceUnavailable("The response of the user service can't be read.") from error


def create_match(match: FinishedMatch) -> dict[str, Any]:
    """Return a match in the form of the contract: `player1` is the player with the higher id."""
    first = reporting_seat(match.players)
    second = 1 - first
    return {
        "action": "create_match",
        "matchData": {
            "type": "ONE_VS_ONE",
            "date": iso_time(match.ended_at),
            "player1Id": match.players[first],
            "player2Id": match.players[second],
            "player1Score": match.scores[first],
            "player2Score": match.scores[second],
        },
    }


def user_service_of(settings: Settings, clock: Callable[[], float]) -> UserService | None:
    """Make the client if the settings name a user service; `clock` is monotonic, in seconds."""
    if settings.user_service.url is None:
        return None
    return UserService(
        settings.user_service.url,
        settings.user_service,
        Breaker(settings.breaker, clock),
        save_timeout_s=settings.outbox.timeout_s,
    )
