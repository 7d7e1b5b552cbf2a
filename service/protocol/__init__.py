"""Messages: one closed union for each direction and dialect.

The classic dialect is the contract with existing clients; a client that offers the subprotocol
`ws-service.v1` speaks the other one, which has most of the classic messages and more.
"""

from __future__ import annotations

from typing import TypeAlias

from service.protocol import classic, v1
from service.protocol.base import DEFAULT_GAME as DEFAULT_GAME
from service.protocol.base import FromClientMessage as FromClientMessage
from service.protocol.base import ToClientMessage as ToClientMessage

FromClassicClient: TypeAlias = (
    classic.UserListRequest
    | classic.LobbyJoin
    | classic.LobbyLeave
    | classic.LobbyRequest
    | classic.FriendsSubscribe
    | classic.FriendsStatusRequest
    | classic.Invite
    | classic.InviteSend
    | classic.InviteAcceptedByClient
    | classic.InviteDeclinedByClient
    | classic.MatchmakingJoin
    | classic.MatchmakingLeave
    | classic.GameJoin
    | classic.GameBegin
    | classic.GameMove
    | classic.GameLeave
)

FromV1Client: TypeAlias = (
    classic.UserListRequest
    | classic.LobbyJoin
    | classic.LobbyLeave
    | classic.LobbyRequest
    | classic.FriendsSubscribe
    | classic.FriendsStatusRequest
    | classic.Invite
    | classic.InviteSend
    | classic.InviteAcceptedByClient
    | classic.InviteDeclinedByClient
    | classic.MatchmakingJoin
    | classic.MatchmakingLeave
    | v1.MatchmakingAcceptBot
    | classic.GameJoin
    | classic.GameBegin
    | classic.GameLeave
    | v1.Ping
    | v1.Resume
    | v1.FramesSet
    | v1.UserSync
    | v1.UserStatus
    | v1.LobbyWatch
    | v1.LobbyUnwatch
    | v1.LobbySay
    | v1.RoomCreate
    | v1.RoomJoin
    | v1.RoomLeave
    | v1.RoomReady
    | v1.RoomKick
    | v1.RoomAddBot
    | v1.RoomLock
    | v1.RoomList
    | v1.RoomSubscribe
    | v1.RoomUnsubscribe
    | v1.GameMove
    | v1.GameHistory
    | v1.SendSignal
    | v1.ChatSend
    | v1.ChatMute
    | v1.AuthRefresh
)

FromClient: TypeAlias = FromClassicClient | FromV1Client

ToClassicClient: TypeAlias = (
    classic.Error
    | classic.Welcome
    | classic.SessionState
    | classic.SessionKickIntro
    | classic.UserList
    | classic.UserOnline
    | classic.UserOffline
    | classic.LobbyList
    | classic.FriendsStatus
    | classic.FriendsStatusUpdate
    | classic.FriendsStatusResponse
    | classic.InviteReceived
    | classic.InviteDeclined
    | classic.MatchmakingSearching
    | classic.MatchmakingCancelled
    | classic.RoomStart
    | classic.GameReady
    | classic.RoomPlayers
    | classic.GameStart
    | classic.GameUpdate
    | classic.GameTimer
    | classic.GamePaused
    | classic.GameResumed
    | classic.GameTimeup
    | classic.GameEnd
)

ToV1Client: TypeAlias = (
    classic.Error
    | v1.Ack
    | v1.Pong
    | v1.Welcome
    | classic.SessionState
    | classic.SessionKickIntro
    | v1.Heartbeat
    | v1.Resumed
    | v1.Resync
    | v1.Greeted
    | v1.TokenExpiring
    | v1.ServerDraining
    | v1.ServerMessage
    | v1.UserList
    | v1.UserDiff
    | v1.LobbyHistory
    | v1.LobbyMessage
    | v1.LobbyLive
    | classic.LobbyList
    | classic.FriendsStatus
    | classic.FriendsStatusUpdate
    | classic.FriendsStatusResponse
    | v1.InviteReceived
    | classic.InviteDeclined
    | v1.InviteSent
    | v1.InviteExpired
    | classic.MatchmakingSearching
    | classic.MatchmakingCancelled
    | v1.MatchmakingBotOffer
    | classic.RoomStart
    | v1.RoomState
    | v1.RoomJoined
    | v1.RoomLeft
    | v1.RoomClosed
    | v1.RoomPage
    | v1.RoomAdded
    | v1.RoomUpdated
    | v1.RoomRemoved
    | classic.GameReady
    | v1.GameStart
    | v1.GameUpdate
    | classic.GameTimer
    | v1.GamePaused
    | v1.GameResumed
    | v1.GameMoved
    | v1.GameMoves
    | v1.GameOver
    | v1.Signal
    | v1.ChatMessage
    | v1.ChatHistory
)

ToClient: TypeAlias = ToClassicClient | ToV1Client
