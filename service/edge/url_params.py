"""Parameters in the URL of a WebSocket handshake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.edge.dialect import V1, Dialect
from service.edge.session.actions import ResumeFrom
from service.edge.session.frame_rate import frame_rate_in_url
from service.edge.session.guard import BadValue
from service.protocol.frame_rates import FRAME_HZ_MAX

if TYPE_CHECKING:
    from aiohttp import web

POSITION_DIGITS_MAX = 18


def resume_of(request: web.BaseRequest) -> ResumeFrom | None:
    """Read `?since=N&epoch=E`; a `since` that can't be a position is answered by a `resync`."""
    since = request.query.get("since")
    if since is None:
        return None
    position = int(since) if since.isdecimal() and len(since) <= POSITION_DIGITS_MAX else -1
    return ResumeFrom(position, request.query.get("epoch", ""))


def frame_hz_of(request: web.BaseRequest, dialect: Dialect) -> tuple[int, BadValue | None]:
    """Read `?frameHz=` of a v1 client; one that is not allowed leaves the default, and an error."""
    requested = request.query.get("frameHz")
    if requested is None or dialect is not V1:
        return FRAME_HZ_MAX, None
    try:
        return frame_rate_in_url(requested), None
    except BadValue as error:
        return FRAME_HZ_MAX, error
