"""Games of packages: those that can be used are offered, all others are named."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Annotated, Any

import msgspec
import pytest

from service.domain.commands.room_options import ROOM_OPTIONS
from service.games.catalogue import GAMES
from service.games.checking import GameFaulty, check_game
from service.games.installed import GROUP, Installed, installed_games
from service.games.protocol import (
    GameEvent,
    InvalidMove,
    NoTurnClock,
    OnlyInputs,
    OpenToAll,
    Result,
    SimpleBots,
    TurnClock,
)


class Added(GameEvent, frozen=True, tag="added"):
    """An input."""

    seat: int


class Options(msgspec.Struct, frozen=True):
    """The options of counting."""

    target: int = 3


class Clashing(msgspec.Struct, frozen=True):
    """Options of which one is of every room."""

    seats: int = 3


class Needed(msgspec.Struct, frozen=True):
    """Options without a default."""

    target: int


class Strict(msgspec.Struct, frozen=True):
    """Options whose default is out of its range."""

    target: Annotated[int, msgspec.Meta(ge=5)] = 3


class Plain(msgspec.Struct, frozen=True):
    """An event without a tag."""

    seat: int


class Odd(GameEvent, frozen=True, tag="odd"):
    """An event that JSON changes."""

    seats: Any


class Long(GameEvent, frozen=True, tag="long"):
    """An event of any size."""

    text: str


class Count(msgspec.Struct):
    """The state of counting."""

    target: int
    players: int
    total: int = 0


class Counting(OpenToAll, NoTurnClock, OnlyInputs, SimpleBots):
    """A game that passes."""

    name: Any = "counting"
    title: Any = "Counting"
    rules_version: Any = 1
    seats: Any = range(2, 4)
    options_type: Any = Options
    ordered: Any = True
    state_type: Any = Count
    event_type: Any = Added

    def setup(self, _seed: int, options: Any, players: int) -> Any:
        return Count(options.target, players)

    def decide(self, _state: Count, seat: int, move: Any) -> list[GameEvent]:
        if move:
            raise InvalidMove
        return [Added(seat)]

    def apply(self, state: Count, _event: GameEvent) -> None:
        state.total += 1

    def result(self, state: Count) -> Result | None:
        return Result(0) if state.total >= state.target else None

    def scores(self, state: Count) -> list[int]:
        return [0] * state.players

    def view(self, state: Count, _viewer: int | None) -> Any:
        return state


class Version2(Counting):
    """A later version."""

    rules_version = 2


def entry(monkeypatch: pytest.MonkeyPatch, value: object, name: str = "counting") -> EntryPoint:
    """Return an entry point to a value."""
    module = ModuleType(f"package_of_{name}")
    module.VALUE = value  # type: ignore[attr-defined]  # a module of the test
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return EntryPoint(name, f"{module.__name__}:VALUE", GROUP)


def installed(*entries: EntryPoint, allowed: Sequence[str] = ()) -> Installed:
    return installed_games(allowed, room_options=ROOM_OPTIONS, entry_points=entries)


def test_without_packages_there_are_the_built_in_games() -> None:
    found = installed()
    assert list(found.games) == list(GAMES)
    assert found.games.every_rules() == GAMES.every_rules()
    assert found.faults == []


def test_the_games_of_a_package_come_after_the_built_in_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = installed(entry(monkeypatch, [Version2(), Counting()]))
    assert found.faults == []
    assert list(found.games) == [*GAMES, "counting"]
    assert found.games["counting"].rules_version == 2
    assert found.games.versions("counting") == [1, 2]
    assert found.games.package_of("counting") == "package_of_counting"
    assert found.games.package_of("pong") == "ws-service"


def test_an_entry_point_may_be_one_game(monkeypatch: pytest.MonkeyPatch) -> None:
    assert installed(entry(monkeypatch, Counting())).games["counting"].title == "Counting"


def test_allowed_games_are_offered_in_their_order_and_others_serve_their_matches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = installed(entry(monkeypatch, Counting()), allowed=["counting", "chess", "pong"])
    assert list(found.games) == ["counting", "pong"]
    assert found.games.rules("relay", 1) is not None
    (fault,) = found.faults
    assert (fault.package, fault.name) == ("WS_GAMES", "chess")


def test_a_name_belongs_to_the_first_package_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = entry(monkeypatch, Counting(), "a")
    theirs = entry(monkeypatch, Version2(), "b")
    found = installed(theirs, ours)
    assert found.games.package_of("counting") == "package_of_a"
    assert found.games.versions("counting") == [1]
    assert [(one.package, "package_of_a" in one.reason) for one in found.faults] == [
        ("package_of_b", True)
    ]


class Leaving:
    """Ends the process when it is looked at."""

    def __iter__(self) -> Any:
        raise SystemExit


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (1, "not iterable"),
        ([], "has no game"),
        ([None], "`name` must be"),
        (Leaving(), "SystemExit"),
        ([Counting(), Counting()], "there twice"),
    ],
)
def test_an_entry_point_that_is_no_game_is_named(
    monkeypatch: pytest.MonkeyPatch, value: object, reason: str
) -> None:
    found = installed(entry(monkeypatch, value))
    assert reason in found.faults[0].reason
    assert list(found.games)[: len(GAMES)] == list(GAMES)


def test_a_module_that_cannot_be_imported_is_named() -> None:
    found = installed(EntryPoint("x", "no_such_module:GAME", GROUP))
    (fault,) = found.faults
    assert (fault.package, fault.name) == ("no_such_module", "x")
    assert "no_such_module" in fault.reason


def broken(change: Callable[[Any], None]) -> Any:
    class Broken(Counting):
        """Counting with a fault."""

    change(Broken)
    return Broken()


def raising(*_: object) -> None:
    raise ZeroDivisionError


def leaving(*_: object) -> None:
    raise SystemExit(3)


def drifting(_self: object, _seed: int, _options: object, players: int) -> Count:
    return Count(1000 + next(numbers), players)


numbers = itertools.count()


def with_move(kind: Any, type_: Any, event: GameEvent) -> None:
    kind.event_type = type_
    kind.legal_moves = lambda *_: [{}]
    kind.decide = lambda *_: [event]


def with_set(kind: Any) -> None:
    class Odd(msgspec.Struct):
        """A state that JSON changes."""

        seen: Any = ()

    kind.state_type = Odd
    kind.setup = lambda *_: Odd({"b", "a"})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda kind: setattr(kind, "name", "Counting!"), "`name`"),
        (lambda kind: setattr(kind, "name", "pong\n"), "`name`"),
        (lambda kind: setattr(kind, "title", " "), "`title`"),
        (lambda kind: setattr(kind, "title", "x" * 65), "`title`"),
        (lambda kind: setattr(kind, "title", "Two\nlines"), "`title`"),
        (lambda kind: setattr(kind, "page", 5), "`page`"),
        (lambda kind: setattr(kind, "page", ""), "`page`"),
        (lambda kind: setattr(kind, "page", "view.js\0"), "`page`"),
        (lambda kind: setattr(kind, "page", "view.py"), "`page`"),
        (lambda kind: setattr(kind, "bot_levels", 10), "`bot_levels`"),
        (lambda kind: setattr(kind, "setup", leaving), "SystemExit"),
        (lambda kind: setattr(kind, "rules_version", 0), "`rules_version`"),
        (lambda kind: setattr(kind, "rules_version", True), "`rules_version`"),
        (lambda kind: setattr(kind, "seats", (2, 3)), "`seats`"),
        (lambda kind: setattr(kind, "seats", range(3, 2)), "`seats`"),
        (lambda kind: setattr(kind, "seats", range(2)), "`seats`"),
        (lambda kind: setattr(kind, "seats", range(1, 1000)), "`seats`"),
        (lambda kind: setattr(kind, "tick_hz", 61), "`tick_hz`"),
        (lambda kind: setattr(kind, "tick_hz", 7), "`tick_hz`"),
        (lambda kind: setattr(kind, "has_clocks", 1), "`has_clocks`"),
        (lambda kind: setattr(kind, "options_type", dict), "`options_type`"),
        (lambda kind: setattr(kind, "options_type", Clashing), "`seats` is one of every room"),
        (lambda kind: setattr(kind, "options_type", Needed), "default"),
        (lambda kind: setattr(kind, "event_type", Added | Options), "`event_type`"),
        (lambda kind: setattr(kind, "event_type", Plain), "GameEvents"),
        (lambda kind: setattr(kind, "event_type", dict), "GameEvents"),
        (lambda kind: setattr(kind, "options_type", Strict), "a default of `options_type`"),
        (lambda kind: with_move(kind, Odd, Odd({1})), "round trip"),
        (lambda kind: with_move(kind, Long, Long("x" * 20_000)), "an input has"),
        (lambda kind: with_move(kind, Long, Added(0)), "they raise ValidationError"),
        (lambda kind: setattr(kind, "legal_moves", lambda *_: [{"a": 1}]), "InvalidMove"),
        (lambda kind: setattr(kind, "scores", None), "`scores`"),
        (lambda kind: setattr(kind, "scores", lambda _self: []), "`scores` must take (state)"),
        (lambda kind: setattr(kind, "scores", lambda *_: [1]), "one for each player"),
        (lambda kind: setattr(kind, "setup", raising), "ZeroDivisionError"),
        (lambda kind: setattr(kind, "view", raising), "ZeroDivisionError"),
        (lambda kind: setattr(kind, "result", lambda *_: Result(0)), "before it begins"),
        (lambda kind: setattr(kind, "view", lambda *_: Long("x" * 20_000)), "bytes"),
        (lambda kind: setattr(kind, "view", lambda *_: {}), "`view` must return a msgspec.Struct"),
        (lambda kind: setattr(kind, "clock", lambda *_: 5), "`clock` must return a TurnClock or"),
        (lambda kind: setattr(kind, "clock", lambda *_: TurnClock(-1)), "and one that can be"),
        (lambda kind: setattr(kind, "setup", lambda *_: {"total": 0}), "`setup` must return a C"),
        (lambda kind: setattr(kind, "setup", drifting), "same seed"),
        (with_set, "with 2 players"),
    ],
)
def test_what_is_wrong_with_a_game_is_told(change: Callable[[Any], None], reason: str) -> None:
    with pytest.raises(GameFaulty) as refused:
        check_game(broken(change), ROOM_OPTIONS)
    assert reason in refused.value.message


def test_looking_must_change_nothing() -> None:
    def look(_self: Any, state: Count, _viewer: int | None) -> Count:
        state.total += 1
        return state

    with pytest.raises(GameFaulty, match="looking at a state changes it"):
        check_game(broken(lambda kind: setattr(kind, "view", look)))


@pytest.mark.parametrize(
    "game", GAMES.registered, ids=lambda one: f"{one.name}-{one.rules_version}"
)
def test_the_built_in_games_pass(game: Any) -> None:
    check_game(game, ROOM_OPTIONS)


def test_what_a_game_prints_does_not_stand_in_the_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def setup(self: Any, _seed: int, options: Any, players: int) -> Any:
        sys.stdout.write(f"{self.name} begins")
        return Count(options.target, players)

    installed(entry(monkeypatch, broken(lambda kind: setattr(kind, "setup", setup))))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "counting begins" in printed.err


def test_a_property_that_raises_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def title(_self: Any) -> str:
        raise SystemExit

    found = installed(
        entry(monkeypatch, broken(lambda kind: setattr(kind, "title", property(title))))
    )
    assert "SystemExit" in found.faults[0].reason
