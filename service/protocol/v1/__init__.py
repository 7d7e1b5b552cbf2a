"""Messages of protocol v1 that the classic contract lacks or has in another form.

A message whose docstring says "has a `position`" follows from one event of the log. It is sent to
every v1 socket of its users, and again, in order, to a client that resumes.
"""

from __future__ import annotations

from service.protocol.v1.base import V1Command as V1Command
from service.protocol.v1.base import Whole as Whole
from service.protocol.v1.chat import ChatHistory as ChatHistory
from service.protocol.v1.chat import ChatMessage as ChatMessage
from service.protocol.v1.chat import ChatMute as ChatMute
from service.protocol.v1.chat import ChatSend as ChatSend
from service.protocol.v1.chat import SendSignal as SendSignal
from service.protocol.v1.chat import Signal as Signal
from service.protocol.v1.connection import Ack as Ack
from service.protocol.v1.connection import AuthRefresh as AuthRefresh
from service.protocol.v1.connection import FramesSet as FramesSet
from service.protocol.v1.connection import Greeted as Greeted
from service.protocol.v1.connection import Heartbeat as Heartbeat
from service.protocol.v1.connection import Limits as Limits
from service.protocol.v1.connection import Ping as Ping
from service.protocol.v1.connection import Pong as Pong
from service.protocol.v1.connection import Resume as Resume
from service.protocol.v1.connection import Resumed as Resumed
from service.protocol.v1.connection import Resync as Resync
from service.protocol.v1.connection import ResyncReason as ResyncReason
from service.protocol.v1.connection import ServerDraining as ServerDraining
from service.protocol.v1.connection import ServerMessage as ServerMessage
from service.protocol.v1.connection import TokenExpiring as TokenExpiring
from service.protocol.v1.connection import Welcome as Welcome
from service.protocol.v1.invites import InviteExpired as InviteExpired
from service.protocol.v1.invites import InviteReceived as InviteReceived
from service.protocol.v1.invites import InviteSent as InviteSent
from service.protocol.v1.invites import MatchmakingAcceptBot as MatchmakingAcceptBot
from service.protocol.v1.invites import MatchmakingBotOffer as MatchmakingBotOffer
from service.protocol.v1.lobby import LiveMatch as LiveMatch
from service.protocol.v1.lobby import LobbyHistory as LobbyHistory
from service.protocol.v1.lobby import LobbyLive as LobbyLive
from service.protocol.v1.lobby import LobbyMessage as LobbyMessage
from service.protocol.v1.lobby import LobbySay as LobbySay
from service.protocol.v1.lobby import LobbyUnwatch as LobbyUnwatch
from service.protocol.v1.lobby import LobbyWatch as LobbyWatch
from service.protocol.v1.matches import GameHistory as GameHistory
from service.protocol.v1.matches import GameMove as GameMove
from service.protocol.v1.matches import GameMoved as GameMoved
from service.protocol.v1.matches import GameMoves as GameMoves
from service.protocol.v1.matches import GameOver as GameOver
from service.protocol.v1.matches import GamePaused as GamePaused
from service.protocol.v1.matches import GameResumed as GameResumed
from service.protocol.v1.matches import GameStart as GameStart
from service.protocol.v1.matches import GameUpdate as GameUpdate
from service.protocol.v1.matches import PastMove as PastMove
from service.protocol.v1.rooms import NewRoomId as NewRoomId
from service.protocol.v1.rooms import PageLimit as PageLimit
from service.protocol.v1.rooms import Password as Password
from service.protocol.v1.rooms import Role as Role
from service.protocol.v1.rooms import RoomAddBot as RoomAddBot
from service.protocol.v1.rooms import RoomAdded as RoomAdded
from service.protocol.v1.rooms import RoomClosed as RoomClosed
from service.protocol.v1.rooms import RoomCreate as RoomCreate
from service.protocol.v1.rooms import RoomJoin as RoomJoin
from service.protocol.v1.rooms import RoomJoined as RoomJoined
from service.protocol.v1.rooms import RoomKick as RoomKick
from service.protocol.v1.rooms import RoomLeave as RoomLeave
from service.protocol.v1.rooms import RoomLeft as RoomLeft
from service.protocol.v1.rooms import RoomList as RoomList
from service.protocol.v1.rooms import RoomLock as RoomLock
from service.protocol.v1.rooms import RoomPage as RoomPage
from service.protocol.v1.rooms import RoomReady as RoomReady
from service.protocol.v1.rooms import RoomRemoved as RoomRemoved
from service.protocol.v1.rooms import RoomSettings as RoomSettings
from service.protocol.v1.rooms import RoomState as RoomState
from service.protocol.v1.rooms import RoomSubscribe as RoomSubscribe
from service.protocol.v1.rooms import RoomSummary as RoomSummary
from service.protocol.v1.rooms import RoomUnsubscribe as RoomUnsubscribe
from service.protocol.v1.rooms import RoomUpdated as RoomUpdated
from service.protocol.v1.rooms import SeatView as SeatView
from service.protocol.v1.rooms import Visibility as Visibility
from service.protocol.v1.users import OwnStatus as OwnStatus
from service.protocol.v1.users import Status as Status
from service.protocol.v1.users import UserDiff as UserDiff
from service.protocol.v1.users import UserEntry as UserEntry
from service.protocol.v1.users import UserList as UserList
from service.protocol.v1.users import UserStatus as UserStatus
from service.protocol.v1.users import UserSync as UserSync
