"""An example of every message in its wire form.

The contract documents show them, and tests send them through the service's own decoders.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from service.protocol import FromClientMessage, ToClientMessage, classic, v1
from service.protocol.features import FEATURE_NAMES

Wire: TypeAlias = dict[str, Any]

ANA = classic.User(7, "Ana")
BEN = classic.User(8, "Ben")
ROOM = "r-9f3a61c2"
MATCH = "m-4be07d15"
SOCKET = "n1.3.12"
EPOCH = "5f2c9a0e"
CHAT = "c-71d0"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJpZCI6N30.c2lnbmF0dXJl"  # noqa: S105 - opens no door

FROM_CLIENT: Mapping[type[FromClientMessage], Wire] = {
    classic.UserListRequest: {},
    classic.LobbyJoin: {},
    classic.LobbyLeave: {},
    classic.LobbyRequest: {},
    classic.FriendsSubscribe: {"friendIds": [8, 9, "guest-17"]},
    classic.FriendsStatusRequest: {},
    classic.Invite: {"to": 8},
    classic.InviteSend: {"toUserId": 8},
    classic.InviteAcceptedByClient: {"from": 7},
    classic.InviteDeclinedByClient: {"from": 7},
    classic.MatchmakingJoin: {"game": "pong"},
    classic.MatchmakingLeave: {"game": "pong"},
    classic.GameJoin: {"roomId": ROOM},
    classic.GameBegin: {"roomId": ROOM},
    classic.GameMove: {"roomId": ROOM, "direction": "w", "action": "down"},
    classic.GameLeave: {"roomId": ROOM},
    v1.Ping: {},
    v1.Resume: {"position": 812, "epoch": EPOCH},
    v1.FramesSet: {"frameHz": 30},
    v1.UserSync: {},
    v1.UserStatus: {"status": "away"},
    v1.RoomCreate: {
        "game": "connect_four",
        "options": {"turn_s": 30},
        "metadata": {"title": "Friday evening"},
        "visibility": "password",
        "password": "let me in",
        "maxSpectators": 20,
    },
    v1.RoomJoin: {"roomId": ROOM, "role": "spectator"},
    v1.RoomLeave: {"roomId": ROOM},
    v1.RoomReady: {"roomId": ROOM},
    v1.MatchmakingAcceptBot: {"game": "pong", "level": 2},
    v1.RoomAddBot: {"roomId": ROOM, "level": 2},
    v1.RoomKick: {"roomId": ROOM, "userId": 8},
    v1.RoomLock: {"roomId": ROOM, "locked": True},
    v1.RoomList: {"game": "connect_four", "limit": 20},
    v1.RoomSubscribe: {"game": "connect_four"},
    v1.RoomUnsubscribe: {},
    v1.LobbyWatch: {},
    v1.LobbyUnwatch: {},
    v1.LobbySay: {"text": "Who plays?"},
    v1.GameHistory: {"roomId": ROOM, "after": 812},
    v1.GameMove: {"roomId": ROOM, "move": {"column": 3}},
    v1.SendSignal: {"to": 8, "data": {"sdp": "v=0"}},
    v1.ChatSend: {"roomId": ROOM, "text": "Well played!"},
    v1.ChatMute: {"userId": 8, "muted": True},
    v1.AuthRefresh: {"token": TOKEN},
}
"""The fields of each example without `type`, and in protocol v1 without `id`."""


def _summary() -> v1.RoomSummary:
    return v1.RoomSummary(
        room_id=ROOM,
        game="connect_four",
        phase="gathering",
        visibility="public",
        locked=False,
        host=7,
        metadata={"title": "Friday evening"},
        players=[ANA],
        seats=2,
        spectators=0,
        spectators_max=20,
    )


_TO_CLIENT: Iterable[ToClientMessage] = (
    classic.Error("USER_OFFLINE", "That user is not online."),
    classic.Welcome(ANA),
    classic.SessionState(in_room=True, room_id=ROOM),
    classic.SessionKickIntro(),
    classic.UserList([ANA, BEN]),
    classic.UserOnline(8),
    classic.UserOffline(8),
    classic.LobbyList([ANA]),
    classic.FriendsStatus({8: True, "guest-17": False}),
    classic.FriendsStatusUpdate(8, is_online=False),
    classic.FriendsStatusResponse([classic.FriendStatus(8, is_online=True)]),
    classic.InviteReceived(ANA),
    classic.InviteDeclined(8),
    classic.MatchmakingSearching(),
    classic.MatchmakingCancelled(),
    classic.RoomStart(ROOM, [ANA, BEN]),
    classic.GameReady(ROOM),
    classic.RoomPlayers(ROOM, 0, [ANA, BEN]),
    classic.GameStart(ROOM, 30, 0, [ANA, BEN]),
    classic.GameUpdate(
        ROOM,
        {"p1Y": 37.5, "p2Y": 41.2, "s1": 2, "s2": 1, "ballX": 63.5, "ballY": 12.0},
    ),
    classic.GameTimer(ROOM, 17),
    classic.GamePaused(ROOM, [8], 10_000),
    classic.GameResumed(ROOM, 1000),
    classic.GameTimeup(ROOM, "p1", classic.Scores(3, 1)),
    classic.GameEnd(ROOM, "you", classic.Scores(2, 1)),
    v1.Ack("a1-17", 813, ROOM),
    v1.Pong("a1-18"),
    v1.Welcome(
        user=ANA,
        session_id=SOCKET,
        protocol="ws-service.v1",
        epoch=EPOCH,
        position=812,
        heartbeat_ms=20_000,
        limits=v1.Limits(65_536, 120.0, 240.0, 500, 4096, 16_384, 4096, 60_000),
        features=FEATURE_NAMES,
        frame_hz=30,
    ),
    v1.Heartbeat(840),
    v1.Resumed(812, 840),
    v1.Resync("too_old", EPOCH, 120_812),
    v1.Greeted(120_812),
    v1.TokenExpiring(60_000),
    v1.ServerDraining(3000),
    v1.ServerMessage(msgspec.Raw(b'{"notice":"The cup begins at eight."}')),
    v1.UserList([v1.UserEntry(7, "Ana", "lobby"), v1.UserEntry(8, "Ben", "playing")], 31),
    v1.UserDiff(
        32, [v1.UserEntry("guest-17", "Cleo", "online")], [9], [v1.UserEntry(8, "Ben", "away")]
    ),
    v1.InviteReceived(ANA, "pong"),
    v1.InviteSent(BEN, "pong"),
    v1.MatchmakingBotOffer("pong", 3),
    v1.InviteExpired(7, 8),
    v1.RoomState(
        room_id=ROOM,
        v=845,
        game="connect_four",
        phase="gathering",
        visibility="public",
        locked=False,
        host=7,
        options={"turn_s": 30},
        metadata={"title": "Friday evening"},
        seats=[v1.SeatView(ANA, ready=True), v1.SeatView(None)],
        spectators=1,
        watching=[classic.User("guest-17", "Cleo")],
        match_id=None,
    ),
    v1.RoomJoined(ROOM, BEN, "player", 1),
    v1.RoomLeft(ROOM, 8, "left"),
    v1.RoomClosed(ROOM, "empty"),
    v1.RoomPage([_summary()], ROOM),
    v1.RoomAdded(_summary()),
    v1.RoomUpdated(_summary()),
    v1.RoomRemoved(ROOM),
    v1.GameStart(ROOM, MATCH, "pong", 30, 0, [ANA, BEN]),
    v1.GamePaused(ROOM, [8], 10_000, {7: 60_000, 8: 48_500}, 21_300),
    v1.GameResumed(ROOM, 1, 21_300),
    v1.GameUpdate(
        ROOM,
        0,
        412,
        {"p1Y": 37.5, "p2Y": 41.2, "s1": 2, "s2": 1, "ballX": 63.5, "ballY": 12.0},
    ),
    v1.GameMoves(
        ROOM,
        MATCH,
        [v1.PastMove(0, 4, msgspec.Raw(b'{"kind":"relayed","seat":0,"move":{"step":1}}'))],
        more=False,
        next=None,
    ),
    v1.GameMoved(ROOM, 0, 4, msgspec.Raw(b'{"kind":"dropped","seat":0,"column":3}')),
    v1.GameOver(ROOM, MATCH, "timeup", 0, [3, 1]),
    v1.Signal(8, SOCKET, msgspec.Raw(b'{"sdp":"v=0"}')),
    v1.ChatMessage(CHAT, BEN, "Well played!", room_id=ROOM),
    v1.LobbyHistory([v1.ChatMessage(CHAT, BEN, "Who plays?")]),
    v1.LobbyMessage(v1.ChatMessage(CHAT, BEN, "Who plays?")),
    v1.LobbyLive(
        {"pong": 1},
        [v1.LiveMatch(ROOM, "connect_four", {"turn": 1}, None, 12, None)],
    ),
    v1.ChatHistory(ROOM, [v1.ChatMessage(CHAT, BEN, "Well played!", room_id=ROOM)]),
)

TO_CLIENT: Mapping[type[ToClientMessage], ToClientMessage] = {type(one): one for one in _TO_CLIENT}
