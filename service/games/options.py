"""The options of a game: check those that a client chooses, and read those of a recorded match.

The two differ. What a client chooses must fit the game's `options_type` exactly. A recorded match
was begun with its options, whatever later versions of this service think of them, so reading
them never fails.
"""

from __future__ import annotations

import contextlib
import math
from functools import cache
from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec

from service.errors import ClientError, UnknownField
from service.games.protocol import InvalidOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from service.games.protocol import Game, State

OPTIONS_DEPTH_MAX = 8
"""How many lists and objects may lie in each other in an option's value."""


@cache
def _names(options_type: type[msgspec.Struct]) -> tuple[str, ...]:
    return tuple(field.encode_name for field in msgspec.structs.fields(options_type))


def option_names(game: Game) -> tuple[str, ...]:
    """Return the names of the options that are the game's own, as on the wire."""
    return _names(game.options_type)


def check_options(game: Game, chosen: Mapping[str, Any], others: Iterable[str] = ()) -> Any:
    """Return the game's options with the chosen values; those of `others` are not the game's.

    Raises `UnknownField` or `InvalidOptions`, which name the option and what it may be.
    """
    own = option_names(game)
    names = (*others, *own)
    for name in chosen:
        if name not in names:
            raise UnknownField(f"options of {game.name}", name, names)
    values = {name: chosen[name] for name in own if name in chosen}
    for name, value in values.items():
        _check(game, name, value)
    try:
        return msgspec.convert(values, game.options_type)
    except msgspec.ValidationError as error:
        raise InvalidOptions(f"These options of {game.name} cannot be together: {error}.") from None


def _check(game: Game, name: str, value: object) -> None:
    try:
        if _is_recordable(value):
            msgspec.convert({name: value}, _alone(game.options_type, name))
            return
    except (msgspec.ValidationError, RecursionError, OverflowError):
        pass
    raise wrong_option(name, *_wanted(game.options_type, name))


def fits(game: Game, options: Mapping[str, Any]) -> bool:
    """Return whether those of `options` that are the game's own may be chosen."""
    try:
        check_options(game, {name: options[name] for name in options if name in option_names(game)})
    except ClientError:
        return False
    return True


def wrong_option(name: str, wanted: str, default: object = msgspec.UNSET) -> InvalidOptions:
    """Return the error for an option that is not what it must be."""
    told = default is not msgspec.UNSET and default is not None
    advice = f"; leave it out for {_text(default)}." if told else "."
    return InvalidOptions(f"The option `{name}` must be {wanted}{advice}", field=name)


def _is_recordable(value: object, depth: int = OPTIONS_DEPTH_MAX) -> bool:
    """Return whether a value is the same after a round trip through JSON."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list | dict):
        inner = value.values() if isinstance(value, dict) else value
        return depth > 0 and all(_is_recordable(one, depth - 1) for one in inner)
    return True


@cache
def _alone(options_type: type[msgspec.Struct], name: str) -> type[msgspec.Struct]:
    """Return a struct of just one option: whether it is valid does not depend on the others."""
    field = next(one for one in msgspec.structs.fields(options_type) if one.encode_name == name)
    return msgspec.defstruct(
        "Option", [(field.name, field.type)], rename={field.name: name}, frozen=True
    )


@cache
def options_schema(options_type: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the JSON Schema of the options, an object whose definitions are inside."""
    (schema,), definitions = msgspec.json.schema_components(
        [options_type], ref_template="#/$defs/{name}"
    )
    own = dict(definitions.pop(schema["$ref"].rpartition("/")[2]))
    return {**own, "additionalProperties": False, **({"$defs": definitions} if definitions else {})}


def options_in_words(options_type: type[msgspec.Struct]) -> dict[str, str]:
    """Return for each option what it may be and its default, for people."""
    found = {}
    for name in _names(options_type):
        wanted, default = _wanted(options_type, name)
        told = default is not msgspec.UNSET
        found[name] = f"{wanted}; by default {_text(default)}" if told else wanted
    return found


def _wanted(options_type: type[msgspec.Struct], name: str) -> tuple[str, object]:
    """Return what an option must be, in words, and its default."""
    schema = options_schema(options_type)
    field = schema["properties"][name]
    return _in_words(field, schema.get("$defs", {})), field.get("default", msgspec.UNSET)


_KINDS = {
    "integer": "an integer",
    "number": "a number",
    "string": "a text",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def _in_words(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return _in_words(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "enum" in schema:
        return "one of: " + ", ".join(_text(one) for one in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_in_words(one, definitions) for one in schema["anyOf"])
    kind = _KINDS.get(schema.get("type", ""), "another value")
    return " ".join([kind, *_bounds(schema)])


def _bounds(schema: Mapping[str, Any]) -> list[str]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return [f"from {_text(low)} to {_text(high)}"]
    words = [
        f"{word} {_text(schema[key])}"
        for key, word in (
            ("minimum", "of at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
            ("minLength", "of at least this many characters:"),
            ("maxLength", "of at most this many characters:"),
            ("minItems", "of at least this many items:"),
            ("maxItems", "of at most this many items:"),
            ("pattern", "that matches"),
            ("multipleOf", "that is a multiple of"),
        )
        if key in schema
    ]
    return [" and ".join(words)] if words else []


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) and value else msgspec.json.encode(value).decode()


def read_options(game: Game, recorded: Mapping[str, Any]) -> Any:
    """Return the game's options of a recorded room or match; this never fails.

    A value out of its present range is taken as recorded, and a value of another type as if it
    had not been chosen.
    """
    try:
        own = {name: recorded[name] for name in option_names(game) if name in recorded}
        return msgspec.convert(own, game.options_type)
    except (msgspec.ValidationError, RecursionError, OverflowError):
        return _read_one_by_one(game.options_type, recorded)


def _read_one_by_one(options_type: type[msgspec.Struct], recorded: Mapping[str, Any]) -> Any:
    values = {}
    # Without `msgspec.Meta`, that is without ranges.
    kinds = get_type_hints(options_type)
    for field in msgspec.structs.fields(options_type):
        if field.encode_name in recorded:
            value = recorded[field.encode_name]
            with contextlib.suppress(msgspec.ValidationError, RecursionError, OverflowError):
                values[field.name] = msgspec.convert(value, kinds[field.name])
    try:
        return options_type(**values)
    except Exception:  # noqa: BLE001 - what the type checks of options together may raise anything
        return options_type()


def set_up(game: Game, seed: int, recorded: Mapping[str, Any], players: int) -> State:
    """Return the state before the first tick of a recorded match; raise what the rules raise."""
    return game.setup(seed, read_options(game, recorded), players)
