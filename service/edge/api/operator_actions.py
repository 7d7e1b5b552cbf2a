"""Handlers by which operators step in; each action is in the log, with who did it and why."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

from service.domain.commands.forks import ForkMatch
from service.domain.commands.operators import (
    CloseRoom,
    EndMatch,
    KickMember,
    NoteAction,
    RevokeSessions,
)
from service.domain.events.matches import room_of
from service.domain.events.operators import OperatorActed
from service.domain.ids import parse_user_id
from service.edge.api import operator_shapes as shapes
from service.edge.api.access import find
from service.edge.api.calls import Call, Dependencies, Params, Route
from service.edge.api.problems import BadParameter, DeliveryNotFound
from service.edge.claims import Scope
from service.eventstore.read_models.outbox import entries
from service.eventstore.records import Origin
from service.fanout.audience import Delivery, Everyone, Sockets, Users
from service.games.protocol import RulesFailed
from service.games.sight import FULL
from service.protocol import v1
from service.replay.fork import CannotFork, fork
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from service.domain.commands.base import Command
    from service.domain.events.matches import MatchEvent
    from service.fanout.audience import Audience
    from service.replay.replay import Replay
    from service.runtime.pending import Executed

logger = get_logger(__name__)

MATCHES_MAX = 200
"""How many deliveries of matches whose ids begin alike are looked through."""

NAMELESS_OPERATOR = "operator"
"""The actor of actions by a token without a user id."""


async def kick_member(deps: Dependencies, call: Call[shapes.Kick]) -> shapes.Done:
    """Removes a player or spectator from a room, also from a running match."""
    params = call.params
    user = parse_user_id(params.user)
    return await _act(deps, call, KickMember(params.room_id, user, params.reason))


async def close_room(deps: Dependencies, call: Call[shapes.RoomAction]) -> shapes.Done:
    """Closes a room; a running match of it is void."""
    return await _act(deps, call, CloseRoom(call.params.room_id, call.params.reason))


async def void_match(deps: Dependencies, call: Call[shapes.MatchAction]) -> shapes.Done:
    """Voids a running match: it has no result, and its room stays."""
    match = call.params.match_id
    return await _act(deps, call, EndMatch(room_of(match), match, call.params.reason))


async def fork_match(deps: Dependencies, call: Call[shapes.ForkAction]) -> shapes.Forked:
    """Opens a private room with a match that goes on from a tick of another one.

    It is paused until all of its players have joined the room.
    """
    params = call.params
    await find(params.match_id, call.caller, deps)
    with deps.replays.turn():
        found = await deps.replays.load(params.match_id, viewer=FULL)
        players = found.started.players if params.players is None else params.players
        if len(players) != len(found.started.players) or len(set(players)) < len(players):
            message = f"Name {len(found.started.players)} different players, as the match has."
            raise BadParameter(message, "players")
        events = await deps.replays.ask(found, lambda one: _forked(one, params))
    command = ForkMatch(params.match_id, list(players), tuple(events), params.reason)
    executed = await _execute(deps, call, command)
    acted = executed.events[-1]
    if not isinstance(acted, OperatorActed):
        raise TypeError(acted)
    return shapes.Forked(
        position=executed.result.position, room_id=acted.room or "", match_id=acted.match or ""
    )


def _forked(replay: Replay, params: shapes.ForkAction) -> list[MatchEvent]:
    try:
        return fork(replay, params.tick)
    except (CannotFork, RulesFailed) as error:
        raise BadParameter(f"It can't be forked: {error.message}.", "tick") from error


async def revoke_user(deps: Dependencies, call: Call[shapes.UserAction]) -> shapes.Done:
    """Closes a user's sockets, and revokes all of their tokens issued until now."""
    user = parse_user_id(call.params.user)
    return await _act(deps, call, RevokeSessions(user, int(deps.now()), call.params.reason))


async def send_message(deps: Dependencies, call: Call[shapes.OperatorMessage]) -> shapes.Done:
    """Sends a text to a user, to a room, or to all who are connected, as `server:message`."""
    params = call.params
    room = None if params.room_id is UNSET else params.room_id
    user = None if params.user is UNSET else parse_user_id(params.user)
    if room is not None and user is not None:
        raise BadParameter("Name either a `user` or a `roomId`, or neither for all.", "user")
    note = NoteAction("message", room=room, user=user, reason=params.reason)
    done = await _act(deps, call, note)
    audience: Audience = Everyone()
    if room is not None:
        audience = Sockets(tuple(deps.world.rooms.get(room).sockets))
    elif user is not None:
        audience = Users((user,))
    data = msgspec.Raw(msgspec.json.encode({"from": "operator", "text": params.text}))
    await deps.announcer.announce(Delivery(audience, v1=v1.ServerMessage(data)))
    return done


async def retry_delivery(deps: Dependencies, call: Call[shapes.MatchAction]) -> shapes.Done:
    """Makes the deliveries of a match due at once, rejected ones included."""
    match = call.params.match_id
    found = [] if "\0" in match else await entries(deps.reader, start=match, limit=MATCHES_MAX)
    consumers = [entry.consumer for entry in found if entry.match == match]
    if not consumers:
        raise DeliveryNotFound
    done = await _act(
        deps, call, NoteAction("retry_delivery", match=match, reason=call.params.reason)
    )
    for consumer in consumers:
        await deps.outbox_notes.retry(consumer, match)
    return done


async def _act(deps: Dependencies, call: Call[Any], command: Command) -> shapes.Done:
    """Carry an action out; the log has who did it."""
    executed = await _execute(deps, call, command)
    return shapes.Done(position=executed.result.position)


async def _execute(deps: Dependencies, call: Call[Any], command: Command) -> Executed:
    """Execute the command of an action, and log who acted."""
    caller = call.caller.identity
    actor = NAMELESS_OPERATOR if caller is None else caller.user
    origin = Origin(uuid.uuid4().hex, actor)
    executed = await deps.engine.execute(command, origin)
    logger.warning(
        "operator acted",
        correlation_id=origin.correlation_id,
        metadata={"action": type(command).__name__, "actor": str(actor)},
    )
    return executed


def _action(
    path: str,
    handler: Callable[[Dependencies, Call[Params]], Awaitable[shapes.Done]],
    params_type: type[Params],
) -> Route[Params]:
    return Route(
        "POST",
        f"/admin/{path}",
        handler,
        params_type=params_type,
        response_type=shapes.Done,
        scope=Scope.ADMIN,
        problems=(404, 409, 413, 415, 503),
    )


OPERATOR_ACTIONS: tuple[Route[Any], ...] = (
    _action("kick", kick_member, shapes.Kick),
    _action("close-room", close_room, shapes.RoomAction),
    _action("void-match", void_match, shapes.MatchAction),
    _action("revoke", revoke_user, shapes.UserAction),
    _action("message", send_message, shapes.OperatorMessage),
    _action("retry-delivery", retry_delivery, shapes.MatchAction),
    Route(
        "POST",
        "/admin/fork",
        fork_match,
        params_type=shapes.ForkAction,
        response_type=shapes.Forked,
        scope=Scope.ADMIN,
        problems=(404, 409, 413, 415, 503),
    ),
)
"""They need the scope `admin`."""
