from rock_paper_scissors.rules import HANDS, RULES, State
from service.games.chance import Chance
from service.games.testing import GameTests


class TestRockPaperScissors(GameTests):
    game = RULES

    def with_another_secret(self, state: State, viewer: int | None, chance: Chance) -> State | None:
        hidden = [seat for seat in state.phase.moves if seat != viewer]
        for seat in hidden:
            beaten_by = HANDS.index(state.phase.moves[seat]) + 1 + chance.flip()
            state.phase.moves[seat] = HANDS[beaten_by % len(HANDS)]
        return state if hidden else None
