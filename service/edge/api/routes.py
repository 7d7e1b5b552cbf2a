"""Handlers of the HTTP API, and the table of routes.

The paths that are served and the OpenAPI document both follow from `ROUTES`.
"""

from __future__ import annotations

import asyncio
import heapq
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web
from msgspec import UNSET

from service.domain.commands.access import RevokeSessions
from service.domain.events.base import match_stream
from service.domain.events.matches import (
    MatchCheckpoint,
    MatchEnded,
    MatchEvent,
    MatchInput,
    MatchOutcome,
    MatchPaused,
    MatchResumed,
    MatchRewound,
    MatchStarted,
    MatchSuspended,
    MatchTurnNoted,
)
from service.domain.ids import parse_user_id
from service.edge.api import shapes
from service.edge.api.calls import NEVER_CHANGES, Call, Dependencies, Route
from service.edge.api.problems import BadParameter, MatchIsLive, MatchNotFound
from service.edge.claims import Scope
from service.edge.paging import first_page
from service.edge.room_list import room_page
from service.eventstore.read_models.match_history import MatchQuery, find_matches, private_matches
from service.eventstore.records import Origin
from service.fanout.audience import Delivery, Everyone, Sockets, Users
from service.fanout.views import room_summary, user_entry
from service.games.catalogue import GAMES
from service.protocol import v1
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from service.domain.ids import MatchId
    from service.edge.auth import Caller
    from service.eventstore.read_models.match_history import PlayedMatch
    from service.eventstore.records import RecordedEvent
    from service.fanout.audience import Audience

logger = get_logger(__name__)

FRAMES_MAX = 100_000
"""How many frames one request may ask for."""

STALL_S = 10
"""How long a client may take nothing of a stream before it is cut off."""

NAMELESS_SERVICE = "service"
"""The actor of what a token with a scope but without an id has asked for."""

SHOWN: dict[type[MatchEvent], tuple[str, ...]] = {
    MatchStarted: ("game", "players", "options"),
    MatchInput: ("seat", "input"),
    MatchOutcome: ("outcome",),
    MatchCheckpoint: ("hash",),
    MatchPaused: ("turn_left_ms", "spent_ms"),
    MatchResumed: ("run", "spent_ms"),
    MatchRewound: (),
    MatchSuspended: (),
    MatchTurnNoted: ("turn_left_ms",),
    MatchEnded: ("reason", "winner", "scores", "hash"),
}
"""What a spectator may see of each event: not the seed, a whole state, or a player's socket."""


async def list_users(parts: Dependencies, call: Call[shapes.UsersWanted]) -> shapes.UserPage:
    """Lists who is online, with the status that others see."""
    after = None if call.asked.cursor is None else shapes.user_key(parse_user_id(call.asked.cursor))
    online = (
        user
        for user in parts.world.presence.online()
        if after is None or shapes.user_key(user) > after
    )
    limit = call.asked.limit
    page = heapq.nsmallest(limit + 1, online, shapes.user_key)
    entries = [user_entry(user, parts.world, parts.people) for user in page[:limit]]
    return shapes.UserPage(
        users=[entry for entry in entries if entry is not None],
        cursor=str(page[limit - 1]) if len(page) > limit else None,
    )


async def list_rooms(parts: Dependencies, call: Call[shapes.RoomsWanted]) -> shapes.RoomPage:
    """Lists the rooms that are not private."""
    asked = call.asked
    page = room_page(parts.world, parts.people, asked.game, asked.cursor, asked.limit)
    return shapes.RoomPage(rooms=page.rooms, cursor=page.cursor)


async def show_room(parts: Dependencies, call: Call[shapes.RoomNamed]) -> shapes.Room:
    """Shows a room; who knows the id of a private one may see it, as they may join it."""
    room = parts.world.rooms.get(call.asked.room_id)
    summary = msgspec.structs.asdict(room_summary(room, parts.people))
    return shapes.Room(**summary, options=room.options.as_written, match_id=room.match)


async def list_matches(parts: Dependencies, call: Call[shapes.MatchesWanted]) -> shapes.MatchPage:
    """Lists matches, live and over; those of rooms that are not public to their players alone."""
    asked = call.asked
    since = 0 if asked.since is None else int(asked.since.timestamp() * 1_000_000)
    wanted = MatchQuery(
        user_id=None if asked.user is None else str(parse_user_id(asked.user)),
        game=asked.game,
        since=since,
        reason=asked.reason,
        before=asked.cursor,
        limit=asked.limit + 1,
    )
    found = await find_matches(parts.reader, wanted)
    page = found[: asked.limit]
    seen = await _seen_by(call.caller, page, parts)
    return shapes.MatchPage(
        matches=[shapes.match_of(match) for match in seen],
        cursor=page[-1].position if len(found) > len(page) else None,
    )


async def show_match(parts: Dependencies, call: Call[shapes.MatchNamed]) -> shapes.Match:
    """Shows a match, live or over."""
    return shapes.match_of(await _find(call.asked.match_id, call.caller, parts))


async def list_events(parts: Dependencies, call: Call[shapes.EventsWanted]) -> shapes.EventPage:
    """Lists what happened in a match that is over, as far as a spectator may see it."""
    asked = call.asked
    match = await _find_over(asked.match_id, call.caller, parts)
    found = await parts.reader.page(
        asked.cursor, stream=match_stream(match.id), limit=asked.limit + 1
    )
    page = first_page(_event(recorded) for recorded in found[: asked.limit])
    return shapes.EventPage(
        events=page,
        cursor=page[-1].position if len(found) > len(page) else None,
    )


async def stream_frames(parts: Dependencies, call: Call[shapes.FramesWanted]) -> web.StreamResponse:
    """Plays a match that is over again: a line of NDJSON for each frame, as a spectator saw it."""
    asked, request = call.asked, call.request
    match = await _find_over(asked.match_id, call.caller, parts)
    _check_length(match, asked)
    response = web.StreamResponse(headers=NEVER_CHANGES)
    response.content_type = "application/x-ndjson"
    if request.method == "HEAD":
        return response
    with parts.replays.turn():
        frames = parts.replays.frames(await parts.replays.load(match.id), asked)
        # What fails at once is said with its status.
        first = await anext(frames, b"")
        await response.prepare(request)
        with suppress(ConnectionError):  # The client has seen enough.
            await _send(first, frames, response, request)
    return response


async def verify_match(parts: Dependencies, call: Call[shapes.MatchNamed]) -> shapes.Verification:
    """Checks the hashes of a match that is over, and plays it again to compare each state."""
    match = await _find_over(call.asked.match_id, call.caller, parts)
    with parts.replays.turn():
        difference = await parts.replays.verify(match.id)
    return shapes.Verification(
        holds=difference is None,
        tick=None if difference is None else difference.tick,
        difference=None if difference is None else difference.what,
    )


async def revoke_sessions(parts: Dependencies, call: Call[shapes.UserNamed]) -> None:
    """Sends a user away: closes their sockets with 4503, and refuses tokens issued until now."""
    user, caller = parse_user_id(call.asked.user), call.caller.identity
    origin = Origin(uuid.uuid4().hex, NAMELESS_SERVICE if caller is None else caller.user)
    await parts.engine.execute(RevokeSessions(user, int(parts.now())), origin)
    logger.warning(
        "sessions revoked",
        correlation_id=origin.correlation_id,
        **{"user.id": str(user)},
        metadata={"actor": str(origin.actor)},
    )


async def publish_message(parts: Dependencies, call: Call[shapes.Announcement]) -> shapes.Told:
    """Sends `server:message` to a user, a room or everybody who is connected; it is not kept."""
    data = msgspec.Raw(msgspec.json.encode(call.asked.data))
    delivery = Delivery(_audience(call.asked.to, parts), v1=v1.ServerMessage(data))
    sockets = parts.hub.count(delivery)
    parts.hub.publish(delivery)
    return shapes.Told(sockets=sockets)


ROUTES: tuple[Route[Any], ...] = (
    Route("GET", "/users", list_users, asks=shapes.UsersWanted, answers=shapes.UserPage),
    Route("GET", "/rooms", list_rooms, asks=shapes.RoomsWanted, answers=shapes.RoomPage),
    Route(
        "GET",
        "/rooms/{roomId}",
        show_room,
        asks=shapes.RoomNamed,
        answers=shapes.Room,
        problems=(404,),
    ),
    Route("GET", "/matches", list_matches, asks=shapes.MatchesWanted, answers=shapes.MatchPage),
    Route(
        "GET",
        "/matches/{matchId}",
        show_match,
        asks=shapes.MatchNamed,
        answers=shapes.Match,
        problems=(404,),
    ),
    Route(
        "GET",
        "/matches/{matchId}/events",
        list_events,
        asks=shapes.EventsWanted,
        answers=shapes.EventPage,
        of_the_past=True,
        problems=(404, 409),
    ),
    Route(
        "GET",
        "/matches/{matchId}/frames",
        stream_frames,
        asks=shapes.FramesWanted,
        answers=shapes.Frame,
        lines=True,
        of_the_past=True,
        problems=(404, 409, 503),
    ),
    Route(
        "GET",
        "/matches/{matchId}/verify",
        verify_match,
        asks=shapes.MatchNamed,
        answers=shapes.Verification,
        problems=(404, 409, 503),
    ),
    Route(
        "DELETE",
        "/sessions",
        revoke_sessions,
        asks=shapes.UserNamed,
        answers=None,
        scope=Scope.ADMIN,
        problems=(503,),
    ),
    Route(
        "POST",
        "/messages",
        publish_message,
        asks=shapes.Announcement,
        answers=shapes.Told,
        scope=Scope.PUBLISH,
        problems=(404, 413, 415),
    ),
)


# Matches


async def _find(match: MatchId, caller: Caller, parts: Dependencies) -> PlayedMatch:
    """Return a match that the caller may see; raise `MatchNotFound`."""
    found = await find_matches(parts.reader, MatchQuery(match=match))
    seen = await _seen_by(caller, found, parts)
    if not seen:
        raise MatchNotFound
    return seen[0]


async def _find_over(match: MatchId, caller: Caller, parts: Dependencies) -> PlayedMatch:
    """Return a match that is over; a live one would show here what its spectators see later."""
    found = await _find(match, caller, parts)
    if found.ended_at is None:
        raise MatchIsLive
    return found


async def _seen_by(
    caller: Caller, found: Sequence[PlayedMatch], parts: Dependencies
) -> Sequence[PlayedMatch]:
    """Leave out what was not public, unless the caller has played there, or is a service."""
    if caller.scopes:
        return found
    hidden = await private_matches(parts.reader, found)
    user = None if caller.identity is None else str(caller.identity.user)
    return [match for match in found if match.id not in hidden or user in match.users]


def _event(recorded: RecordedEvent) -> shapes.Event:
    event = recorded.event
    if not isinstance(event, MatchEvent):
        raise TypeError(event)
    return shapes.Event(
        position=recorded.position,
        recorded_at=shapes.time_of(recorded.recorded_at),
        type=event.type,
        tick=event.tick,
        data={name: getattr(event, name) for name in SHOWN[type(event)]},
    )


def _check_length(match: PlayedMatch, wanted: shapes.FramesWanted) -> None:
    """Raise `BadParameter` when more frames are wanted than one request may have."""
    game = GAMES.get(match.game)
    tick_hz = 0 if game is None else game.tick_hz
    every = max(1, round(tick_hz / wanted.hz)) if wanted.hz else 1
    frames = (min(wanted.to, match.ticks or 0) - wanted.start) // every
    if frames > FRAMES_MAX:
        message = f"These are more than {FRAMES_MAX} frames: ask for fewer, by `hz`, `from`, `to`."
        raise BadParameter(message, "to")


async def _send(
    first: bytes,
    frames: AsyncIterator[bytes],
    response: web.StreamResponse,
    request: web.Request,
) -> None:
    """Send a stream to its end; it is cut off when that can't be, since a status was sent."""
    try:
        some = first
        while some:
            async with asyncio.timeout(STALL_S):
                await response.write(some)
            some = await anext(frames, b"")
    except TimeoutError:
        _cut(request)
    except BaseException:
        _cut(request)
        raise


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


# Messages


def _audience(to: shapes.Recipient | str, parts: Dependencies) -> Audience:
    if not isinstance(to, shapes.Recipient):
        return Everyone()
    if (to.user is UNSET) == (to.room_id is UNSET):
        raise BadParameter("Name a `user` or a `roomId`: one of both.", "to")
    if to.room_id is not UNSET:
        return Sockets(tuple(parts.world.rooms.get(to.room_id).sockets))
    return Users((parse_user_id(to.user),))
