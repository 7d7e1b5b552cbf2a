"""Types of the HTTP API: an authenticated call, and a route with its handler."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar

import msgspec

if TYPE_CHECKING:
    from aiohttp import web

    from service.domain.projections.world import World
    from service.edge.api.replays import Replays
    from service.edge.auth import Caller
    from service.edge.claims import Scope
    from service.edge.hub import Hub
    from service.eventstore.reader import Reader
    from service.fanout.profiles import Profiles
    from service.runtime.engine import Engine

KEPT_S = 24 * 3600
"""How long a client may keep what never changes, without asking again."""

NEVER_CHANGES = {
    "Cache-Control": f"private, max-age={KEPT_S}, immutable",
    "Vary": "Authorization",
}
MAY_CHANGE = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
NOT_KEPT = {"Cache-Control": "no-store"}

Asked = TypeVar("Asked", bound=msgspec.Struct)

Method: TypeAlias = Literal["GET", "POST", "DELETE"]


class Dependencies:
    """Components that handlers use."""

    def __init__(
        self, engine: Engine, hub: Hub, reader: Reader, replays: Replays, now: Callable[[], float]
    ) -> None:
        """Answer by these; `now` tells the seconds since 1970."""
        self.engine = engine
        self.hub = hub
        self.reader = reader
        self.replays = replays
        self.now = now

    @property
    def world(self) -> World:
        """The world as it is now."""
        return self.engine.world

    @property
    def people(self) -> Profiles:
        """What stands beside the log."""
        return self.engine.profiles


class Call(Generic[Asked]):
    """One request that may be answered."""

    def __init__(self, asked: Asked, caller: Caller, request: web.Request) -> None:
        """Take what is asked, by whom."""
        self.asked = asked
        self.caller = caller
        self.request = request


class Route(Generic[Asked]):
    """One thing that can be asked: the handler's docstring is its line of help."""

    def __init__(  # noqa: PLR0913 - a row of the table
        self,
        method: Method,
        path: str,
        handler: Callable[[Dependencies, Call[Asked]], Awaitable[Any]],
        *,
        asks: type[Asked],
        answers: type[msgspec.Struct] | None,
        scope: Scope | None = None,
        lines: bool = False,
        of_the_past: bool = False,
        problems: tuple[int, ...] = (),
    ) -> None:
        """Take the row.

        `asks` is the body of a POST, else what stands in the path and the query; `answers` is
        None where the status says it all, and with `lines` what stands in each line of NDJSON.
        Only a service with `scope` may ask; None is everybody with a token. What is `of_the_past`
        never changes. `problems` are statuses that other routes don't have.
        """
        self.method = method
        self.path = path
        self.handler = handler
        self.asks = asks
        self.answers = answers
        self.scope = scope
        self.lines = lines
        self.of_the_past = of_the_past
        self.problems = problems

    @property
    def name(self) -> str:
        """What programs call it."""
        return self.handler.__name__

    @property
    def help(self) -> str:
        """What it does, in a line."""
        return inspect.cleandoc(self.handler.__doc__ or "").replace("\n", " ")

    @property
    def cache(self) -> dict[str, str]:
        """How long an answer may be kept, as headers."""
        if self.method != "GET":
            return NOT_KEPT
        return NEVER_CHANGES if self.of_the_past else MAY_CHANGE

    @property
    def has_body(self) -> bool:
        """Whether what is asked stands in the body."""
        return self.method == "POST"
