"""The errors by which a command is refused; each has a code for clients."""

from __future__ import annotations

from service.errors import ClientError


class TooManyMuted(ClientError):
    """You have muted the maximum number of users; unmute one of them first."""

    code = "TOO_MANY_MUTED"


class RoomExists(ClientError):
    """A room with this id exists; join it, or choose another id."""

    code = "ROOM_EXISTS"


class RoomFull(ClientError):
    """No seat is free, or no more spectators are allowed; try again later, or join another room."""

    code = "ROOM_FULL"


class RoomIsLocked(ClientError):
    """The host has locked this room; ask them to unlock it, or join another room."""

    code = "ROOM_LOCKED"


class WrongPassword(ClientError):
    """The room needs another password; ask its host for it."""

    code = "WRONG_PASSWORD"


class Banned(ClientError):
    """The host of this room has kicked you; join another room."""

    code = "BANNED"


class NoSuchBot(ClientError):
    """This game has no bots of this level."""

    code = "NO_SUCH_BOT"


class NoBotOffered(ClientError):
    """No bot was offered to you; wait for `matchmaking:botOffer`."""

    code = "NO_BOT_OFFERED"


class NotHost(ClientError):
    """Only the host of the room may do that; ask them to."""

    code = "NOT_HOST"


class TooManyRooms(ClientError):
    """You watch the maximum number of rooms; leave one first."""

    code = "TOO_MANY_ROOMS"


class ContradictoryRoom(ClientError):
    """A room with a password has the visibility `password`; leave one of the two out."""

    code = "CONTRADICTORY_ROOM"


class SelfInvite(ClientError):
    """You cannot invite yourself; open a second tab with another name to try a match."""

    code = "SELF_INVITE"


class UserNotInLobby(ClientError):
    """That user is not in the lobby at the moment; try again later."""

    code = "USER_NOT_IN_LOBBY"


class AlreadyInvited(ClientError):
    """You have invited this user already; wait for the answer."""

    code = "ALREADY_INVITED"


class InviteNotWanted(ClientError):
    """That user accepts no invites from you at the moment: they declined one, or muted you."""

    code = "INVITE_NOT_WANTED"


class InviteNotFound(ClientError):
    """There is no such invite; it may have been answered or expired. Send a new one."""

    code = "INVITE_NOT_FOUND"


class MatchNotRunning(ClientError):
    """No match is running in this room; wait for `game:start`."""

    code = "MATCH_NOT_RUNNING"


class AlreadySearching(ClientError):
    """You are in the queue already, maybe from another tab; leave it first or wait."""

    code = "ALREADY_SEARCHING"


class MatchIsPaused(ClientError):
    """The match is paused until everybody is back; wait for `game:resumed`."""

    code = "MATCH_PAUSED"


class TooManySockets(ClientError):
    """This user has the maximum number of connections; close one of them first."""

    code = "TOO_MANY_SOCKETS"


class UserOffline(ClientError):
    """That user is not online at the moment; try again later."""

    code = "USER_OFFLINE"


class NotConnected(ClientError):
    """The connection that sent this command has been closed; connect again."""

    code = "NOT_CONNECTED"


class AlreadyInRoom(ClientError):
    """You have a seat in another room; leave it first."""

    code = "ALREADY_IN_ROOM"


class UserBusy(ClientError):
    """That user is in a match; try again when it is over."""

    code = "USER_BUSY"


class RoomNotFound(ClientError):
    """There is no such room, or it has been closed; create or join another one."""

    code = "ROOM_NOT_FOUND"


class NotInRoom(ClientError):
    """You have no seat in this room; join it first."""

    code = "NOT_IN_ROOM"


class NotInLobby(ClientError):
    """You are not in the lobby; send `lobby:join` first."""

    code = "NOT_IN_LOBBY"


class RoomNotReady(ClientError):
    """Not every player is in the room; wait for `game:ready`."""

    code = "ROOM_NOT_READY"


class MatchAlreadyStarted(ClientError):
    """The match in this room has started already; wait until it is over."""

    code = "MATCH_ALREADY_STARTED"


class UnknownGame(ClientError):
    """This service has no such game; choose another one."""

    code = "UNKNOWN_GAME"


class NodesTooOld(ClientError):
    """A node of an older version is live, which can't read this; finish the deploy first."""

    code = "NODES_TOO_OLD"
