"""The messages that carry a position, for every event through the real delivery rules."""

import msgspec

from service.domain.events import EVENT_TYPES
from service.domain.events.access import SessionsRevoked
from service.domain.events.chat import ChatSaid, UserMuted
from service.domain.events.invites import (
    InviteAccepted,
    InviteCooldownEnded,
    InviteDeclined,
    InviteExpired,
    InviteSent,
)
from service.domain.events.lobby import LobbyJoined, LobbyLeft
from service.domain.events.log import LogArchived
from service.domain.events.matches import (
    MatchCheckpoint,
    MatchEnded,
    MatchInput,
    MatchOutcome,
    MatchPaused,
    MatchResumed,
    MatchRewound,
    MatchStarted,
    MatchSuspended,
    MatchTurnNoted,
)
from service.domain.events.matchmaking import (
    SearchBotOffered,
    SearchCancelled,
    SearchGaveUp,
    SearchStarted,
)
from service.domain.events.nodes import NodeDraining, NodeLost, NodeStarted
from service.domain.events.operators import OperatorActed
from service.domain.events.outbox import (
    USER_SERVICE,
    ConsumerSubscribed,
    ConsumerUnsubscribed,
    ResultDelivered,
    ResultRejected,
    ResultRequeued,
)
from service.domain.events.presence import (
    SocketClosed,
    SocketOpened,
    UserCameOnline,
    UserStatusSet,
    UserWentOffline,
)
from service.domain.events.rooms import (
    HostChanged,
    PlayerReadied,
    PlayerSeated,
    RoomBecameReady,
    RoomClosed,
    RoomCreated,
    RoomLocked,
    RoomMoved,
    SeatForfeited,
    SeatLeft,
    SeatTaken,
    SpectatorJoined,
    SpectatorLeft,
)
from service.domain.projections.world import World
from service.fanout.audience import Delivery
from service.fanout.profiles import Profiles
from service.fanout.rules import after_fold, before_fold
from tools.schemas import WITH_POSITION

OPTIONS = {"duration_s": 30, "reconnect_grace_s": 10}
RAW = msgspec.Raw(b"{}")

HISTORY = (
    NodeStarted("n1", 1),
    NodeStarted("n2", 1, alone=False),
    NodeDraining("n2", 1),
    NodeLost("n2", 1),
    ConsumerSubscribed(USER_SERVICE),
    *(UserCameOnline(user) for user in (7, 8, 9)),
    *(SocketOpened(user, f"n1.1.{user}") for user in (7, 8, 9)),
    UserStatusSet(9, "away", hidden=False),
    UserMuted(9, 8, muted=True),
    LobbyJoined(7, "n1.1.7"),
    LobbyLeft(7, "n1.1.7"),
    InviteSent(7, 8, "relay"),
    InviteDeclined(7, 8),
    InviteCooldownEnded(7, 8),
    InviteSent(7, 8, "relay"),
    InviteExpired(7, 8),
    SearchStarted(9, "relay"),
    SearchCancelled(9, "relay"),
    SearchStarted(9, "relay"),
    SearchBotOffered(9, "relay", 3),
    SearchGaveUp(9, "relay"),
    InviteSent(7, 8, "relay"),
    InviteAccepted(7, 8),
    RoomCreated("r1", "relay", [7, 8], OPTIONS, 2, 2, spectators_max=1),
    SeatTaken("r1", 7, "n1.1.7"),
    SeatTaken("r1", 8, "n1.1.8"),
    RoomBecameReady("r1"),
    SpectatorJoined("r1", 9, "n1.1.9"),
    PlayerReadied("r1", 7, ready=True),
    PlayerReadied("r1", 8, ready=True),
    MatchStarted("r1-1", 0, "relay", 1, [7, 8], 1, OPTIONS, "free", None),
    MatchInput("r1-1", 0, 0, "n1.1.7", RAW),
    MatchOutcome("r1-1", 1, RAW),
    MatchCheckpoint("r1-1", 1, RAW, ""),
    MatchPaused("r1-1", 1),
    MatchResumed("r1-1", 1, 1),
    MatchTurnNoted("r1-1", 1, 1000),
    MatchRewound("r1-1", 1),
    MatchSuspended("r1-1", 1),
    MatchEnded("r1-1", 1, "finished", None, [0, 0], ""),
    ResultRejected(USER_SERVICE, "r1-1", 404),
    ResultRequeued(USER_SERVICE, "r1-1"),
    ResultDelivered(USER_SERVICE, "r1-1"),
    ConsumerUnsubscribed(USER_SERVICE),
    ChatSaid("c1", 7, "", room="r1"),
    SpectatorLeft("r1", 9, "left"),
    SeatForfeited("r1", 8),
    RoomClosed("r1", "forfeited"),
    RoomCreated("r2", "relay", [], OPTIONS, 2, 2, host=9),
    PlayerSeated("r2", 9, 0),
    PlayerSeated("r2", 7, 1),
    RoomLocked("r2", locked=True),
    RoomMoved("r2", "n1", 1),
    SeatLeft("r2", 9),
    HostChanged("r2", 7),
    SocketClosed(9, "n1.1.9", 1000),
    UserWentOffline(9),
    OperatorActed("revoke", user=8),
    SessionsRevoked(8, 1),
    LogArchived(first=1, last=2, count=2, digest="00ff", file="archive"),
)


def test_exactly_the_messages_with_a_position_follow_from_the_log() -> None:
    world, people = World(), Profiles(texts={"c1": "Well played!"})
    durable = set()
    for position, event in enumerate(HISTORY, start=1):
        messages = [*before_fold(event, world, people)]
        world.fold(event, position)
        messages += after_fold(event, world, people)
        durable |= {type(one.v1) for one in messages if isinstance(one, Delivery) and one.durable}
    assert durable == WITH_POSITION
    assert {type(event) for event in HISTORY} == set(EVENT_TYPES)
