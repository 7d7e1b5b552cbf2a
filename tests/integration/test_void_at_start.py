"""A live match whose rules are missing, changed or raise at start is void; others continue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.eventstore.codec import decode
from service.games.catalogue import GAMES
from service.replay.replay import Replay, RulesMissing
from tests.integration.log_file import LogFile
from tests.integration.stage import Stage, Theatre, room_of

CHANGED = "connect_four"
VERSION = GAMES[CHANGED].rules_version


class Later:
    """A later version of the rules of a game."""

    def __init__(self, game: Any) -> None:
        self._game = game
        self.rules_version = game.rules_version + 1

    def __getattr__(self, name: str) -> Any:
        """Return a part of the game."""
        return getattr(self._game, name)


def another_version(patch: pytest.MonkeyPatch) -> None:
    later = Later(GAMES[CHANGED])
    patch.setitem(GAMES._offered, CHANGED, later)  # noqa: SLF001 - another build
    patch.setattr(
        GAMES, "_rules", {(game.name, game.rules_version): game for game in GAMES.values()}
    )


def gone(patch: pytest.MonkeyPatch) -> None:
    # In place of taking it out, so that the order of the games is theirs again afterwards.
    patch.setattr(GAMES, "_offered", {name: GAMES[name] for name in GAMES if name != CHANGED})
    patch.setattr(
        GAMES, "_rules", {(game.name, game.rules_version): game for game in GAMES.values()}
    )


def raising(rule: str, game: str = CHANGED) -> Callable[[pytest.MonkeyPatch], None]:
    def change(patch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> None:
            raise ZeroDivisionError

        patch.setattr(GAMES[game], rule, fail)

    return change


@pytest.mark.parametrize(
    ("change", "is_kept"),
    [(another_version, False), (gone, False)]
    + [(raising(rule), True) for rule in ("setup", "apply", "step", "result")],
    ids=["another version", "gone", "setup", "apply", "step", "result"],
)
def test_a_match_with_failing_rules_is_void_at_start_and_others_continue(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[pytest.MonkeyPatch], None],
    *,
    is_kept: bool,
) -> None:
    async def before(stage: Stage) -> tuple[int, int]:
        ana, ben, cleo = [await stage.connect() for _ in range(3)]
        room = await room_of((ana, ben), CHANGED)
        await room_of((cleo,), "relay", seats=1)
        for tab in (ana, ben):
            await tab.ask("game:move", roomId=room, move={"column": 3})
        ticker: Any = stage.service.parts.ticker
        ticker._recorder.add_checkpoint = lambda _: None  # noqa: SLF001 - as above
        return ana.user, cleo.user

    async def after(stage: Stage, user: int, other: int) -> None:
        ana, cleo = await stage.connect(user), await stage.connect(other)
        assert ana.of("session:state")[0]["inRoom"] is False
        assert cleo.of("session:state")[0]["inRoom"] is True
        await ana.insist("matchmaking:join", game="pong")
        world = stage.service.parts.world
        assert [match.game for match in world.matches.live.values()] == ["relay"]

    with Theatre.opened(tmp_path) as theatre:
        user, other = theatre.runner.run(before(theatre.stage))
    with monkeypatch.context() as patch:
        change(patch)
        with Theatre.opened(tmp_path) as theatre:
            theatre.runner.run(after(theatre.stage, user, other))
        ended = LogFile(tmp_path / "ws-service.db").query(
            "SELECT rules_version, reason, winner, scores FROM matches WHERE game = ?", CHANGED
        )
        assert ended == [(VERSION, "void", None, "[0,0]")]
        if not is_kept:
            with pytest.raises(RulesMissing, match=f"version {VERSION} of the rules of {CHANGED}"):
                Replay(_events(tmp_path), GAMES)
    assert Replay(_events(tmp_path), GAMES).verify() is None


def test_inputs_ahead_of_their_tick_do_not_prevent_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are met when the match is paused, not when it is rebuilt."""

    async def before(stage: Stage) -> int:
        ana, ben = await stage.connect(), await stage.connect()
        room = await room_of((ana, ben), "pong")
        ticker: Any = stage.service.parts.ticker
        ticker.advance = ticker._recorder.add_checkpoint = lambda *_: None  # noqa: SLF001 - as above
        await ana.insist("game:move", roomId=room, direction="w", action="down")
        return ana.user

    async def after(stage: Stage, user: int) -> None:
        ana = await stage.connect(user)
        assert ana.of("session:state")[0]["inRoom"] is False

    with Theatre.opened(tmp_path) as theatre:
        user = theatre.runner.run(before(theatre.stage))
    with monkeypatch.context() as patch:
        raising("apply", "pong")(patch)
        with Theatre.opened(tmp_path) as theatre:
            theatre.runner.run(after(theatre.stage, user))
    ended = LogFile(tmp_path / "ws-service.db").query("SELECT reason FROM matches")
    assert ended == [("void",)]


def _events(data_dir: Path) -> list[Any]:
    rows = LogFile(data_dir / "ws-service.db").query(
        "SELECT type, schema_version, data FROM events WHERE stream LIKE 'match:%' AND stream ="
        " (SELECT 'match:' || match FROM matches WHERE game = ?) ORDER BY position",
        CHANGED,
    )
    return [decode(*row) for row in rows]


def test_a_match_with_a_skipped_end_and_a_closed_room_is_void_at_start(tmp_path: Path) -> None:
    async def before(stage: Stage) -> int:
        ana, ben = await stage.connect(), await stage.connect()
        room = await room_of((ana, ben), CHANGED)
        for tab in (ana, ben):
            await tab.insist("room:leave", roomId=room)
        return ana.user

    async def after(stage: Stage, user: int) -> None:
        ana = await stage.connect(user)
        assert ana.of("session:state")[0]["inRoom"] is False
        assert not stage.service.parts.world.matches.live

    with Theatre.opened(tmp_path) as theatre:
        user = theatre.runner.run(before(theatre.stage))
    file = LogFile(tmp_path / "ws-service.db")
    assert file.query("SELECT count(*) FROM events WHERE type = 'room.closed'") == [(1,)]
    file.change(
        "INSERT INTO skipped SELECT position, 'unreadable', 'root', 1 FROM events"
        " WHERE type = 'match.ended'",
        "DELETE FROM snapshots",
    )
    for _ in range(2):
        with Theatre.opened(tmp_path) as theatre:
            theatre.runner.run(after(theatre.stage, user))
    assert file.query("SELECT count(*) FROM events WHERE type = 'match.ended'") == [(2,)]
