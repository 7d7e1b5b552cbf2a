"""Upcasters: convert the data of events with an older schema version on read.

Each takes the JSON of an event at one schema version and returns that of the next; `codec` applies
them in turn until the current version is reached.
"""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

Upcast: TypeAlias = Callable[[bytes], bytes]


def _room_created_2(data: bytes) -> bytes:
    """Add `named`: false, since clients could not choose room ids in version 1."""
    return data[:-1] + b',"named":false}'


def _room_created_3(data: bytes) -> bytes:
    """Add `owner`: no incarnation of the only node, so that its next one becomes the owner."""
    return data[:-1] + b',"owner":{"node":"n1","incarnation":0}}'


def _node_started_2(data: bytes) -> bytes:
    """Add what version 1 did not say; there was one node, which was alone when it started."""
    return data[:-1] + b',"level":0,"rules":[],"code":"","alone":true}'


class _Keys(msgspec.Struct):
    kind: str = ""
    up: bool = False
    down: bool = False


class _MatchInput1(msgspec.Struct):
    socket: str | None
    input: _Keys


def _match_input_2(data: bytes) -> bytes:
    """Add `held`: in version 1 the last socket was taken to hold all pressed keys of Pong."""
    before = msgspec.json.decode(data, type=_MatchInput1)
    keys = [name for name in ("up", "down") if getattr(before.input, name)]
    is_held = before.socket is not None and before.input.kind == "keys_held" and keys
    held = {before.socket: keys} if is_held else {}
    return data[:-1] + b',"held":' + msgspec.json.encode(held) + b"}"


def _match_input_3(data: bytes) -> bytes:
    """Return it unchanged: in version 2 no time was measured and nothing hidden: the defaults."""
    return data


def _match_started_2(data: bytes) -> bytes:
    """Return it unchanged: version 1 had no clocks but `turn_s`, and no secrets."""
    return data


def _match_outcome_2(data: bytes) -> bytes:
    """Return it unchanged: nothing was hidden in version 1."""
    return data


def _match_ended_2(data: bytes) -> bytes:
    """Return it unchanged: version 2 only adds the reason `void`."""
    return data


def _match_ended_3(data: bytes) -> bytes:
    """Return it unchanged: there were no bots."""
    return data


def _match_paused_2(data: bytes) -> bytes:
    """Add empty times, which were not measured in version 1."""
    return data[:-1] + b',"turn_left_ms":null,"spent_ms":[]}'


def _match_resumed_2(data: bytes) -> bytes:
    """Add empty times, which were not measured in version 1."""
    return data[:-1] + b',"spent_ms":[]}'


UPCASTS: dict[tuple[str, int], Upcast] = {
    ("room.created", 1): _room_created_2,
    ("room.created", 2): _room_created_3,
    ("node.started", 1): _node_started_2,
    ("match.started", 1): _match_started_2,
    ("match.input", 1): _match_input_2,
    ("match.input", 2): _match_input_3,
    ("match.outcome", 1): _match_outcome_2,
    ("match.ended", 1): _match_ended_2,
    ("match.ended", 2): _match_ended_3,
    ("match.paused", 1): _match_paused_2,
    ("match.resumed", 1): _match_resumed_2,
}
"""(type, schema_version) -> the pure function that converts its data to the next version."""
