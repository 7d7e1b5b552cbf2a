"""Types of the HTTP API: an authenticated call, and a route with its handler."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeAlias, TypeVar

import msgspec

if TYPE_CHECKING:
    from aiohttp import web

    from service.domain.ids import Owner
    from service.domain.projections.world import World
    from service.edge.api.replays import Replays
    from service.edge.auth import Caller
    from service.edge.claims import Scope
    from service.edge.hub import Hub
    from service.eventstore.read_models.outbox_notes import OutboxNotes
    from service.eventstore.reader import Reader
    from service.fanout.audience import Delivery
    from service.fanout.profiles import Profiles
    from service.figures import Figures
    from service.games.catalogue import Catalogue
    from service.runtime.dispatcher import Dispatcher

CACHE_MAX_AGE_S = 24 * 3600
"""How long a client may cache a response that never changes, in seconds."""

CACHE_IMMUTABLE = {
    "Cache-Control": f"private, max-age={CACHE_MAX_AGE_S}, immutable",
    "Vary": "Authorization",
}
CACHE_REVALIDATE = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
CACHE_NONE = {"Cache-Control": "no-store"}

Params = TypeVar("Params", bound=msgspec.Struct)

Method: TypeAlias = Literal["GET", "POST", "DELETE"]


class Announcer(Protocol):
    """Sends messages of other services: the hub, or in a cluster what reaches all nodes."""

    async def announce(self, delivery: Delivery, /) -> int:
        """Send a message to its audience; return how many sockets it reaches."""


class Dependencies:
    """The components that handlers use."""

    def __init__(  # noqa: PLR0913 - what handlers use
        self,
        engine: Dispatcher,
        hub: Hub,
        reader: Reader,
        replays: Replays,
        *,
        announcer: Announcer,
        figures: Figures,
        games: Catalogue,
        node: Owner,
        outbox_notes: OutboxNotes,
        now: Callable[[], float],
    ) -> None:
        """Take the components; `now` returns the seconds since 1970."""
        self.figures = figures
        self.games = games
        self.node = node
        self.outbox_notes = outbox_notes
        self.engine = engine
        self.hub = hub
        self.announcer = announcer
        self.reader = reader
        self.replays = replays
        self.now = now

    @property
    def world(self) -> World:
        """The present state of the projections."""
        return self.engine.world

    @property
    def profiles(self) -> Profiles:
        """The display names of users."""
        return self.engine.profiles


class Call(Generic[Params]):
    """An authenticated request with its validated parameters."""

    def __init__(self, params: Params, caller: Caller, request: web.Request) -> None:
        """Take the parameters, who sent them, and the request for its headers."""
        self.params = params
        self.caller = caller
        self.request = request


class Route(Generic[Params]):
    """An endpoint; the docstring of its handler is its summary in the OpenAPI document."""

    def __init__(  # noqa: PLR0913 - a row of the table
        self,
        method: Method,
        path: str,
        handler: Callable[[Dependencies, Call[Params]], Awaitable[Any]],
        *,
        params_type: type[Params],
        response_type: type[msgspec.Struct] | None,
        scope: Scope | None = None,
        ndjson: bool = False,
        immutable: bool = False,
        problems: tuple[int, ...] = (),
    ) -> None:
        """Describe the endpoint.

        `params_type` is the body of a POST, else the parameters in path and query. `response_type`
        is None for 204, and with `ndjson` the type of each line. `scope` is what the caller's
        token must have; None allows every valid token. An `immutable` response never changes.
        `problems` are the statuses of errors beyond those of every route.
        """
        self.method = method
        self.path = path
        self.handler = handler
        self.params_type = params_type
        self.response_type = response_type
        self.scope = scope
        self.ndjson = ndjson
        self.immutable = immutable
        self.problems = problems

    @property
    def name(self) -> str:
        """The name of the handler, from which the operation id is made."""
        return self.handler.__name__

    @property
    def help(self) -> str:
        """What the endpoint does, in one line."""
        return inspect.cleandoc(self.handler.__doc__ or "").replace("\n", " ")

    @property
    def cache(self) -> dict[str, str]:
        """The caching headers of a response."""
        if self.method != "GET":
            return CACHE_NONE
        return CACHE_IMMUTABLE if self.immutable else CACHE_REVALIDATE

    @property
    def has_body(self) -> bool:
        """Whether the parameters are in the body."""
        return self.method == "POST"
