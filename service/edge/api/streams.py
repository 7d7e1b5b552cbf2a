"""Handlers of the HTTP API that replay matches: frames, summaries and recordings."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from service.edge.api.access import find_over, find_watchable, viewer_of
from service.edge.api.calls import CACHE_IMMUTABLE, CACHE_NONE, CACHE_REVALIDATE
from service.edge.api.problems import BadParameter, MatchIsLive

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.domain.ids import MatchId
    from service.edge.api import shapes
    from service.edge.api.calls import Call, Dependencies
    from service.eventstore.read_models.match_history import PlayedMatch
    from service.replay.replay import Replay
    from service.replay.summary import Summary

FRAMES_MAX = 100_000
"""Limit of frames per request."""

STALL_S = 10
"""How long a client may read nothing of a stream before it is aborted, in seconds."""

_NO_GZIP = re.compile(r"gzip\s*;\s*q=0(\.0*)?\s*(,|$)")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


async def stream_frames(deps: Dependencies, call: Call[shapes.FramesParams]) -> web.StreamResponse:
    """Replays a match: a line of NDJSON for each frame, as a spectator saw it.

    With `live` also a match that is being played, up to what spectators have been shown.
    """
    params, request = call.params, call.request
    match, until = await _wanted(params.match_id, params.live, call, deps)
    viewer = viewer_of(match, call.caller, deps)
    response = web.StreamResponse(headers=CACHE_IMMUTABLE if until is None else CACHE_NONE)
    response.content_type = "application/x-ndjson"
    if request.method == "HEAD":
        return response
    with deps.replays.turn():
        replay = await deps.replays.load(match.id, until, viewer)
        _check_length(replay, params)
        await _send_all(deps.replays.frames(replay, params), response, request)
    return response


async def show_summary(
    deps: Dependencies, call: Call[shapes.SummaryParams]
) -> Summary | web.Response:
    """Sums a match up: score over time, what happened when, runs, inputs, figures of its game.

    With `live` also a match that is being played, up to what spectators have been shown.
    """
    match, until = await _wanted(call.params.match_id, call.params.live, call, deps)
    with deps.replays.turn():
        summary = await deps.replays.summary(match.id, until, viewer_of(match, call.caller, deps))
    if until is None:
        return summary
    # That of a live match changes.
    body = msgspec.json.encode(summary)
    return web.Response(body=body, content_type="application/json", headers=CACHE_NONE)


async def stream_recording(
    deps: Dependencies, call: Call[shapes.MatchParams]
) -> web.StreamResponse:
    """Exports a finished match with everything that a replay needs, to be verified anywhere.

    Unlike other answers it has whole events: the seed, states, and the players' sockets.
    """
    request = call.request
    match = await find_over(call.params.match_id, call.caller, deps)
    etag = await deps.replays.etag(match)
    gzip = _takes_gzip(request)
    headers = {**CACHE_REVALIDATE, "Vary": "Authorization, Accept-Encoding"}
    known = {etag, f"{etag}-gzip", "*"}
    if any(one.value in known for one in request.if_none_match or ()):
        response: web.StreamResponse = web.Response(status=304, headers=headers)
    else:
        name = _UNSAFE.sub("_", match.id)
        headers["Content-Disposition"] = f'attachment; filename="match-{name}.json"'
        response = web.StreamResponse(headers=headers)
        response.content_type = "application/json"
        if gzip:
            response.headers["Content-Encoding"] = "gzip"
    response.etag = f"{etag}-gzip" if gzip else etag
    if response.status == 304 or request.method == "HEAD":  # noqa: PLR2004 - as above
        return response
    with deps.replays.turn():
        await _send_all(deps.replays.recording(match.id, gzip=gzip), response, request)
    return response


async def _wanted(
    match: MatchId,
    live: str | None,
    call: Call[shapes.FramesParams] | Call[shapes.SummaryParams],
    deps: Dependencies,
) -> tuple[PlayedMatch, int | None]:
    """Return the match, and up to when it may be shown while it is live; raise `MatchIsLive`."""
    if live != "true":
        return await find_over(match, call.caller, deps), None
    found, until = await find_watchable(match, call.caller, deps)
    if until is not None and until < found.started_at:
        raise MatchIsLive("Spectators have not been shown the start of the match yet.")
    return found, until


def _check_length(replay: Replay, wanted: shapes.FramesParams) -> None:
    """Raise `BadParameter` for more than `FRAMES_MAX` frames."""
    every = max(1, round(replay.game.tick_hz / wanted.hz)) if wanted.hz else 1
    frames = (min(wanted.to, replay.ticks) - wanted.start) // every
    if frames > FRAMES_MAX:
        message = f"These are more than {FRAMES_MAX} frames: select fewer by `hz`, `from` and `to`."
        raise BadParameter(message, "to")


def _takes_gzip(request: web.Request) -> bool:
    accepted = request.headers.get("Accept-Encoding", "").lower()
    return "gzip" in accepted and not _NO_GZIP.search(accepted)


async def _send_all(
    parts: AsyncIterator[bytes], response: web.StreamResponse, request: web.Request
) -> None:
    """Send a stream; abort the connection on failure, once the status has been sent."""
    # Errors of the first part still get their own status.
    some = await anext(parts, b"")
    await response.prepare(request)
    try:
        while some:
            async with asyncio.timeout(STALL_S):
                await response.write(some)
            some = await anext(parts, b"")
    except (TimeoutError, ConnectionError):  # The client reads nothing, or has gone.
        _cut(request)
    except BaseException:
        _cut(request)
        raise


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
