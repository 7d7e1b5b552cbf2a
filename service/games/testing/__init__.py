"""Tests for a game, to inherit: `docs/write-a-game.md` shows how.

    class TestRules(GameTests):
        game = RULES

They play matches by the moves that the game lists, and check what the service relies on. An error
says what is wrong with the game, and what to do.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar
from unittest import SkipTest

from service.games.chance import Chance
from service.games.protocol import Game, State
from service.games.testing import bots, golden, moves, options, processes, rules, secrets, views
from service.games.testing.playing import Subject, legal_moves

__all__ = ["GameTests"]


class GameTests:
    """What every game must pass; pytest runs it for each class that inherits it."""

    game: ClassVar[Game]
    seeds: ClassVar[Sequence[int]] = (1, 2, 3)
    """A match is played for each, with the fewest and the most players in turn."""
    ticks_max: ClassVar[int] = 20_000
    """By then every match must have ended."""
    lists_all_moves: ClassVar[bool] = True
    """Whether `legal_moves` lists all moves that `decide` takes; False where they are too many."""
    knows_all: ClassVar[Collection[int | None]] = ()
    """Seats from which nothing is hidden in a game with secrets; None stands for spectators."""
    _made: ClassVar[Subject | None] = None
    recordings: ClassVar[Path | None] = None
    """Where the golden recordings are; None for the folder `recordings` beside the test."""

    def pick(self, state: State, seat: int, chance: Chance) -> Mapping[str, Any] | None:
        """Choose a legal move for a seat, or None to wait; override it to reach an end sooner.

        By default any of `legal_moves`; in a game with ticks, about four times a second.
        """
        hz = self.game.tick_hz
        if hz and chance.next_64_bits() % hz >= MOVES_PER_S:
            return None
        listed = legal_moves(self.game, state, seat)
        return listed[chance.next_64_bits() % len(listed)] if listed else None

    def with_another_secret(
        self,
        state: State,  # noqa: ARG002 - for those who override it
        viewer: int | None,  # noqa: ARG002 - the same
        chance: Chance,  # noqa: ARG002 - the same
    ) -> State | None:
        """Change something in `state` that `viewer` may not see; None if nothing is hidden now.

        Override it in a game with secrets: `state` is a copy, and may be changed and returned.
        """
        return None

    def test_the_service_takes_the_game(self) -> None:
        """It has what the protocol asks for; otherwise the service leaves it out at its start."""
        rules.check_members(self.game)

    def test_the_same_moves_make_the_same_match(self) -> None:
        """Nothing but the state, the seed and the moves decides what happens."""
        rules.check_same_every_time(self._subject())

    def test_other_processes_play_the_same_match(self) -> None:
        """Nothing depends on the process, such as the order of sets."""
        processes.check_other_processes(self._subject())

    def test_states_and_events_survive_storage(self) -> None:
        """They are the same after a round trip through JSON."""
        rules.check_storage(self._subject())

    def test_a_replay_from_any_tick_is_the_match(self) -> None:
        """Recovery and replays go on from a checkpoint as the match did."""
        rules.check_replay(self._subject())

    def test_every_match_ends(self) -> None:
        """The rules come to a result, with a score for each seat, and a clock that fits."""
        rules.check_result(self._subject())
        rules.check_clock(self._subject())

    def test_legal_moves_are_taken(self) -> None:
        """Listed moves are never refused."""
        moves.check_legal_moves(self._subject())

    def test_other_moves_are_refused(self) -> None:
        """Moves that are malformed, or of the wrong seat, are refused and change nothing."""
        moves.check_odd_moves(self._subject(), lists_all_moves=self.lists_all_moves)

    def test_late_inputs_do_no_harm(self) -> None:
        """Where others may come first, an input still applies, or is refused as a whole."""
        moves.check_late_inputs(self._subject())

    def test_keys_can_be_held(self) -> None:
        """Where moves are keys, any of them can be held, and all can be released."""
        moves.check_keys(self._subject())

    def test_turns_that_time_out_go_on(self) -> None:
        """When a clock ends, the input that the service makes of it applies."""
        rules.check_timeouts(self._subject())

    def test_views_can_be_shown(self) -> None:
        """They are JSON objects, change nothing, and are the same each time."""
        views.check_views(self._subject())
        views.check_questions(self._subject())

    def test_secrets_are_kept(self) -> None:
        """What a view hides can't be found out by any other way."""
        if not self.game.has_secrets:
            raise SkipTest(f"{self.game.name} has no secrets")
        secrets.check_secrets(self._subject(), self.with_another_secret, self.knows_all)

    def test_options_have_defaults_and_ranges(self) -> None:
        """A match can be played with each value that an option may have."""
        options.check_options(self._subject())

    def test_bots_play_by_the_rules(self) -> None:
        """Bots of each level make legal moves, the same each time."""
        if not self.game.bot_levels:
            raise SkipTest(f"{self.game.name} has no bots")
        bots.check_bots(self._subject())

    def test_recorded_matches_stay_as_they_were(self) -> None:
        """A change of the rules needs a new version, since old matches are played again."""
        golden.check_recordings(self.game, self._recording(), self.pick, self.seeds)

    def _recording(self) -> Path:
        folder = self.recordings or Path(inspect.getfile(type(self))).parent / "recordings"
        return folder / f"{self.game.name}-{self.game.rules_version}.ndjson"

    def _subject(self) -> Subject:
        """Return the subject of this class, whose matches are played once for all of its tests."""
        made = vars(type(self)).get("_made")
        if made is None:
            made = Subject(self.game, self.pick, self.seeds, self.ticks_max)
            type(self)._made = made  # noqa: SLF001 - its own
        return made


MOVES_PER_S = 4
"""How many moves a second a player makes in a game with ticks."""
