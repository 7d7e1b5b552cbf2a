"""Handlers of the HTTP API, and the table of routes.

The served paths and the OpenAPI document are both derived from `ROUTES`.
"""

from __future__ import annotations

import heapq
import uuid
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

from service.domain.commands.operators import RevokeSessions
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
from service.edge.api import history_shapes, shapes
from service.edge.api.access import find, find_over, viewer_of
from service.edge.api.calls import Call, Dependencies, Route
from service.edge.api.history import list_matches, show_player
from service.edge.api.legal_moves import show_legal_moves
from service.edge.api.match_events import events_after
from service.edge.api.operators import OPERATOR_ROUTES
from service.edge.api.problems import BadParameter
from service.edge.api.streams import show_summary, stream_frames, stream_recording
from service.edge.claims import Scope, may_be_user_id
from service.edge.paging import first_page
from service.edge.room_list import room_page
from service.eventstore.records import Origin
from service.fanout.audience import Delivery, Everyone, Sockets, Users
from service.fanout.views import room_summary, user_entry
from service.protocol import v1
from service.replay.recording import Recording
from service.replay.summary import Summary
from service.telemetry import get_logger

if TYPE_CHECKING:
    from service.eventstore.records import RecordedEvent
    from service.fanout.audience import Audience

logger = get_logger(__name__)

NAMELESS_SERVICE = "service"
"""The actor of commands by a service token without a user id."""

PUBLIC_FIELDS: dict[type[MatchEvent], tuple[str, ...]] = {
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
"""The fields that a spectator may see: not the seed, a whole state, or a player's socket."""


async def list_games(deps: Dependencies, _call: Call[shapes.Parameters]) -> shapes.GameList:
    """Lists the games that can be played, with their options, seats and versions."""
    return shapes.GameList(games=[shapes.game_of(game, deps.games) for game in deps.games.values()])


async def list_users(deps: Dependencies, call: Call[shapes.UsersParams]) -> shapes.UserPage:
    """Lists online users, with the status that others see."""
    after = (
        None
        if call.params.cursor is None
        else shapes.user_sort_key(parse_user_id(call.params.cursor))
    )
    online = (
        user
        for user in deps.world.presence.online()
        if after is None or shapes.user_sort_key(user) > after
    )
    limit = call.params.limit
    page = heapq.nsmallest(limit + 1, online, shapes.user_sort_key)
    entries = [user_entry(user, deps.world, deps.profiles) for user in page[:limit]]
    return shapes.UserPage(
        users=[entry for entry in entries if entry is not None],
        cursor=str(page[limit - 1]) if len(page) > limit else None,
    )


async def list_rooms(deps: Dependencies, call: Call[shapes.RoomsParams]) -> shapes.RoomPage:
    """Lists the rooms that are not private."""
    params = call.params
    page = room_page(deps.world, deps.profiles, params.game, params.cursor, params.limit)
    return shapes.RoomPage(rooms=page.rooms, cursor=page.cursor)


async def show_room(deps: Dependencies, call: Call[shapes.RoomParams]) -> shapes.Room:
    """Shows a room; for a private one it is enough to know its id, as for joining it."""
    room = deps.world.rooms.get(call.params.room_id)
    summary = msgspec.structs.asdict(room_summary(room, deps.profiles))
    return shapes.Room(**summary, match_id=room.match)


async def show_match(deps: Dependencies, call: Call[shapes.MatchParams]) -> shapes.Match:
    """Shows a match, live or finished."""
    match = await find(call.params.match_id, call.caller, deps)
    return shapes.match_of(match, deps.games)


async def list_events(deps: Dependencies, call: Call[shapes.EventsParams]) -> shapes.EventPage:
    """Lists the events of a finished match, with what you may see of them."""
    params = call.params
    match = await find_over(params.match_id, call.caller, deps)
    viewer = viewer_of(match, call.caller, deps)
    found = await events_after(deps.reader, match, viewer, params.cursor, params.limit + 1)
    page = first_page(_event(recorded, event) for recorded, event in found[: params.limit])
    return shapes.EventPage(
        events=page,
        cursor=page[-1].position if len(found) > len(page) else None,
    )


async def verify_match(deps: Dependencies, call: Call[shapes.MatchParams]) -> shapes.Verification:
    """Verifies a finished match: the hashes of its events, and its states by a replay."""
    match = await find_over(call.params.match_id, call.caller, deps)
    with deps.replays.turn():
        viewer = viewer_of(match, call.caller, deps)
        difference = await deps.replays.verify(match.id, viewer)
    return shapes.Verification(
        holds=difference is None,
        tick=None if difference is None else difference.tick,
        difference=None if difference is None else difference.what,
    )


async def revoke_sessions(deps: Dependencies, call: Call[shapes.UserParams]) -> None:
    """Closes a user's sockets with 4503, and revokes all of their tokens issued until now."""
    if not may_be_user_id(call.params.user):
        # No token is taken for such a user, and PostgreSQL could not store the id.
        return
    user, caller = parse_user_id(call.params.user), call.caller.identity
    origin = Origin(uuid.uuid4().hex, NAMELESS_SERVICE if caller is None else caller.user)
    await deps.engine.execute(RevokeSessions(user, int(deps.now())), origin)
    logger.warning(
        "sessions revoked",
        correlation_id=origin.correlation_id,
        **{"user.id": str(user)},
        metadata={"actor": str(origin.actor)},
    )


async def publish_message(deps: Dependencies, call: Call[shapes.Announcement]) -> shapes.Published:
    """Sends `server:message` to a user, a room or all connected users; it is not logged."""
    data = msgspec.Raw(msgspec.json.encode(call.params.data))
    delivery = Delivery(_audience(call.params.to, deps), v1=v1.ServerMessage(data))
    return shapes.Published(sockets=await deps.announcer.announce(delivery))


ROUTES: tuple[Route[Any], ...] = (
    Route(
        "GET",
        "/games",
        list_games,
        params_type=shapes.Parameters,
        response_type=shapes.GameList,
    ),
    *OPERATOR_ROUTES,
    Route(
        "GET", "/users", list_users, params_type=shapes.UsersParams, response_type=shapes.UserPage
    ),
    Route(
        "GET", "/rooms", list_rooms, params_type=shapes.RoomsParams, response_type=shapes.RoomPage
    ),
    Route(
        "GET",
        "/rooms/{roomId}",
        show_room,
        params_type=shapes.RoomParams,
        response_type=shapes.Room,
        problems=(404,),
    ),
    Route(
        "GET",
        "/matches",
        list_matches,
        params_type=history_shapes.MatchesParams,
        response_type=shapes.MatchPage,
    ),
    Route(
        "GET",
        "/players/{userId}",
        show_player,
        params_type=history_shapes.PlayerParams,
        response_type=history_shapes.PlayerHistory,
        problems=(404,),
    ),
    Route(
        "GET",
        "/matches/{matchId}",
        show_match,
        params_type=shapes.MatchParams,
        response_type=shapes.Match,
        problems=(404,),
    ),
    Route(
        "GET",
        "/matches/{matchId}/events",
        list_events,
        params_type=shapes.EventsParams,
        response_type=shapes.EventPage,
        immutable=True,
        problems=(404, 409, 503),
    ),
    Route(
        "GET",
        "/matches/{matchId}/frames",
        stream_frames,
        params_type=shapes.FramesParams,
        response_type=shapes.Frame,
        ndjson=True,
        immutable=True,
        problems=(404, 409, 503),
    ),
    Route(
        "GET",
        "/matches/{matchId}/summary",
        show_summary,
        params_type=shapes.SummaryParams,
        response_type=Summary,
        immutable=True,
        problems=(404, 409, 503),
    ),
    Route(
        "GET",
        "/matches/{matchId}/legal-moves",
        show_legal_moves,
        params_type=shapes.MatchParams,
        response_type=shapes.LegalMoves,
        problems=(404, 409, 503),
    ),
    Route(
        "GET",
        "/matches/{matchId}/recording",
        stream_recording,
        params_type=shapes.MatchParams,
        response_type=Recording,
        problems=(404, 409, 503),
    ),
    Route(
        "GET",
        "/matches/{matchId}/verify",
        verify_match,
        params_type=shapes.MatchParams,
        response_type=shapes.Verification,
        problems=(404, 409, 503),
    ),
    Route(
        "DELETE",
        "/sessions",
        revoke_sessions,
        params_type=shapes.UserParams,
        response_type=None,
        scope=Scope.ADMIN,
        problems=(503,),
    ),
    Route(
        "POST",
        "/messages",
        publish_message,
        params_type=shapes.Announcement,
        response_type=shapes.Published,
        scope=Scope.PUBLISH,
        problems=(404, 413, 415),
    ),
)


# Matches


def _event(recorded: RecordedEvent, event: MatchEvent) -> shapes.Event:
    return shapes.Event(
        position=recorded.position,
        recorded_at=shapes.datetime_of(recorded.recorded_at),
        type=event.type,
        tick=event.tick,
        data={name: getattr(event, name) for name in PUBLIC_FIELDS[type(event)]},
    )


# Messages


def _audience(to: shapes.Recipient | str, deps: Dependencies) -> Audience:
    if not isinstance(to, shapes.Recipient):
        return Everyone()
    if (to.user is UNSET) == (to.room_id is UNSET):
        raise BadParameter("Name either a `user` or a `roomId`.", "to")
    if to.room_id is not UNSET:
        return Sockets(tuple(deps.world.rooms.get(to.room_id).sockets))
    return Users((parse_user_id(to.user),))
