"""Rules of packages that do the worst: it comes to their match as an error, and to nobody else."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from service.games import shield
from service.games.checking import GameFaulty, check_game
from service.games.figures import HasFigures
from service.games.pong import PONG, PongView
from service.games.protocol import Game, InvalidMove, Result, RulesFailed
from service.games.shield import LOOKS, Looks, rules_of, shielded
from service.games.sight import view_type
from tests.unit.games.faulty_games import Nim


def nim_that(rule: str, does: Callable[..., Any]) -> Game:
    """Return rules of which one does something else."""
    game: Any = Nim()
    setattr(game, rule, does)
    return shielded(game)


def raises(error: BaseException) -> Callable[..., Any]:
    def rule(*_: object) -> None:
        raise error

    return rule


def busy(*_: object) -> None:
    """Take a little time of the CPU."""
    sum(range(10_000))


def endless(*_: object) -> None:
    while True:
        with suppress(Exception):  # As rules may do.
            pass


WORST = [SystemExit(3), GeneratorExit(), asyncio.CancelledError(), BaseException("worst")]


@pytest.mark.parametrize("error", WORST, ids=repr)
@pytest.mark.parametrize("rule", ["setup", "decide", "apply", "view", "legal_moves", "scores"])
def test_rules_that_would_end_the_service_have_failed(rule: str, error: BaseException) -> None:
    game = nim_that(rule, raises(error))
    arguments: dict[str, tuple[Any, ...]] = {
        "setup": (1, None, 2),
        "scores": (None,),
        "decide": (None, 0, {}),
    }
    with pytest.raises(RulesFailed, match=r"of nim raised .*(Exit|Cancelled|worst)"):
        getattr(game, rule)(*arguments.get(rule, (None, 0)))


@pytest.mark.parametrize("error", [InvalidMove("no"), KeyError("x"), KeyboardInterrupt()])
def test_all_else_is_raised_as_it_is(error: BaseException) -> None:
    with pytest.raises(type(error)) as found:
        nim_that("decide", raises(error)).decide(None, 0, {})
    assert found.value is error


def test_a_call_that_takes_too_long_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shield, "CPU_S_MAX", 0.0)
    with pytest.raises(RulesFailed, match=r"rule.*|busy\(\) of nim took .* s, in which no match"):
        nim_that("step", busy).step(None)
    # It runs a whole match.
    assert nim_that("figures", busy).figures([]) is None  # type: ignore[attr-defined]  # optional


def test_a_call_that_does_not_return_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shield, "HANG_S", 0.02)
    # With a thread of its own, which looks that often.
    monkeypatch.setattr(shield, "_WATCH", shield._Watch())  # noqa: SLF001 - as above
    with pytest.raises(RulesFailed, match=r"endless\(\) of nim has not returned"):
        nim_that("step", endless).step(None)
    game = nim_that("result", lambda _: Result(1))
    assert [game.result(None) for _ in range(1000)] == [Result(1)] * 1000


@pytest.mark.parametrize("error", [None, KeyError("late")])
def test_an_interrupt_that_comes_late_arrives_within_the_call(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    """The rules return, or raise, when it is decided and before it is raised."""
    decided, interrupt = threading.Event(), shield._interrupt  # noqa: SLF001 - the order is forced

    def late(thread: int) -> None:
        decided.set()
        time.sleep(0.02)
        interrupt(thread)

    def rule(_: object) -> None:
        decided.wait()
        if error is not None:
            raise error

    monkeypatch.setattr(shield, "HANG_S", 0.02)
    monkeypatch.setattr(shield, "_interrupt", late)
    monkeypatch.setattr(shield, "_WATCH", shield._Watch())  # noqa: SLF001 - as above
    with pytest.raises(RulesFailed, match="has not returned"):
        nim_that("step", rule).step(None)
    # Nothing is left that could be raised here.
    until = time.monotonic() + 0.05
    while time.monotonic() < until:
        pass


def test_rules_that_swallow_an_interrupt_and_return_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def stubborn(_: object) -> int:
        with suppress(BaseException):
            endless()
        return 7

    monkeypatch.setattr(shield, "HANG_S", 0.02)
    monkeypatch.setattr(shield, "ARRIVAL_S", 0.02)
    monkeypatch.setattr(shield, "CPU_S_MAX", 60.0)
    monkeypatch.setattr(shield, "_WATCH", shield._Watch())  # noqa: SLF001 - as above
    assert nim_that("step", stubborn).step(None) == 7  # type: ignore[comparison-overlap]  # no outcomes


def test_rules_that_yield_run_where_they_are_called() -> None:
    def step(state: list[int]) -> Iterator[int]:
        state.append(1)
        yield 7

    game: Any = nim_that("step", step)
    state: list[int] = []
    assert game.step(state) == [7]
    assert state == [1]


def test_all_but_the_calls_is_that_of_the_game() -> None:
    nim = Nim()
    nim.page = "page/view.js"  # type: ignore[attr-defined]  # optional
    game = shielded(nim)
    assert (game.name, game.seats, game.options_type) == (nim.name, nim.seats, nim.options_type)
    assert game.page == "page/view.js"  # type: ignore[attr-defined]  # optional
    assert not isinstance(game, HasFigures)
    assert isinstance(nim_that("figures", busy), HasFigures)
    assert rules_of(game) is nim
    assert rules_of(nim) is nim
    with pytest.raises(AttributeError):
        _ = game.other  # type: ignore[attr-defined]  # that is the point


class Untyped(Nim):
    """Rules that do not say what their views are."""

    def view(self, state, viewer):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - the point
        return super().view(state, viewer)


class NotThere(Nim):
    """Rules with an annotation that only a type checker can read."""

    def view(self, state: Any, viewer: int | None) -> "Nowhere":  # type: ignore[name-defined]  # noqa: F821, UP037 - the point
        return super().view(state, viewer)


@pytest.mark.parametrize(
    ("game", "kind"),
    [(PONG, PongView), (Nim(), msgspec.Struct), (Untyped(), Any), (NotThere(), Any)],
)
def test_the_type_of_views_is_what_the_rules_say(game: Game, kind: object) -> None:
    assert view_type(game) is kind
    assert view_type(shielded(game)) is kind


def test_a_game_that_hangs_or_exits_in_its_check_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    game: Any = Nim()
    game.view = raises(SystemExit(1))
    with pytest.raises(GameFaulty, match="SystemExit"):
        check_game(game)
    game.view = endless
    monkeypatch.setattr(shield, "HANG_S", 0.02)
    monkeypatch.setattr(shield, "_WATCH", shield._Watch())  # noqa: SLF001 - as above
    with pytest.raises(GameFaulty, match="has not returned"):
        check_game(game)


def test_a_call_hangs_that_is_seen_again_and_again_not_one_that_has_just_begun() -> None:
    """Time in which the process stood still, as after SIGSTOP, is one look."""
    looks, long, other = Looks(), [None], [None]
    assert [looks.hanging({1: long, 2: [None]}) for _ in range(LOOKS)] == [[]] * LOOKS
    assert looks.hanging({1: long, 2: other}) == [1]
    assert looks.hanging({1: other, 2: other}) == []
