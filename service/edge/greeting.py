"""Greet clients with the session and the current state, or resume after a disconnect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.domain.events.presence import SocketOpened
from service.edge.dialect import V1
from service.edge.frames import frame
from service.errors import InternalError
from service.fanout.joining import pending_invites, session_state
from service.fanout.profiles import Profiles
from service.fanout.views import room_start, room_state
from service.protocol import classic, v1
from service.telemetry import note_fault

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from service.domain.events.base import Event, Position
    from service.domain.ids import SocketId, UserId
    from service.domain.projections.world import World
    from service.edge.backlog import Backlog
    from service.edge.connection import Connection
    from service.edge.hub import Hub
    from service.edge.refill_progress import RefillProgress
    from service.edge.session.actions import ResumeFrom
    from service.protocol import ToClient
    from service.settings.sections.connections import ConnectionLimits, SessionLimits
    from service.telemetry import Metrics


KICKS_MAX = 10_000
"""Maximum number of users remembered who may not have read that they lost their seat."""


class Greeter:
    """Builds the greetings of new sockets, and the answers to resumes."""

    def __init__(  # noqa: PLR0913 - the parts are given by the composition root
        self,
        world: World,
        profiles: Profiles,
        hub: Hub,
        backlog: Backlog,
        limits: ConnectionLimits,
        *,
        invite_ttl_s: float,
        refill: RefillProgress,
        epoch: str,
        games: Collection[str] = (),
        metrics: Metrics,
    ) -> None:
        """Show `world` to the connections of `hub`, and resume from `backlog`.

        A resume that needs what `refill` has yet to bring waits for it.
        """
        self._world = world
        self._profiles = profiles
        self._hub = hub
        self._backlog = backlog
        self._refill = refill
        self._heartbeat_ms = limits.heartbeat_ms
        self._limits = _limits_shown(limits.session, invite_ttl_s)
        self._epoch = epoch
        self._games = games
        self._metrics = metrics
        self._unread_kicks: dict[UserId, None] = {}
        """Users whose v1 socket was notified of a lost seat, and has sent nothing since."""
        self._unanswered: dict[SocketId, list[bytes]] = {}
        """Sockets whose resume waits, each with the states of the user's rooms when it opened."""

    def observe(self, event: Event, _position: Position) -> None:
        """Greet a socket whose opening is committed; `Hub.observe` must have seen it before.

        A fault ends the greeting where it occurs: the socket stays open, and gets live messages.
        """
        if not isinstance(event, SocketOpened):
            return
        connection = self._hub.connection(event.socket)
        if connection is None:
            return
        failed: InternalError | None = None
        frames: list[bytes] = []
        try:
            frames.extend(self.greet(connection, event))
        except Exception as error:  # noqa: BLE001 - it costs this greeting alone
            note_fault(self._metrics, "greeting", error, socket=connection.socket)
            failed = InternalError()
        self._hub.send_frames(connection, frames)
        if connection.socket in self._unanswered:
            connection.begin_hold()
        size = sum(map(len, frames))
        if connection.resume is None:
            connection.greeting_bytes = size
        else:
            connection.resume_bytes = size
        if failed is not None:
            self._hub.send(connection, classic.Error(failed.code, failed.message))
        refused = connection.refused
        if refused is not None:
            self._hub.send(connection, classic.Error(refused.code, refused.message))

    def greet(self, connection: Connection, opened: SocketOpened) -> Iterator[bytes]:
        """Yield the frames that greet a socket that was just opened."""
        if connection.dialect is V1:
            yield from self._greet_v1(connection, opened)
            return
        write = connection.dialect.frame
        yield write(classic.Welcome(self._profiles.user(connection.user)))
        yield write(self._session(opened, is_kicked=opened.kicked))
        yield self._hub.lists.user_list(connection.dialect)
        for start in self._own_room_start(connection.user):
            yield write(start)
        for invite in pending_invites(connection.user, self._world, self._profiles):
            if invite.classic is not None:
                yield write(invite.classic)

    def is_awaited(self, wanted: ResumeFrom) -> bool:
        """Return whether a resume has to wait for the refill of the backlog."""
        return wanted.epoch == self._epoch and self._refill.is_awaited(wanted.position)

    async def reached(self, wanted: ResumeFrom) -> None:
        """Wait until a resume can be answered."""
        await self._refill.reached(wanted.position)

    def is_complete(self, connection: Connection) -> bool:
        """Return whether the greeting of a socket has the answer to its resume."""
        return connection.socket not in self._unanswered

    async def complete(self, connection: Connection) -> None:
        """Answer the resume of a socket whose greeting had to leave it out.

        What was sent to the socket since is held back until then.
        """
        states, wanted = self._unanswered.get(connection.socket), connection.resume
        if states is None or wanted is None:
            return
        try:
            await self.reached(wanted)
            self._answer(connection, wanted, states)
        finally:
            del self._unanswered[connection.socket]

    def _answer(self, connection: Connection, wanted: ResumeFrom, states: list[bytes]) -> None:
        """Send what a socket missed up to its opening, before what is held back."""
        missed = self._backlog.between(connection.user, wanted.position, connection.opened_at)
        if missed is None:
            # The current state has what was held back.
            connection.drop_withheld()
            frames = list(self._resync(connection.user, "too_old"))
        else:
            self._metrics.resumed("resumed")
            resumed = frame(v1.Resumed(wanted.position, connection.opened_at))
            frames = [*missed, resumed, *states]
        for data in frames:
            self._hub.send_before_hold(connection, data)
            connection.resume_bytes += len(data)
        connection.end_hold()

    def resume(self, user: UserId, wanted: ResumeFrom, to: Position) -> Iterator[bytes]:
        """Yield the frames that `user` missed up to `to`, or a `resync` with the current state."""
        missed = self._backlog.between(user, wanted.position, to)
        if wanted.epoch != self._epoch:
            yield from self._resync(user, "wrong_epoch")
        elif wanted.position > to:
            yield from self._resync(user, "from_the_future")
        elif missed is None:
            yield from self._resync(user, "too_old")
        else:
            self._metrics.resumed("resumed")
            yield from missed
            yield frame(v1.Resumed(wanted.position, to))
            yield from self._own_room_state(user)

    def _greet_v1(self, connection: Connection, opened: SocketOpened) -> Iterator[bytes]:
        user, position = connection.user, self._world.position
        yield frame(
            v1.Welcome(
                user=self._profiles.user(user),
                session_id=connection.socket,
                protocol=V1.protocol,
                epoch=self._epoch,
                position=position,
                heartbeat_ms=self._heartbeat_ms,
                limits=self._limits,
                frame_hz=connection.frame_hz,
                games=tuple(self._games),
            )
        )
        is_kicked = opened.kicked or self._was_kicked(user)
        if is_kicked:
            self._unread_kicks[user] = None
            connection.on_first_message = lambda: self._unread_kicks.pop(user, None)
            if len(self._unread_kicks) > KICKS_MAX:
                del self._unread_kicks[next(iter(self._unread_kicks))]
        yield frame(self._session(opened, is_kicked=is_kicked))
        users, count = self._hub.users.joined()
        yield users
        # The hub counts the first of them, a `user:list`.
        self._metrics.sent.counts["user:diff"] += count - 1
        wanted = connection.resume
        if wanted is None:
            yield from self._current_state(user)
        elif self.is_awaited(wanted):
            self._unanswered[connection.socket] = list(self._own_room_state(user))
        else:
            yield from self.resume(user, wanted, position)

    def _was_kicked(self, user: UserId) -> bool:
        """Tell whether an earlier greeting about a lost seat may not have been read."""
        if user not in self._unread_kicks:
            return False
        del self._unread_kicks[user]
        return user not in self._world.rooms.seated

    def _session(self, opened: SocketOpened, *, is_kicked: bool) -> ToClient:
        if is_kicked:
            return classic.SessionKickIntro()
        return session_state(opened.user, self._world)

    def _resync(self, user: UserId, reason: v1.ResyncReason) -> Iterator[bytes]:
        self._metrics.resumed(reason)
        yield frame(v1.Resync(reason, self._epoch, self._world.position))
        yield from self._hub.users.frames()
        yield from self._current_state(user)

    def _current_state(self, user: UserId) -> Iterator[bytes]:
        """Yield the current state, for a client that knows none of it, and `greeted`."""
        for start in self._own_room_start(user):
            yield frame(start)
        yield from self._own_room_state(user)
        for invite in pending_invites(user, self._world, self._profiles):
            if invite.v1 is not None:
                yield frame(invite.v1)
        for invitee, sent in self._world.invites.pending.get(user, {}).items():
            yield frame(v1.InviteSent(self._profiles.user(invitee), sent.game))
        yield frame(v1.Greeted(self._world.position))

    def _own_room_start(self, user: UserId) -> Iterator[ToClient]:
        if self._world.rooms.is_busy(user):
            room = self._world.rooms.rooms[self._world.rooms.seated[user]]
            yield room_start(room, self._profiles)

    def _own_room_state(self, user: UserId) -> Iterator[bytes]:
        if user in self._world.rooms.seated:
            room = self._world.rooms.rooms[self._world.rooms.seated[user]]
            yield frame(room_state(room, self._world, self._profiles))


def _limits_shown(limits: SessionLimits, invite_ttl_s: float) -> v1.Limits:
    """Return the limits that `welcome` contains."""
    named = {name for name in v1.Limits.__struct_fields__ if hasattr(limits, name)}
    return v1.Limits(
        **{name: getattr(limits, name) for name in named}, invite_ttl_ms=round(1000 * invite_ttl_s)
    )
