"""Requests by which a node has a command carried out by another one, and their answers.

Two releases of the service may run side by side. A command travels by its name, with those fields
that differ from their defaults; whoever does not know all of them refuses it. Later versions may
append fields to `Request` and `Answer`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard, get_args

import msgspec

from service.domain.commands.bots import AcceptBot, AddBot
from service.domain.commands.hosting import JoinRoom, KickFromRoom, LockRoom
from service.domain.commands.matchmaking import JoinQueue, LeaveQueue
from service.domain.commands.moves import Move
from service.domain.commands.operators import CloseRoom, EndMatch, KickMember
from service.domain.commands.seats import BeginMatch, LeaveRoom, SetReady, TakeSeat
from service.domain.events.base import Position
from service.domain.ids import RoomId, UserId
from service.errors import ClientError, ServiceError

if TYPE_CHECKING:
    from service.domain.commands.base import Command

Queued: TypeAlias = JoinQueue | LeaveQueue | AcceptBot
"""The commands about a queue."""

Routed: TypeAlias = (
    JoinRoom
    | TakeSeat
    | LeaveRoom
    | BeginMatch
    | SetReady
    | Move
    | KickFromRoom
    | LockRoom
    | KickMember
    | CloseRoom
    | EndMatch
    | AddBot
    | Queued
)
"""The commands about a room, which its owner carries out; and those about a queue, which its home
carries out, so that they rarely conflict. They carry no personal data, and passwords as hashes."""

_KINDS: frozenset[type[Any]] = frozenset(get_args(Routed))
_BY_NAME = {kind.__name__: kind for kind in _KINDS}
_DEFAULTS = {
    kind: {field.name: field.default for field in msgspec.structs.fields(kind)} for kind in _KINDS
}
"""The fields of each of them with their defaults."""


class UnknownRequest(ServiceError):
    """Another version of the service has sent a command that this one does not know."""


class Request(msgspec.Struct, frozen=True, array_like=True):
    """A command to be carried out by another node."""

    command: str
    """The name of the command."""
    fields: msgspec.Raw
    """The fields of the command, by name."""
    seen: Position
    """The position that the asking node has folded: it decided on that to ask."""
    lane: str
    """The connection that the command came by, on which one command follows the other."""
    number: int
    """Grows with each request of a lane: one that comes after a later one is void."""
    correlation_id: str
    actor: UserId | None
    id: str | None
    """The idempotency key."""
    digest: bytes | None


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What has become of a request."""

    kind: str
    """`done`; `refused`: nothing has changed; `again`: it is not carried out here, or not yet."""
    position: Position = 0
    """What the asking node has to fold: the command's events, or what the answer depends on."""
    room: RoomId | None = None
    has_changed: bool = False
    """Whether the command has made events now."""
    code: str = ""
    message: str = ""
    retry_after_ms: int | None = None
    field: str | None = None


def is_routed(command: Command) -> TypeGuard[Routed]:
    """Return whether a command may be carried out by another node than the one that it comes to."""
    return type(command) in _KINDS


def fields_of(command: Routed) -> msgspec.Raw:
    """Encode the fields of a command, without those that have their default."""
    values = {
        name: value
        for name, default in _DEFAULTS[type(command)].items()
        if (value := getattr(command, name)) != default
    }
    return msgspec.Raw(msgspec.msgpack.encode(values))


def command_in(request: Request) -> Routed:
    """Decode the command of a request; raise `UnknownRequest`."""
    kind = _BY_NAME.get(request.command)
    if kind is None:
        raise UnknownRequest(f"There is no command {request.command[:40]!r} that may travel.")
    try:
        named = msgspec.msgpack.decode(request.fields, type=dict[str, msgspec.Raw])
        command: Routed = msgspec.msgpack.decode(request.fields, type=kind)
    except msgspec.DecodeError as error:
        raise UnknownRequest(f"A {request.command} can't be read: {error}.") from error
    if not named.keys() <= _DEFAULTS[kind].keys():
        raise UnknownRequest(f"A {request.command} has fields that are not known here.")
    return command


def refusal_of(error: ClientError, position: Position) -> Answer:
    """Return the answer to a request that was refused on the world at `position`."""
    return Answer(
        "refused",
        position,
        code=error.code,
        message=error.message,
        retry_after_ms=error.retry_after_ms,
        field=error.field,
    )


def error_in(answer: Answer) -> ClientError:
    """Return the error of a refusal."""
    kind = _error_types().get(answer.code) or _unknown_code(answer.code)
    error = kind.__new__(kind)
    # Some have constructors of their own, which make the message.
    ClientError.__init__(
        error, answer.message, retry_after_ms=answer.retry_after_ms, field=answer.field
    )
    return error


@cache
def _error_types() -> dict[str, type[ClientError]]:
    """Return the errors by their codes."""
    found: dict[str, type[ClientError]] = {}
    waiting = [ClientError]
    while waiting:
        kind = waiting.pop(0)
        waiting += kind.__subclasses__()
        if "code" in vars(kind):
            found.setdefault(kind.code, kind)
    return found


@cache
def _unknown_code(code: str) -> type[ClientError]:
    """Return a type for the errors of another version of the service."""
    return type("OtherError", (ClientError,), {"code": code, "__doc__": "Refused."})
