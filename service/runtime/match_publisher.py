"""Publish the states of live matches: frames of their steps, and the whole state to one socket.

A frame that follows from an event is published at all frame rates. The other ones are thinned for
sockets at a lower rate; a tick whose state nobody in the room is to be shown is not encoded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from service.fanout.audience import Audience, Delivery, Sockets, to_viewer, with_spectator_delay
from service.fanout.joining import repeat_join
from service.fanout.match_views import match_paused, match_running, match_state, match_timer
from service.games.sight import SPECTATOR, Viewer, common_view, seated
from service.protocol import v1
from service.protocol.frame_rates import FRAME_HZ_MAX
from service.runtime.projector import Publisher

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from service.domain.events.matches import MatchInput, MatchOutcome
    from service.domain.ids import RoomId, SocketId, UserId
    from service.domain.projections.room import Room
    from service.domain.projections.world import World
    from service.fanout.profiles import Profiles
    from service.games.sight import View, Views
    from service.replay.run import Run
    from service.runtime.live_match import LiveMatch
    from service.runtime.live_matches import LiveMatches
    from service.runtime.recorded_states import RecordedStates


class FramePublisher(Publisher, Protocol):
    """A publisher that can tell which frames are wanted."""

    def frame_rates(self, room: RoomId, /) -> frozenset[int]:
        """Return the frame rates of the sockets in a room."""

    def ask_to_show(self, room: RoomId, user: UserId, socket: SocketId, /) -> None:
        """Have the live match of a room sent to a socket by the node that runs it."""


class MatchPublisher:
    """Publishes live matches; one whose rules fail to show it is ended as void."""

    def __init__(  # noqa: PLR0913 - the parts are given by the composition root
        self,
        matches: LiveMatches,
        world: World,
        profiles: Profiles,
        publisher: FramePublisher,
        *,
        clock: Callable[[], float],
        grace_left_s: Callable[[Room], float | None],
        recorded: RecordedStates | None = None,
    ) -> None:
        """Publish by `publisher`; `clock` is monotonic, in seconds.

        `grace_left_s` returns how much longer the players of a room may be away, in seconds.
        `recorded` has the matches of the other nodes of a cluster.
        """
        self._matches = matches
        self._world = world
        self._profiles = profiles
        self._publisher = publisher
        self._clock = clock
        self._grace_left_s = grace_left_s
        self._recorded = recorded

    def frame_rates(self, room: Room) -> frozenset[int]:
        """Return the frame rates of the sockets in a room."""
        return self._publisher.frame_rates(room.id)

    def publish_frame(self, live: LiveMatch) -> None:
        """Publish the current state of a match to its whole room, after an event."""
        live.frames.show_all(live.run.tick)
        self._publish(live, None)

    def publish_outcomes(
        self, live: LiveMatch, views: Views, outcomes: Sequence[MatchOutcome]
    ) -> None:
        """Publish a state with secrets after a step with outcomes, which are committed.

        Viewers who are shown nothing of them get it as after any other step.
        """
        hidden = frozenset.intersection(*(frozenset(one.hidden_from) for one in outcomes))
        rates = live.frames.advance(live.run.tick)
        self._publish(live, None, views.keys - hidden)
        if hidden:
            self._publish(live, rates, hidden)

    def publish_input(
        self, live: LiveMatch, event: MatchInput, before: Mapping[str, bytes]
    ) -> None:
        """Publish the state after an input in a game without ticks, with secrets.

        Viewers who are shown nothing of it, and who see what they saw in the views `before` it,
        get no state.
        """
        views, hidden = live.all_views(), event.hidden_from
        told = {key for key in views if key not in hidden or views[key] != before[key]}
        self._publish(live, None, told)

    def publish_tick(self, live: LiveMatch) -> None:
        """Publish the state after steps without an event, at the frame rates that are due."""
        self._publish(live, live.frames.advance(live.run.tick))

    def publish_newest(self, live: LiveMatch) -> None:
        """Publish the current state at the frame rates that were not shown it, as at a pause.

        An outcome that is being recorded is shown after its commit.
        """
        behind = live.frames.behind
        if behind and not live.failed and not live.recording:
            live.frames.show_all(live.run.tick)
            self._publish(live, behind)

    def _publish(
        self,
        live: LiveMatch,
        rates: frozenset[int] | None,
        viewers: Collection[str] | None = None,
    ) -> None:
        try:
            self._publish_state(live, rates, viewers)
        except Exception as error:  # noqa: BLE001 - it harms this match alone
            self._matches.fail(live, error)

    def show(self, room: Room, seat: int | None, socket: SocketId) -> bool:
        """Send the live match of a room to one socket; `seat` is None for a spectator.

        Returns False where this node does not run it.
        """
        live = self._matches.get(room.match)
        if live is None or live.failed:
            return False
        try:
            self._show(live, room, seat, socket)
        except Exception as error:  # noqa: BLE001 - it harms this match alone
            self._matches.fail(live, error)
        return True

    def repeat(self, room: Room, seat: int | None) -> bool:
        """Publish the state of the live match of a room again, to a seat or to the spectators.

        Returns False where this node does not run it, or has to record an outcome before.
        """
        live = self._matches.get(room.match)
        if live is None or live.failed or live.recording:
            return False
        viewer = SPECTATOR if seat is None else seated(seat)
        audience, delay_s = to_viewer(room, viewer)
        try:
            state = self._state(live, viewer, audience)
            self._publisher.publish(msgspec.structs.replace(state, delay_s=delay_s))
        except Exception as error:  # noqa: BLE001 - it harms this match alone
            self._matches.fail(live, error)
        return True

    def show_again(self, room_id: RoomId, user: UserId, socket: SocketId) -> None:
        """Repeat what a socket was sent when it joined a room; nothing if it has not."""
        room = self._world.rooms.rooms.get(room_id)
        if room is None or not room.has_joined(user, socket):
            return
        for delivery in list(repeat_join(room, user, socket, self._world, self._profiles)):
            self._publisher.publish(delivery)
        if room.match is not None and self._matches.get(room.match) is None:
            self._publisher.ask_to_show(room.id, user, socket)
        self.show(room, room.seat_of(user), socket)

    def seen_by_spectators(self, room: Room) -> v1.LiveMatch:
        """Return the live match of a room as its spectators see it now.

        As it is recorded where another node runs it, and without its state where that is not known,
        or where spectators are shown all later.
        """
        live = self._matches.get(room.match)
        if live is None and not room.options.spectator_delay_s:
            return self._recorded_preview(room)
        if live is None or live.failed or live.recording or room.options.spectator_delay_s:
            return v1.LiveMatch(room.id, room.game, None, None, None, None)
        run, tick = live.run, live.match.tick_shown(SPECTATOR.key, live.run.tick)
        if live.views is not None and run.game.tick_hz:
            # That it is missing, as above, would tell of a hidden outcome.
            return v1.LiveMatch(room.id, room.game, None, None, None, None)
        return _preview(room, run, live.view(SPECTATOR), tick)

    def _recorded_preview(self, room: Room) -> v1.LiveMatch:
        match = self._world.matches.live.get(room.match or "")
        run = None if match is None or self._recorded is None else self._recorded.run_of(match)
        if run is None:
            return v1.LiveMatch(room.id, room.game, None, None, None, None)
        return _preview(room, run, common_view(run.game, run.state), run.tick)

    def _publish_state(
        self, live: LiveMatch, rates: frozenset[int] | None, viewers: Collection[str] | None
    ) -> None:
        room = live.room
        remaining_s = live.run.remaining_s
        if remaining_s is not None and remaining_s != live.last_remaining and not live.paused:
            live.last_remaining = remaining_s
            self._publish_to_room(room, match_timer(live.audience, room, remaining_s))
        has_classic = True
        if rates is not None:
            live.wanted = wanted = self._publisher.frame_rates(room.id)
            if wanted.isdisjoint(rates):
                return
            has_classic = FRAME_HZ_MAX in wanted
            if wanted <= rates:
                rates = None
        if live.views is not None:
            self._publish_views(live, rates, viewers, has_classic=has_classic)
            return
        run = live.run
        state = match_state(
            live.audience,
            room.id,
            live.match,
            run.tick,
            common_view(run.game, run.state),
            None if live.match.turn_left_ms is None else self._turn_left_ms(live),
            rates=rates,
            has_classic=has_classic,
        )
        if room.spectators:
            self._publish_to_room(room, state)
        else:
            self._publisher.publish(state)

    def _publish_to_room(self, room: Room, delivery: Delivery) -> None:
        for part in with_spectator_delay(room, delivery):
            self._publisher.publish(part)

    def _show(self, live: LiveMatch, room: Room, seat: int | None, socket: SocketId) -> None:
        here, remaining_s = Sockets((socket,)), live.run.remaining_s
        self._publisher.publish(match_running(here, room, seat, remaining_s, self._profiles))
        if seat is None and room.options.spectator_delay_s:
            return
        if remaining_s is not None:
            self._publisher.publish(match_timer(here, room, remaining_s))
        viewer = SPECTATOR if seat is None else seated(seat)
        self._publisher.publish(self._state(live, viewer, here))
        if room.away and live.match.pace != "free":
            now = self._clock()
            paused = match_paused(
                here,
                room,
                live.match,
                turn_left_ms=live.clock.turn_left_ms(now),
                spent_ms=live.clock.spent_ms(now),
                grace_left_s=self._grace_left_s(room),
            )
            self._publisher.publish(paused)

    def _publish_views(
        self,
        live: LiveMatch,
        rates: frozenset[int] | None,
        viewers: Collection[str] | None,
        *,
        has_classic: bool,
    ) -> None:
        """Publish a state with secrets: to each seat, and to spectators, what they see of it.

        Only to those with the keys `viewers`; None for all.
        """
        for viewer in live.watched_by():
            if viewers is None or viewer.key in viewers:
                audience, delay_s = to_viewer(live.room, viewer)
                state = self._state(live, viewer, audience, rates, has_classic=has_classic)
                self._publisher.publish(msgspec.structs.replace(state, delay_s=delay_s))

    def _state(
        self,
        live: LiveMatch,
        viewer: Viewer,
        audience: Audience,
        rates: frozenset[int] | None = None,
        *,
        has_classic: bool = True,
    ) -> Delivery:
        match = live.match
        return match_state(
            audience,
            live.room.id,
            match,
            match.tick_shown(viewer.key, live.run.tick),
            live.view(viewer),
            None if match.turn_left_ms is None else self._turn_left_ms(live),
            rates=rates,
            has_classic=has_classic,
        )

    def _turn_left_ms(self, live: LiveMatch) -> int | None:
        if live.run.game.result(live.run.state) is not None:
            return None
        return live.clock.turn_left_ms(self._clock())


def _preview(room: Room, run: Run, view: View | msgspec.Raw, tick: int) -> v1.LiveMatch:
    has_ticks, remaining_s = run.game.tick_hz > 0, run.remaining_s
    return v1.LiveMatch(
        room.id,
        room.game,
        view,
        run.game.scores(run.state) if has_ticks else None,
        None if has_ticks else tick,
        None if remaining_s is None else 1000 * remaining_s,
    )
