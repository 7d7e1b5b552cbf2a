"""Answer from the projections what needs no command: lists, rooms, friends, moves, resumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, assert_never

from service.edge.room_list import room_page
from service.edge.session.actions import (
    Resume,
    ResumeFrom,
    SetFrameHz,
    ShowLobby,
    ShowMoves,
    ShowRooms,
    ShowUsers,
    SubscribeRooms,
    WatchFriends,
    WatchLobby,
)
from service.edge.session.costs import BYTES_PER_UNIT
from service.edge.session.errors import RateLimited
from service.fanout.views import lobby_list
from service.protocol import FromClient, classic, v1

if TYPE_CHECKING:
    from service.domain.ids import UserId
    from service.edge.connection import Connection
    from service.edge.greeting import Greeter
    from service.edge.hub import Hub
    from service.edge.moves import MoveHistory
    from service.integrations.profile_lookup import ProfileLookup
    from service.runtime.engine import Engine
    from service.runtime.match_publisher import MatchPublisher

Query: TypeAlias = (
    ShowUsers
    | ShowLobby
    | ShowRooms
    | SubscribeRooms
    | WatchLobby
    | SetFrameHz
    | WatchFriends
    | ShowMoves
    | Resume
)
"""Actions that are answered at once, to the connection that asks."""


class Queries:
    """Answers queries, and shows again what a command would have shown if it changed anything."""

    def __init__(  # noqa: PLR0913 - the parts are given by the composition root
        self,
        engine: Engine,
        hub: Hub,
        greeter: Greeter,
        history: MoveHistory,
        *,
        match_publisher: MatchPublisher,
        profile_lookup: ProfileLookup,
        friends_max: int,
    ) -> None:
        """Show at most `friends_max` friends of a user."""
        self._world = engine.world
        self._profiles = engine.profiles
        self._hub = hub
        self._greeter = greeter
        self._history = history
        self._match_publisher = match_publisher
        self._profile_lookup = profile_lookup
        self._friends_max = friends_max

    def answer(self, query: Query, connection: Connection) -> None:  # noqa: C901, PLR0912 - one case each
        """Queue the answer for `connection`; raise the `ClientError` of a query that has none."""
        hub = self._hub
        match query:
            case ShowUsers() if connection.is_v1:
                hub.send_frames(connection, hub.users.frames())
            case ShowUsers():
                hub.send_frames(connection, (hub.lists.user_list(connection.dialect),))
            case ShowLobby():
                hub.send(connection, lobby_list(self._world, self._profiles))
            case ShowRooms(game, after, limit):
                page = room_page(self._world, self._profiles, game, after, limit)
                hub.send(connection, page)
            case SubscribeRooms(game, wanted):
                if wanted:
                    hub.rooms.subscribe(connection.socket, game)
                else:
                    hub.rooms.unsubscribe(connection.socket)
            case WatchLobby(wanted):
                hub.lobby.set(connection.socket, connection.user, watching=wanted)
            case SetFrameHz(frame_hz):
                hub.set_frame_hz(connection, frame_hz)
            case WatchFriends(friends):
                hub.watch(connection, friends)
                is_online = self._world.presence.is_online
                statuses = {friend: is_online(friend) for friend in friends}
                hub.send(connection, classic.FriendsStatus(statuses))
            case ShowMoves(room, after):
                self._history.ask(connection, room, after)
            case Resume(wanted):
                self._resume(wanted, connection)
            case _:
                assert_never(query)

    def is_awaited(self, wanted: ResumeFrom) -> bool:
        """Return whether a resume has to wait for the refill of the backlog, after a start."""
        return self._greeter.is_awaited(wanted)

    async def reached(self, wanted: ResumeFrom) -> None:
        """Wait until a resume can be answered."""
        await self._greeter.reached(wanted)

    def is_greeted(self, connection: Connection) -> bool:
        """Return whether the greeting of a socket is complete."""
        return self._greeter.is_complete(connection)

    async def greeted(self, connection: Connection) -> None:
        """Wait until the greeting of a socket that resumes is complete."""
        await self._greeter.complete(connection)

    async def friends_of(self, user: UserId) -> classic.FriendsStatusResponse:
        """Return the online status of a user's friends, as known by the user service."""
        friends = await self._profile_lookup.friends(user)
        is_online = self._world.presence.is_online
        return classic.FriendsStatusResponse(
            [classic.FriendStatus(one, is_online(one)) for one in friends[: self._friends_max]]
        )

    def show_again(self, message: FromClient, connection: Connection) -> None:
        """Send the state that a command shows, after one that changed nothing."""
        match message:
            case classic.MatchmakingLeave():
                self._hub.send(connection, classic.MatchmakingCancelled())
            case classic.LobbyJoin():
                self._hub.send(connection, lobby_list(self._world, self._profiles))
            case classic.GameJoin() | v1.RoomJoin():
                self._match_publisher.show_again(
                    message.room_id, connection.user, connection.socket
                )
            case _:
                pass

    def _resume(self, wanted: ResumeFrom, connection: Connection) -> None:
        """Send what was missed, one resume at a time, and charge the user for its bytes."""
        if connection.is_resuming:
            raise RateLimited("A resume is under way; wait for what it sends.")
        missed = list(self._greeter.resume(connection.user, wanted, connection.opened_at))
        connection.spend(sum(map(len, missed)) / BYTES_PER_UNIT)
        self._hub.send_frames(connection, missed)
        connection.begin_resume()
