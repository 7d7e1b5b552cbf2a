"""Requests that come so early after a start that what they need is still read from the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.edge.session.actions import Resume
from service.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.edge.queries import Queries
    from service.edge.session.actions import Request
    from service.runtime.dispatcher import Dispatcher


def is_early(request: Request, engine: Dispatcher, queries: Queries) -> bool:
    """Return whether a request has to wait: one with an id, or a resume."""
    if request.id is not None and engine.recall.is_under_way:
        return True
    action = request.action
    return isinstance(action, Resume) and queries.is_awaited(action.wanted)


async def in_time(
    request: Request | None,
    engine: Dispatcher,
    queries: Queries,
    refuse: Callable[[Exception, str | None], None],
) -> Request | None:
    """Return a request when it is no longer early; refuse it if the service stops before."""
    if request is None:
        return None
    try:
        if request.id is not None:
            await engine.recall.ended()
    except Unavailable as error:
        refuse(error, request.id)
        return None
    if isinstance(request.action, Resume):
        await queries.reached(request.action.wanted)
    return request
