"""Handlers of the operators' part of the HTTP API: what goes on."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

import msgspec

from service import __version__
from service.cluster.status import NodeStatus, read_nodes
from service.domain.ids import UserId, parse_user_id
from service.edge.api import operator_shapes as shapes
from service.edge.api.calls import Call, Dependencies, Params, Route
from service.edge.api.match_state import match_at_tick, state_at
from service.edge.api.operator_actions import OPERATOR_ACTIONS
from service.edge.api.problems import MatchNotFound, ScopeMissing
from service.edge.api.shapes import datetime_of, user_sort_key
from service.edge.claims import Scope
from service.eventstore.log_search import LogQuery, search_log
from service.eventstore.read_models.match_history import MatchQuery, find_matches
from service.eventstore.read_models.outbox import entries
from service.fanout.views import user_entry
from service.figures import EVERY_S
from service.games.sight import FULL
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from service.domain.projections.room import Room
    from service.eventstore.records import Row

logger = get_logger(__name__)

DELIVERIES_MAX = 200
"""The maximum number of deliveries that are listed."""

MASKED_FIELDS = frozenset({"password"})
"""Fields of events that no operator sees."""


# Looking


async def show_figures(deps: Dependencies, call: Call[shapes.NoParams]) -> shapes.FigureSeries:
    """Shows the figures of the last quarter of an hour."""
    figures = deps.figures
    return shapes.FigureSeries(
        node=deps.node.node,
        version=__version__,
        every_s=EVERY_S,
        position=deps.world.position,
        samples=[*figures.samples, figures.present()],
        can_act=Scope.ADMIN in call.caller.scopes,
    )


async def list_nodes(deps: Dependencies, _call: Call[shapes.NoParams]) -> shapes.NodeList:
    """Lists the nodes of the cluster, or the one that there is."""
    nodes = await read_nodes(deps.reader)
    if not nodes:
        return shapes.NodeList(nodes=[_single_node(deps)])
    return shapes.NodeList(nodes=[_node_view(node, deps) for node in nodes])


def _single_node(deps: Dependencies) -> shapes.NodeView:
    return shapes.NodeView(
        node=deps.node.node,
        incarnation=deps.node.incarnation,
        lease="single",
        renewed_ago_s=0,
        level=deps.world.nodes.level,
        lag=0,
        sockets=len(deps.hub),
        rooms=len(deps.world.rooms.rooms),
        is_on_bus=False,
        is_draining=False,
        answers=True,
    )


def _node_view(node: NodeStatus, deps: Dependencies) -> shapes.NodeView:
    report = node.report
    return shapes.NodeView(
        node=node.node,
        incarnation=node.incarnation,
        lease=node.lease,  # type: ignore[arg-type]  # the query returns no other texts
        renewed_ago_s=node.renewed_s,
        level=node.level,
        lag=node.lag,
        sockets=report.sockets,
        rooms=report.rooms,
        is_on_bus=report.bus_ok,
        is_draining=report.draining,
        answers=node.node == deps.node.node,
    )


async def search_users(
    deps: Dependencies, call: Call[shapes.UserSearchParams]
) -> shapes.OnlineUserPage:
    """Lists the users who are online with their sockets, hidden ones included."""
    params, presence = call.params, deps.world.presence
    after = None if params.cursor is None else user_sort_key(parse_user_id(params.cursor))
    wanted = None if params.q is None else params.q.casefold()
    found = (
        user
        for user in presence.sockets
        if (after is None or user_sort_key(user) > after)
        and (wanted is None or _is_meant(user, wanted, deps))
    )
    page = heapq.nsmallest(params.limit + 1, found, user_sort_key)
    shown = page[: params.limit]
    return shapes.OnlineUserPage(
        users=[_online_user(user, deps) for user in shown],
        cursor=str(shown[-1]) if len(page) > len(shown) else None,
    )


def _is_meant(user: UserId, wanted: str, deps: Dependencies) -> bool:
    return wanted in str(user).casefold() or wanted in deps.profiles.name(user).casefold()


def _online_user(user: UserId, deps: Dependencies) -> shapes.OnlineUser:
    world = deps.world
    sockets = sorted(world.presence.sockets[user])
    entry = user_entry(user, world, deps.profiles)
    return shapes.OnlineUser(
        user=deps.profiles.user(user),
        status="online" if entry is None else entry.status,
        is_hidden=user in world.presence.hidden,
        in_grace=not sockets,
        sockets=sockets,
        room_id=world.rooms.seated.get(user),
        watching=sorted(world.rooms.watched_by(set(sockets))),
    )


async def search_rooms(
    deps: Dependencies, call: Call[shapes.RoomSearchParams]
) -> shapes.RoomDetailPage:
    """Lists all rooms with their members, private ones included."""
    params = call.params
    wanted = None if params.q is None else params.q.casefold()
    found = (
        room.id
        for room in deps.world.rooms.rooms.values()
        if (params.cursor is None or room.id > params.cursor)
        and params.game in {None, room.game}
        and params.phase in {None, room.phase}
        and (wanted is None or _has(room, wanted, deps))
    )
    page = heapq.nsmallest(params.limit + 1, found)
    shown = page[: params.limit]
    return shapes.RoomDetailPage(
        rooms=[_room_detail(deps.world.rooms.rooms[room], deps) for room in shown],
        cursor=shown[-1] if len(page) > len(shown) else None,
    )


def _has(room: Room, wanted: str, deps: Dependencies) -> bool:
    members = (*room.players, *room.spectators)
    return wanted in room.id.casefold() or any(_is_meant(one, wanted, deps) for one in members)


def _room_detail(room: Room, deps: Dependencies) -> shapes.RoomDetail:
    world, profiles = deps.world, deps.profiles
    match = world.matches.live.get(room.match or "")
    return shapes.RoomDetail(
        room_id=room.id,
        game=room.game,
        phase=room.phase,
        visibility=room.visibility,
        is_locked=room.locked,
        is_paused=match is not None and bool(match.paused),
        host=room.host,
        seats=[
            shapes.SeatDetail(
                user=None if seat.user is None else profiles.user(seat.user),
                is_away=seat.gone or seat.away_since is not None,
                is_ready=seat.user in room.ready,
                sockets=sorted(seat.sockets),
            )
            for seat in room.seats
        ],
        spectators=profiles.users(room.spectators),
        banned=list(room.banned),
        options=room.options.as_written,
        metadata=room.metadata,
        match_id=room.match,
        node=(world.nodes.owner_of(room.id) or deps.node).node,
    )


async def read_log(deps: Dependencies, call: Call[shapes.LogParams]) -> shapes.LogPage:
    """Reads the log backwards, by stream, type and user; archived events are left out."""
    params = call.params
    head = await deps.reader.head()
    if any("\0" in text for text in (params.stream, params.type, params.user) if text is not None):
        return shapes.LogPage(events=[], cursor=None, head=head.position)
    found = await search_log(
        deps.reader,
        LogQuery(
            before=head.position + 1 if params.before is None else params.before,
            limit=params.limit,
            stream=params.stream,
            type=params.type,
            user=params.user,
        ),
    )
    is_admin = Scope.ADMIN in call.caller.scopes
    return shapes.LogPage(
        events=[
            _logged(row, is_hidden=not is_admin and _is_secret(row, deps)) for row in found.rows
        ],
        cursor=found.searched_to if found.searched_to > 1 else None,
        head=head.position,
    )


def _is_secret(row: Row, deps: Dependencies) -> bool:
    """Return whether an event tells secrets of a match that is still being played."""
    kind, _, match = row.stream.partition(":")
    return kind == "match" and _has_live_secrets(match, deps)


def _has_live_secrets(match: str, deps: Dependencies) -> bool:
    live = deps.world.matches.live.get(match)
    if live is None:
        return False
    game = deps.games.rules(live.game, live.rules_version, match)
    return game is None or game.has_secrets


def _logged(row: Row, *, is_hidden: bool) -> shapes.LoggedEvent:
    data = {} if is_hidden else msgspec.json.decode(row.data, type=dict[str, Any])
    return shapes.LoggedEvent(
        position=row.position,
        recorded_at=datetime_of(row.recorded_at),
        stream=row.stream,
        version=row.version,
        type=row.type,
        actor=row.actor,
        node=row.node,
        correlation_id=row.correlation_id,
        data={
            name: "hidden" if name in MASKED_FIELDS and value is not None else value
            for name, value in data.items()
        },
        hash=row.hash.hex(),
    )


async def show_state(deps: Dependencies, call: Call[shapes.StateParams]) -> shapes.MatchAtTick:
    """Shows a match, live or finished, at a tick: its state, what each side sees, its events."""
    match, tick = call.params.match_id, call.params.tick
    if not await find_matches(deps.reader, MatchQuery(match=match)):
        raise MatchNotFound
    if Scope.ADMIN not in call.caller.scopes and _has_live_secrets(match, deps):
        raise ScopeMissing("A live match with secrets is shown to the scope `admin` only.")
    with deps.replays.turn():
        replay = await deps.replays.load(match, viewer=FULL)
        found = await deps.replays.ask(replay, lambda one: state_at(one, tick))
    return match_at_tick(found, replay, deps.profiles)


async def list_deliveries(deps: Dependencies, _call: Call[shapes.NoParams]) -> shapes.DeliveryList:
    """Lists the results that wait for other services, or were rejected by them."""
    found = await entries(deps.reader, limit=DELIVERIES_MAX)
    return shapes.DeliveryList(
        deliveries=[
            shapes.Delivery(
                match_id=entry.match,
                consumer=entry.consumer,
                state=entry.state,
                ended_at=datetime_of(entry.ended_at),
                attempts=entry.attempts,
                next_at=datetime_of(entry.next_at) if entry.next_at else None,
                last_error=entry.last_error,
            )
            for entry in found
        ]
    )


def _view(
    path: str,
    handler: Callable[[Dependencies, Call[Params]], Awaitable[Any]],
    params_type: type[Params],
    response_type: type[msgspec.Struct],
    *,
    problems: tuple[int, ...] = (),
) -> Route[Params]:
    return Route(
        "GET",
        f"/admin/{path}",
        handler,
        params_type=params_type,
        response_type=response_type,
        scope=Scope.OBSERVE,
        problems=problems,
    )


OPERATOR_ROUTES: tuple[Route[Any], ...] = (
    _view("figures", show_figures, shapes.NoParams, shapes.FigureSeries),
    _view("nodes", list_nodes, shapes.NoParams, shapes.NodeList),
    _view("users", search_users, shapes.UserSearchParams, shapes.OnlineUserPage),
    _view("rooms", search_rooms, shapes.RoomSearchParams, shapes.RoomDetailPage),
    _view("log", read_log, shapes.LogParams, shapes.LogPage),
    _view("deliveries", list_deliveries, shapes.NoParams, shapes.DeliveryList),
    _view(
        "matches/{matchId}/state",
        show_state,
        shapes.StateParams,
        shapes.MatchAtTick,
        problems=(404, 409, 503),
    ),
    *OPERATOR_ACTIONS,
)
"""Operators look with the scope `observe`, and act with `admin`."""
