"""Checks of what rules must be for recording, recovery and replay: the same every time."""

from __future__ import annotations

from collections import deque
from functools import partial

import msgspec

from service.games.checking import STATE_BYTES_MAX, GameFaulty, check_game
from service.games.protocol import Game, InvalidMove, Result
from service.games.testing.playing import (
    Played,
    Subject,
    Table,
    apply,
    ask,
    clock_of,
    decoded,
    encoded,
    fail,
    inputs_of,
    result_of,
    shortened,
    spread,
    timed_out,
)
from service.replay.run import Run

RESTARTS = 6
"""From how many ticks of a match it is replayed."""


def check_members(game: Game) -> None:
    """The game has all members of the protocol, and what it says first can be recorded and sent."""
    try:
        check_game(game)
    except GameFaulty as error:
        fail(f"The service would leave this game out: {error.message}.", error)


def check_same_every_time(subject: Subject) -> None:
    """The same seed and moves give the same match, also while another match is played."""
    one, *others = subject.starts
    tables = [Table(subject.game, start, subject.pick) for start in (one, *(others or [one]), one)]
    going = deque(tables)
    while going:
        table = going.popleft()
        if not table.is_over and table.run.tick < subject.ticks_max and table.advance():
            going.append(table)
    alone, *_ = subject.matches
    for table in (tables[0], tables[-1]):
        compare(
            alone,
            table.end(),
            "The same match was played twice and did not go the same way. Rules must depend on the "
            "state and the moves alone: no `random` (use service.games.chance.Chance, kept in the "
            "state), no clock, and nothing kept in the game or in its module between calls.",
        )


def compare(one: Played, other: Played, advice: str) -> None:
    """Fail where two matches differ, with the first tick that does."""
    for tick in sorted(one.states.keys() | other.states.keys()):
        states = [played.states.get(tick) for played in (one, other)]
        if states[0] != states[1]:
            shown = " and ".join(
                "no such tick" if not s else shortened(msgspec.Raw(s)) for s in states
            )
            fail(f"{advice} At tick {tick} the states were {shown}.")
    for what in ("moves", "outcomes", "result", "scores"):
        first, second = getattr(one, what), getattr(other, what)
        if first != second:
            fail(f"{advice} The {what} were {shortened(first)} and {shortened(second)}.")


def check_storage(subject: Subject) -> None:
    """States and events are the same after a round trip through JSON."""
    for played in subject.matches:
        size = max(map(len, played.states.values()))
        if size > STATE_BYTES_MAX:
            fail(
                f"A state has {size} bytes, and is recorded about once a second: at most "
                f"{STATE_BYTES_MAX} are allowed. Keep what decides how it goes on, and no history."
            )
        for tick, state in played.states.items():
            again = encoded("the state", decoded(subject.game, state))
            if again != state:
                fail(
                    "A state is another one after it was stored and read again: at tick "
                    f"{tick} {shortened(msgspec.Raw(state))} became "
                    f"{shortened(msgspec.Raw(again))}. Checkpoints and recovery need every part "
                    "of the state in fields of `state_type` that JSON can keep (no tuples as "
                    "keys, no sets, no objects of your own that are no msgspec structs)."
                )
        events = [bytes(raw) for moved in played.moves for raw in moved.inputs]
        for event in {*events, *(outcome for _, outcome in played.outcomes)}:
            _check_event(subject, event)


def _check_event(subject: Subject, event: bytes) -> None:
    text = event.decode()
    read = ask(
        f"reading the event {text} as one of `event_type`",
        lambda: msgspec.json.decode(event, type=subject.game.event_type),
    )
    if encoded("the event", read) != event:
        fail(f"The event {text} is another one after it was stored and read again: {read!r}.")


def check_result(subject: Subject) -> None:
    """Each match comes to an end, with a winner that has a seat and a score for each."""
    for played in subject.matches:
        players = played.start.players
        if played.result is None:
            fail(
                f"The match with seed {played.start.seed} and {players} players has no result: "
                f"after {max(played.states)} ticks and {len(played.moves)} moves "
                f"{_why_it_stopped(subject, played)} The state is "
                f"{shortened(msgspec.Raw(played.states[max(played.states)]))}."
            )
        _check_result(played.result, players)
        if len(played.scores) != players or any(type(one) is not int for one in played.scores):
            fail(f"scores() must have an integer for each of {players} seats: {played.scores!r}.")


def _why_it_stopped(subject: Subject, played: Played) -> str:
    if max(played.states) >= subject.ticks_max:
        return (
            "it still goes on: let result() end it, or override `pick` in the test class by moves "
            "that lead to an end, or raise its `ticks_max`."
        )
    return (
        "nobody has a legal move, so it can never end: list moves in legal_moves(), or override "
        "`pick` in the test class where moves can't be listed."
    )


def _check_result(result: Result, players: int) -> None:
    winner = result.winner
    if winner is not None and (type(winner) is not int or not 0 <= winner < players):
        fail(f"The winner of a result is a seat below {players}, or None: {winner!r}.")


def check_clock(subject: Subject) -> None:
    """The clock of the match counts down, and never below zero."""
    for _, tick, state in subject.samples(40):
        left = ask("remaining_ticks()", partial(subject.game.remaining_ticks, state))
        if left is not None and (type(left) is not int or left < 0):
            fail(f"remaining_ticks() must be None or at least 0: {left!r} at tick {tick}.")


def check_replay(subject: Subject) -> None:
    """A match replayed from its checkpoint at any tick is the match that was played."""
    for played in subject.matches:
        for start in spread(list(played.states), RESTARTS):
            run = Run(subject.game, decoded(subject.game, played.states[start]), start)
            for recorded in inputs_of(played):
                if recorded.tick >= start:
                    run.add_input(recorded)
            _check_run(subject, run, played)


def _check_run(subject: Subject, run: Run, played: Played) -> None:
    start, last = run.tick, max(played.states)
    while run.tick < last and (subject.game.tick_hz or run.has_inputs):
        ask("step() in a replay", run.step)
        state = encoded("the state", run.state)
        if state != played.states.get(run.tick):
            fail(
                f"A replay from the checkpoint of tick {start} goes another way than the match: "
                f"at tick {run.tick} its state is {shortened(msgspec.Raw(state))}, and that of the "
                f"match was {shortened(msgspec.Raw(played.states.get(run.tick, b'null')))}. "
                "Something that matters is not in the state, or is lost when it is stored."
            )
    if result_of(subject.game, run.state) != played.result:
        fail(f"A replay from the checkpoint of tick {start} ends with another result.")


def check_timeouts(subject: Subject) -> None:
    """A clock that ends makes an input that applies, and leads on."""
    game = subject.game
    for played, tick, state in subject.samples(40):
        clock = clock_of(game, state, played.start)
        if clock is None:
            continue
        if game.tick_hz or not game.ordered:
            fail("Only a game without ticks, and `ordered`, may have clocks of turns.")
        seat, event = timed_out(game, state)
        if not 0 <= seat < played.start.players:
            fail(f"timeout() must name a seat below {played.start.players}: {seat!r}.")
        _check_event(subject, encoded(f"the event {event!r}", event))
        before = encoded("the state", state)
        ask("elapse()", partial(game.elapse, state, clock.ends_in_ms))
        try:
            apply(game, state, event)
        except InvalidMove as error:
            fail(f"apply() refused {event!r}, made by timeout() at tick {tick}: {error.message}")
        if encoded("the state", state) == before:
            fail(f"{event!r}, made by timeout(), changes nothing, so that it is made for ever.")
