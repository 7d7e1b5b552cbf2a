"""Check the rules of a game before anybody plays it: what they have, and what they say.

A game that passes may still be faulty in play, which costs its match alone.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from service.errors import ServiceError
from service.games.clocks import is_clock
from service.games.options import option_names, options_schema, set_up
from service.games.protocol import Game, GameEvent, RulesFailed, TurnClock
from service.games.shield import shielded

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
PAGE = re.compile(r"[A-Za-z0-9_./-]{1,200}\.js")
"""The path of an ES module within the package, if the game brings a view."""

TITLE_LENGTH_MAX = 64
BOT_LEVELS_MAX = 9

SEATS_MAX = 64
TICK_HZ_MAX = 60
VERSION_MAX = 2**31 - 1

VIEW_BYTES_MAX = 16 * 1024
"""The greatest size of a view, which is sent up to 60 times a second."""
STATE_BYTES_MAX = 256 * 1024
"""The greatest size of a state, which is logged about once a second."""
EVENT_BYTES_MAX = 16 * 1024
"""The greatest size of an input, each of which is logged."""
IN_PLAY_BYTES_MAX = 1024 * 1024
"""The greatest size of a state or an outcome that is logged, whatever the tests of a game say."""
OPTIONS_MAX = 32

SEED = 7
"""The seed of the match that is set up to look at its first state."""

_ATTRIBUTES: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "title": (str,),
    "rules_version": (int,),
    "seats": (range,),
    "tick_hz": (int,),
    "ordered": (bool,),
    "has_clocks": (bool,),
    "has_secrets": (bool,),
    "shown_at_end": (bool,),
    "bot_levels": (int,),
}

_METHODS = tuple(
    name
    for name, member in vars(Game).items()
    if inspect.isfunction(member) and not name.startswith("_")
)


def check_size(what: str, encoded: msgspec.Raw) -> None:
    """Raise `RulesFailed` for a state or an outcome that is too large to be logged."""
    size = memoryview(encoded).nbytes
    if size > IN_PLAY_BYTES_MAX:
        raise RulesFailed(f"{what} has {size} bytes, at most {IN_PLAY_BYTES_MAX} are allowed.")


class GameFaulty(ServiceError):
    """The rules of a game can't be used; the message says what is wrong with them."""


def check_game(game: Any, room_options: Collection[str] = ()) -> None:
    """Raise `GameFaulty` with all that is wrong with a game.

    `room_options` are the names of the options of every room, which a game can't have.
    """
    faults = list(_members(game)) or list(_values(game, room_options))
    if not faults:
        faults = list(_first_states(shielded(game)))
    if faults:
        raise GameFaulty("; ".join(faults))


def _members(game: Any) -> Iterator[str]:
    """Yield which members of the protocol are missing, or are not what they must be."""
    for name, types in _ATTRIBUTES.items():
        value = getattr(game, name, None)
        if type(value) not in types:
            wanted = " or ".join(one.__name__ for one in types)
            yield f"`{name}` must be a {wanted}, not {value!r}"
    for name in ("options_type", "state_type"):
        value = getattr(game, name, None)
        if not (isinstance(value, type) and issubclass(value, msgspec.Struct)):
            yield f"`{name}` must be a msgspec.Struct"
    if not hasattr(game, "event_type"):
        yield "`event_type` is missing: the union of the game's events"
    for name in _METHODS:
        method = getattr(game, name, None)
        if not callable(method):
            yield f"the method `{name}` is missing"
        elif not _takes(method, name):
            wanted = ", ".join(_parameters(getattr(Game, name))[1:])
            yield f"`{name}` must take ({wanted})"


def _parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


def _takes(method: Any, name: str) -> bool:
    """Return whether a method can be called with the arguments of the protocol."""
    count = len(_parameters(getattr(Game, name))) - 1
    try:
        inspect.signature(method).bind(*range(count))
    except (TypeError, ValueError):
        return False
    return True


def _values(game: Game, room_options: Collection[str]) -> Iterator[str]:
    """Yield which values are out of their ranges."""
    if not NAME.fullmatch(game.name):
        yield f"`name` must be lower-case letters, digits and underscores, not {game.name!r}"
    if not game.title.strip() or len(game.title) > TITLE_LENGTH_MAX or not game.title.isprintable():
        yield f"`title` must be a name for people, of at most {TITLE_LENGTH_MAX} characters"
    page = getattr(game, "page", None)
    if page is not None and not (isinstance(page, str) and PAGE.fullmatch(page)):
        yield f"`page` must be the path of an ES module in the package, not {page!r}"
    if not 1 <= game.rules_version <= VERSION_MAX:
        yield f"`rules_version` must be from 1 on, not {game.rules_version}"
    seats = game.seats
    if not seats or seats.step != 1 or seats.start < 1 or seats.stop - 1 > SEATS_MAX:
        yield f"`seats` must be a range of 1 to {SEATS_MAX} players, not {seats!r}"
    if not 0 <= game.tick_hz <= TICK_HZ_MAX or (game.tick_hz and 60 % game.tick_hz):
        yield f"`tick_hz` must be 0 or divide {TICK_HZ_MAX}, not {game.tick_hz}"
    if game.has_clocks and (game.tick_hz or not game.ordered):
        yield "only an `ordered` game without ticks has clocks"
    if not 0 <= game.bot_levels <= BOT_LEVELS_MAX:
        yield f"`bot_levels` must be from 0 to {BOT_LEVELS_MAX}, not {game.bot_levels}"
    yield from _options(game, room_options)
    yield from _events(game)


def _options(game: Game, room_options: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with the options."""
    try:
        names = option_names(game)
        options_schema(game.options_type)
        game.options_type()
    except Exception as error:  # noqa: BLE001 - types of others may do anything
        yield f"`options_type` must have a default for each field, and a JSON Schema: {error}"
        return
    try:
        msgspec.convert(msgspec.to_builtins(game.options_type()), game.options_type)
    except Exception as error:  # noqa: BLE001 - as above
        yield f"a default of `options_type` is not what it allows: {error}"
    if len(names) > OPTIONS_MAX:
        yield f"there are more than {OPTIONS_MAX} options"
    for name in sorted(set(names) & set(room_options)):
        yield f"the option `{name}` is one of every room"


def _events(game: Game) -> Iterator[str]:
    try:
        msgspec.json.Decoder(game.event_type)
    except Exception as error:  # noqa: BLE001 - as above
        yield f"`event_type` must be a union of tagged structs: {error}"
        return
    for kind in get_args(game.event_type) or (game.event_type,):
        if not (isinstance(kind, type) and issubclass(kind, GameEvent)):
            yield f"`event_type` must be a union of GameEvents, and {kind!r} is none"


def _first_states(game: Game) -> Iterator[str]:
    """Yield what is wrong with first states and what is shown of them."""
    for players in sorted({game.seats.start, game.seats.stop - 1}):
        faults: list[str] = []
        try:
            for look in (_recorded, _shown, _moved):
                for fault in look(game, players):
                    faults.append(fault)  # noqa: PERF402 - those before an exception count
        except RulesFailed as error:
            faults.append(error.message)
        except Exception as error:  # noqa: BLE001 - rules may raise anything
            faults.append(f"they raise {error!r}")
        for fault in faults:
            yield f"with {players} players: {fault}"


def _recorded(game: Game, players: int) -> Iterator[str]:
    """Yield why a first state can't be recorded."""
    state = set_up(game, SEED, {}, players)
    if not isinstance(state, game.state_type):
        yield f"`setup` must return a {game.state_type.__name__}, not {str(state)[:60]!r}"
    encoded = msgspec.json.encode(state)
    if len(encoded) > STATE_BYTES_MAX:
        yield f"the first state has {len(encoded)} bytes, at most {STATE_BYTES_MAX} are allowed"
    if msgspec.json.encode(msgspec.json.decode(encoded, type=game.state_type)) != encoded:
        yield "the first state is another one after a round trip through JSON"
    if msgspec.json.encode(set_up(game, SEED, {}, players)) != encoded:
        yield "the same seed gives another first state: all chance comes from the seed of `setup`"


def _shown(game: Game, players: int) -> Iterator[str]:
    """Yield what is wrong with what the rules say of a first state."""
    state = set_up(game, SEED, {}, players)
    before = msgspec.json.encode(state)
    if game.result(state) is not None:
        yield "the match is over before it begins"
    if len(game.scores(state)) != players:
        yield "`scores` must have one for each player"
    clock: Any = game.clock(state, game.options_type())
    if not isinstance(clock, TurnClock | None) or (clock and not is_clock(clock, players)):
        yield f"`clock` must return a TurnClock or None, and one that can be, not {clock!r}"
    game.remaining_ticks(state)
    for viewer in (None, *range(players)):
        view: Any = game.view(state, viewer)
        if not isinstance(view, msgspec.Struct):
            yield f"`view` must return a msgspec.Struct, not {str(view)[:60]!r}"
            break
        size = len(msgspec.json.encode(view))
        if size > VIEW_BYTES_MAX:
            yield f"a view has {size} bytes, at most {VIEW_BYTES_MAX} are allowed"
            break
    for seat in range(players):
        list(game.legal_moves(state, seat))
    if msgspec.json.encode(state) != before:
        yield "looking at a state changes it"


def _moved(game: Game, players: int) -> Iterator[str]:
    """Yield what is wrong with the first legal move of each seat, if the game lists them."""
    for seat in range(players):
        state = set_up(game, SEED, {}, players)
        for move in list(game.legal_moves(state, seat))[:1]:
            before = msgspec.json.encode(state)
            events = game.decide(state, seat, move)
            if msgspec.json.encode(state) != before:
                yield "`decide` changes the state, which is up to `apply`"
            for event in events:
                encoded = msgspec.json.encode(event)
                if len(encoded) > EVENT_BYTES_MAX:
                    size = len(encoded)
                    yield f"an input has {size} bytes, at most {EVENT_BYTES_MAX} are allowed"
                if msgspec.json.decode(encoded, type=game.event_type) != event:
                    yield f"the input {event!r} is another one after a round trip through JSON"
                game.apply(state, event)
