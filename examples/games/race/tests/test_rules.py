from race.rules import RULES
from service.games.testing import GameTests


class TestRace(GameTests):
    game = RULES
