"""Checks of a game's options: typed, with defaults, ranges and descriptions that hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

from service.games.testing.playing import Start, Subject, Table, ask, fail, set_up

STEPS = 20
"""How many ticks are played with each value of an option."""

BELOW, ABOVE = -1, 1


def check_options(subject: Subject) -> None:
    """All options have a default and a range; all values in it can be played with."""
    game = subject.game
    kind = game.options_type
    if not kind.__struct_config__.frozen:
        fail(f"{kind.__name__} must be frozen: class {kind.__name__}(msgspec.Struct, frozen=True)")
    for field in msgspec.structs.fields(kind):
        if field.required:
            fail(f"The option {field.name} needs a default, as in `{field.name}: int = 3`")
        _check_described(kind, field.name)
    ask(f"{kind.__name__}()", kind)
    for players in game.seats:
        set_up(game, Start(1, players))
    for name, value in _valid(kind):
        _check_valid(subject, name, value)
    for name, value in _invalid(kind):
        _check_refused(kind, name, value)


def _check_described(kind: type[msgspec.Struct], name: str) -> None:
    schema = msgspec.json.schema(kind)
    described = schema["$defs"][kind.__name__]["properties"]
    (field,) = (one for one in msgspec.structs.fields(kind) if one.name == name)
    own = described[field.encode_name]
    if not own.get("description"):
        fail(
            f"The option {name} has no description, which people read beside its field: "
            'Annotated[..., msgspec.Meta(description="...")]'
        )
    for number in (own, *own.get("anyOf", ())):
        if number.get("type") in {"integer", "number"} and not _is_bounded(number):
            fail(
                f"The option {name} has no range: Annotated[int, msgspec.Meta(ge=1, le=10, ...)]. "
                "Without one, a client may begin a match that never ends."
            )


def _is_bounded(schema: dict[str, Any]) -> bool:
    return bool(
        {"minimum", "exclusiveMinimum"} & schema.keys()
        and {"maximum", "exclusiveMaximum"} & schema.keys()
    )


def _check_valid(subject: Subject, name: str, value: Any) -> None:
    kind = subject.game.options_type
    options = _with(kind, name, value)
    for players in {min(subject.game.seats), max(subject.game.seats)}:
        try:
            table = Table(subject.game, Start(1, players, options), subject.pick)
            table.finish(STEPS)
        except AssertionError as error:
            fail(f"With the option {name} = {value!r}, which its range allows: {error}", error)


def _with(kind: type[msgspec.Struct], name: str, value: Any) -> msgspec.Struct:
    (field,) = (one for one in msgspec.structs.fields(kind) if one.name == name)
    return ask(
        f"reading {{{field.encode_name!r}: {value!r}}} as {kind.__name__}",
        lambda: msgspec.convert({field.encode_name: value}, kind),
    )


def _check_refused(kind: type[msgspec.Struct], name: str, value: Any) -> None:
    (field,) = (one for one in msgspec.structs.fields(kind) if one.name == name)
    try:
        msgspec.convert({field.encode_name: value}, kind)
    except msgspec.ValidationError:
        return
    fail(f"The option {name} takes {value!r}, which is out of its range")


def _valid(kind: type[msgspec.Struct]) -> Iterator[tuple[str, Any]]:
    """Yield each option with values that it must take: the ends of its range, and each choice."""
    for field in inspect.type_info(kind).fields:  # type: ignore[attr-defined]  # it is a struct
        for one in _alternatives(field.type):
            yield from ((field.name, value) for value in _ends(one, outside=0))
            if isinstance(one, inspect.LiteralType):
                yield from ((field.name, value) for value in one.values)
            elif isinstance(one, inspect.EnumType):
                yield from ((field.name, member.value) for member in one.cls)
            elif isinstance(one, inspect.BoolType):
                yield from ((field.name, value) for value in (False, True))


def _invalid(kind: type[msgspec.Struct]) -> Iterator[tuple[str, Any]]:
    """Yield each option with values that it must not take."""
    for field in inspect.type_info(kind).fields:  # type: ignore[attr-defined]  # it is a struct
        alternatives = _alternatives(field.type)
        if len(alternatives) == 1:
            yield from ((field.name, value) for value in _ends(alternatives[0], outside=1))
        yield field.name, {"no": "option"}


def _alternatives(kind: inspect.Type) -> list[inspect.Type]:
    if isinstance(kind, inspect.Metadata):
        return _alternatives(kind.type)
    if isinstance(kind, inspect.UnionType):
        return [one for part in kind.types for one in _alternatives(part)]
    return [kind]


def _ends(kind: inspect.Type, outside: int) -> Iterator[float]:
    """Yield the ends of a number's range, or what is just outside of it."""
    if not isinstance(kind, inspect.IntType | inspect.FloatType):
        return
    # The smallest step of a float is not representable everywhere: a thousandth is near enough.
    step = 1 if isinstance(kind, inspect.IntType) else 0.001
    for end, way, is_in in (
        (kind.ge, BELOW, True),
        (kind.gt, BELOW, False),
        (kind.le, ABOVE, True),
        (kind.lt, ABOVE, False),
    ):
        if end is None:
            continue
        inside = end if is_in else end - way * step
        yield inside + way * step if outside else inside
