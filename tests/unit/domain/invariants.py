"""What always holds of a world: rooms, seats, queues, spectators."""

from __future__ import annotations

from collections import Counter

from hypothesis.stateful import invariant

from service.domain.ids import is_bot
from service.domain.projections.world import World


class WorldInvariants:
    """Checks `world` after each step of a state machine."""

    world: World
    sockets_max: int

    @invariant()
    def two_who_are_here_never_wait_in_one_queue(self) -> None:
        for queue in self.world.matchmaking.queues.values():
            assert sum(map(self.world.presence.is_connected, queue)) <= 1

    @invariant()
    def who_waits_is_online_and_needed_nowhere(self) -> None:
        for queue in self.world.matchmaking.queues.values():
            for user in queue:
                assert user in self.world.presence.sockets
                assert not self.world.rooms.is_busy(user)

    @invariant()
    def nobody_sits_in_two_rooms(self) -> None:
        rooms = self.world.rooms.rooms.values()
        seats = Counter(user for room in rooms for user in room.staying_people)
        assert all(count == 1 for count in seats.values())
        assert seats.keys() == self.world.rooms.seated.keys()

    @invariant()
    def only_open_sockets_are_anywhere(self) -> None:
        sockets = self.world.presence.sockets
        for room in self.world.rooms.rooms.values():
            for seat in room.seats:
                assert not seat.sockets or (not seat.gone and seat.user is not None)
                assert seat.user is None or seat.sockets <= sockets.get(seat.user, set())
            for user, tabs in room.spectators.items():
                assert tabs <= sockets.get(user, set())
        for user, tabs in self.world.lobby.members.items():
            assert tabs <= sockets.get(user, set())

    @invariant()
    def nobody_has_too_many_sockets(self) -> None:
        draining = [name for name, node in self.world.nodes.live.items() if node.draining]
        for sockets in self.world.presence.sockets.values():
            assert len(sockets) <= 2 * self.sockets_max
            lasting = [one for one in sockets if one.rsplit(".", 2)[0] not in draining]
            assert len(lasting) <= self.sockets_max

    @invariant()
    def all_who_are_ready_and_here_play(self) -> None:
        for room in self.world.rooms.rooms.values():
            seats = [room.seats[index] for index in room.staying]
            complete = len(seats) >= room.seats_min and all(seat.is_present for seat in seats)
            # Bots are always ready, and do not begin without anybody.
            if complete and room.phase != "playing" and room.staying_people:
                assert not set(room.staying_people) <= room.ready

    @invariant()
    def bots_are_nowhere_but_in_seats(self) -> None:
        assert not any(map(is_bot, self.world.presence.sockets))
        assert not any(map(is_bot, self.world.rooms.seated))
        for room in self.world.rooms.rooms.values():
            assert not any(seat.sockets or seat.away_since for seat in room.seats if seat.is_bot)
            assert not any(map(is_bot, [room.host, *room.members, *room.ready, *room.banned]))
            bots = [seat.user for seat in room.seats if seat.is_bot]
            assert len(bots) == len(set(bots))
