"""The JSON Schema of what clients of each built-in game send and get, and of the error codes.

`tools/message_types.js` makes the TypeScript types `Games` and `ErrorCode` of it.
"""

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_type_hints

import msgspec

from service.games.catalogue import GAMES
from service.games.protocol import Game
from tools.reference import errors
from tools.schemas import Schema, readable, require_all, structs_in

_TEMPLATE = "#/$defs/{name}"


class PongMove(msgspec.Struct, frozen=True):
    """Presses or releases a key; either pair of keys is good for either seat."""

    direction: Literal["w", "s", "ArrowUp", "ArrowDown"]
    action: Literal["down", "up"]


class ConnectFourMove(msgspec.Struct, frozen=True):
    """Drops a disc."""

    column: Literal[0, 1, 2, 3, 4, 5, 6]


MOVES = {"pong": PongMove, "connect_four": ConnectFourMove, "relay": dict[str, Any]}
"""The moves that the built-in games take; their rules decide, these are for types alone."""


def games_schema() -> Schema:
    """Return one JSON Schema with the options, moves, states and inputs of each built-in game."""
    types = {name: dict(_types_of(game)) for name, game in sorted(GAMES.items())}
    all_types = [type_ for parts in types.values() for type_ in parts.values()]
    schemas, definitions = msgspec.json.schema_components(all_types, ref_template=_TEMPLATE)
    named = {name: readable(schema) for name, schema in definitions.items()}
    for parts in types.values():
        for part in ("state", "input"):
            for struct in structs_in(parts[part]):
                require_all(struct, named[struct.__name__])
    numbered = iter(schemas)
    games = {
        name: _object({part: next(numbered) for part in parts}) for name, parts in types.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Games",
        "description": "What each game takes and shows, by its name.",
        **_object({name: readable(game) for name, game in games.items()}),
        "$defs": {**dict(sorted(named.items())), "ErrorCode": _error_codes()},
    }


def _types_of(game: Game) -> Iterator[tuple[str, Any]]:
    yield "options", game.options_type
    yield "move", MOVES[game.name]
    yield "state", get_type_hints(game.view)["return"]
    yield "input", _inputs(game.event_type)


def _inputs(event_type: Any) -> Any:
    """Return the events that follow from moves; those of a step say that they are outcomes."""
    union: Any = None
    for event in get_args(event_type) or (event_type,):
        if not event.__doc__.startswith("An outcome"):
            union = event if union is None else union | event
    return union


def _object(properties: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _error_codes() -> Schema:
    codes = sorted({error.code for error in errors()})
    return {"title": "ErrorCode", "description": "The codes of errors.", "enum": codes}
