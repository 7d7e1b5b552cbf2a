"""Upcasters: lift the data of older event versions to the next version when it is read.

Each takes the JSON of an event at one schema version and returns that of the next; `codec` applies
them in turn until the present version is reached.
"""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

Upcast: TypeAlias = Callable[[bytes], bytes]


def _room_created_2(data: bytes) -> bytes:
    """Say of a room that its id was not chosen: nobody could use an id twice then."""
    return data[:-1] + b',"named":false}'


class _Keys(msgspec.Struct):
    kind: str = ""
    up: bool = False
    down: bool = False


class _MatchInput1(msgspec.Struct):
    socket: str | None
    input: _Keys


def _match_input_2(data: bytes) -> bytes:
    """Say of the keys of Pong that the tab which was used last holds them all, as was assumed."""
    before = msgspec.json.decode(data, type=_MatchInput1)
    keys = [name for name in ("up", "down") if getattr(before.input, name)]
    is_held = before.socket is not None and before.input.kind == "keys_held" and keys
    held = {before.socket: keys} if is_held else {}
    return data[:-1] + b',"held":' + msgspec.json.encode(held) + b"}"


def _match_ended_2(data: bytes) -> bytes:
    """Leave it as it is: only a later version knows of void matches."""
    return data


def _match_paused_2(data: bytes) -> bytes:
    """Say nothing of times: nobody measured them."""
    return data[:-1] + b',"turn_left_ms":null,"spent_ms":[]}'


def _match_resumed_2(data: bytes) -> bytes:
    """Say nothing of times: nobody measured them."""
    return data[:-1] + b',"spent_ms":[]}'


UPCASTS: dict[tuple[str, int], Upcast] = {
    ("room.created", 1): _room_created_2,
    ("match.input", 1): _match_input_2,
    ("match.ended", 1): _match_ended_2,
    ("match.paused", 1): _match_paused_2,
    ("match.resumed", 1): _match_resumed_2,
}
"""(type, schema_version) -> the pure function that lifts its data to the next version."""
