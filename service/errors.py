"""Base classes of all errors. The docstring of an error is its default message.

Every exception that a public function raises is in this tree:

* ServiceError
    * ApiError
        * BadBody
        * BadParameter
        * BodyTooLarge
        * DeliveryNotFound
        * EventsArchived
        * MatchIsLive
        * MatchNotFound
        * MethodNotAllowed
        * NotJson
        * NotReplayable
        * PathNotFound
        * PlayerNotFound
        * ScopeMissing
        * ServerFault
        * TooManyReplays
        * TooManyRequests
        * Unauthorized
    * Archived
    * AuthenticationError
    * BadGameName
    * BadRequest
        * BadHandshakeMethod
        * UnknownSession
        * UnknownTransport
        * UnsupportedVersion
    * BadTime
    * BadUser
    * BotTooSlow
    * BrokenChain
    * BrokenProjection
    * BrokenRecording
    * CannotExport
    * CannotFork
    * CannotRead
    * CannotWatch
    * CannotWrite
    * ClientError
        * AlreadyInRoom
        * AlreadyInvited
        * AlreadySearching
        * BadInvite
        * BadJson
        * BadMessage
        * BadName
        * BadScope
        * BadToken
        * BadValue
        * Banned
        * BinaryFrame
        * ContradictoryRoom
        * IdReused
        * InternalError
        * InvalidMove
            * AlreadyMoved
            * ColumnFull
            * GameIsOver
            * InvalidResult
            * NoSuchColumn
            * NotAsked
            * NotYourTurn
            * OutOfTime
            * UnknownAction
            * UnknownKey
        * InvalidOptions
        * InviteNotFound
        * InviteNotWanted
        * MatchAlreadyStarted
        * MatchIsPaused
        * MatchNotRunning
        * NoBotOffered
        * NoSuchBot
        * NodesTooOld
        * NotConnected
        * NotHost
        * NotInLobby
        * NotInRoom
        * NothingShared
        * OtherUser
        * RateLimited
        * RoomExists
        * RoomFull
        * RoomIsLocked
        * RoomNotFound
        * RoomNotReady
        * SelfInvite
        * TooLarge
        * TooManyFriends
        * TooManyMuted
        * TooManyRooms
        * TooManySockets
        * Unavailable
            * NodeAlive
            * NotReached
            * NotTakenOver
            * OutcomeUnknown
        * UnknownField
        * UnknownGame
        * UnknownType
        * UserBusy
        * UserNotInLobby
        * UserOffline
        * UserServiceUnavailable
        * WrongPassword
    * Closed
    * ConfigurationError
        * ArchiveRefused
        * BackupError
        * BusUnreachable
        * CannotListen
        * CopyRefused
        * DamagedHead
        * DataUnusable
        * DatabaseUnreachable
        * LogInUse
        * LogMissing
        * LostTail
        * NodeNameTaken
        * NodesDiffer
        * NotOurDatabase
        * SqliteOnly
        * WrongSchema
    * CopyDiffers
    * DamagedDatabase
    * DamagedSideFile
    * DamagedSnapshot
    * DatabaseUnusable
    * DirectoryTaken
    * DuplicateVersion
    * FileMoved
    * FoldFailed
    * GameFaulty
    * InvalidArgument
    * InvalidPacket
    * KeyConflict
    * LeaseLost
    * LogDiverged
    * MessageRefused
    * NoAnswer
    * NoResponse
    * NoSuchDelivery
    * NoSuchMatch
    * NoToken
    * NotAMatch
        * RulesMissing
    * NotARecording
    * NotProved
    * NotSkipped
    * NothingThen
    * Refused
    * RequestFailed
        * NoResponders
        * RequestTimeout
    * ResponseTooLong
    * RulesFailed
        * MoveFailed
    * ServiceNotReached
    * TooLong
    * UnknownEvent
    * UnknownPart
    * UnknownRequest
    * UnreadableBaseline
    * UnreadableEvent
    * VaultError
        * VaultForbidden
    * VerificationFailed
    * VersionConflict
    * WriterDied
"""

import difflib
import inspect
from collections.abc import Iterable
from typing import ClassVar

_NAME_LENGTH_MAX = 64
"""Longer names are cut in messages, and never match a known name."""


class ServiceError(Exception):
    """The service failed."""

    def __init__(self, message: str | None = None) -> None:
        """Use `message`, by default the docstring of the class."""
        super().__init__(message or inspect.cleandoc(type(self).__doc__ or ""))

    @property
    def message(self) -> str:
        """The text for humans; programs use codes."""
        return str(self.args[0])


class ConfigurationError(ServiceError):
    """The service can't start with these settings and data."""

    error_code: ClassVar[str] = "START_REFUSED"
    """The `error_code` of the log line of a refused start."""

    exit_code: ClassVar[int] = 2
    """Of the process: 1 where another try may help, which supervisors make."""


class ClientError(ServiceError):
    """The request can't be carried out, and nothing has changed.

    `code` is for programs; the message is for humans and may change.
    """

    code: ClassVar[str]

    def __init__(
        self,
        message: str | None = None,
        *,
        retry_after_ms: int | None = None,
        field: str | None = None,
    ) -> None:
        """Take the message; if known, when a retry may succeed, and which field is wrong."""
        super().__init__(message)
        self.retry_after_ms = retry_after_ms
        self.field = field


class InternalError(ClientError):
    """The service failed to carry this out, and nothing has changed; its log has the reason."""

    code = "INTERNAL_ERROR"


class Unavailable(ClientError):
    """The event log can't be written now, so nothing has changed; try again later."""

    code = "UNAVAILABLE"


class UnknownField(ClientError):
    """There is no such field or option; the message names it and the most similar known one."""

    code = "UNKNOWN_FIELD"

    def __init__(self, where: str, name: str, known: Iterable[str]) -> None:
        """Take the unknown `name`, what it was given in, and the names that are known there."""
        hint = nearest(name, known)
        meant = "" if hint is None else f"; did you mean `{hint}`?"
        shown = name[:_NAME_LENGTH_MAX]
        super().__init__(f"{where} has no `{shown}`{meant or '.'}", field=shown)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to `name`, or None if none is similar."""
    if len(name) > _NAME_LENGTH_MAX:
        return None
    by_lower = {one.lower(): one for one in known}
    found = difflib.get_close_matches(name.lower(), by_lower, 1)
    return by_lower[found[0]] if found else None
