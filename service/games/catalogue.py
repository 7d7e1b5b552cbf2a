"""The games that can be played here; a new game is added in this one place."""

from collections.abc import Mapping

from service.games.connect_four import CONNECT_FOUR
from service.games.pong import PONG
from service.games.protocol import Game
from service.games.relay import RELAY

GAMES: Mapping[str, Game] = {game.name: game for game in (PONG, CONNECT_FOUR, RELAY)}
