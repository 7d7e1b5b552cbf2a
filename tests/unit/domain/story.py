"""A world in which commands are executed purely: decide, then fold."""

from __future__ import annotations

from typing import Any

import msgspec

from service.domain.commands.base import Command, Context, MatchSnapshot
from service.domain.commands.hosting import CreateRoom, JoinRoom, RoomPlan
from service.domain.commands.nodes import StartNode
from service.domain.commands.presence import CloseSocket, OpenSocket
from service.domain.commands.seats import SetReady
from service.domain.events.base import Event
from service.domain.events.matches import MatchInput
from service.domain.events.nodes import NodeStarted
from service.domain.ids import Owner
from service.domain.projections.matches import Match
from service.domain.projections.world import World
from service.games.catalogue import GAMES
from service.games.options import set_up
from service.replay.run import Run, state_hash
from service.settings.sections.play import Rules

ROOM = "room"


class Story:
    """One service without a log; sockets are named after the user and a letter, as `n1.1.7a`."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.world = World()
        self.events: list[Event] = []
        self.runs: dict[str, Run] = {}
        self.measured: dict[str, Any] = {}
        """What the service has measured of each match, as fields of `MatchSnapshot`."""
        self.context = Context(
            node=Owner("n1", 1),
            rules=rules or Rules(),
            games=GAMES,
            new_room_id=lambda: ROOM,
            new_token=lambda: "salt",
            new_seed=lambda: 7,
            match_snapshot=self.match_snapshot,
        )
        self.do(StartNode("n1"))

    def do(self, command: Command) -> list[Event]:
        """Carry a command out and return its events."""
        decided = list(command.decide(self.world, self.context))
        for event in decided:
            self.fold(event)
        return decided

    def fold(self, event: Event) -> None:
        self.events.append(event)
        self.world.fold(event, len(self.events))
        node = self.context.node.node
        if isinstance(event, NodeStarted) and event.node == node:
            started = Owner(node, event.incarnation)
            self.context = msgspec.structs.replace(self.context, node=started)
        match = self.world.matches.live.get(getattr(event, "match", ""))
        if match is not None and isinstance(event, MatchInput):
            run = self.run_of(match)
            run.add_input(event)
            run.step()

    def match_snapshot(self, match: str) -> MatchSnapshot:
        run = self.run_of(self.world.matches.live[match])
        snapshot = MatchSnapshot(
            tick=run.tick,
            input_tick=run.tick,
            state=run.ahead(),
            pausing=False,
            state_hash=lambda: state_hash(run.state),
            turn_left_ms=self.world.matches.live[match].turn_left_ms,
            spent_ms=self.world.matches.live[match].spent_ms,
            held=self.world.matches.live[match].pressing,
        )
        return msgspec.structs.replace(snapshot, **self.measured)

    def run_of(self, match: Match) -> Run:
        if match.id not in self.runs:
            game = GAMES[match.game]
            state = set_up(game, match.seed, match.options.as_written, len(match.players))
            self.runs[match.id] = Run(game, state)
        return self.runs[match.id]

    def open(self, user: int, tab: str = "a") -> str:
        socket = f"n1.{self.world.nodes.incarnations['n1']}.{user}{tab}"
        self.do(OpenSocket(user, socket))
        return socket

    def close(self, user: int, socket: str, code: int = 1006) -> list[Event]:
        return self.do(CloseSocket(user, socket, code))

    def match(self, game: str, *users: int, **options: Any) -> Match:
        """Begin a match of `users` in a host's room."""
        for user in users:
            socket = self.open(user)
            if user == users[0]:
                self.do(CreateRoom(user, socket, ROOM, RoomPlan(game=game, options=options)))
            else:
                self.do(JoinRoom(user, socket, ROOM, "player", None, None))
        for user in users:
            self.do(SetReady(user, ROOM, ready=True))
        return self.world.matches.live[f"{ROOM}-{self.match_number}"]

    @property
    def match_number(self) -> int:
        return self.world.rooms.rooms[ROOM].last_match
