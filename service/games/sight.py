"""What each viewer may see of a match: the one place where its state leaves the rules.

A viewer is a seat, a spectator, or somebody with full sight. In a game without secrets all see the
same. Everything that shows a match to anybody gets a `View` from here, or what an event records as
shown; it has no other way to a state, which a test of the code enforces.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NewType, get_type_hints

import msgspec

if TYPE_CHECKING:
    from service.games.protocol import Game, GameEvent, State

View = NewType("View", msgspec.Struct)
"""What one viewer may see of a state, to be encoded for them."""

Shown = dict[str, msgspec.Raw]
"""By the key of a viewer, what they are shown of an input or outcome, where it is not all of it.

A JSON null is nothing at all: not even that it exists.
"""

NOTHING: Final = b"null"


class Viewer(msgspec.Struct, frozen=True):
    """Somebody who looks at a match: the player of a seat, or with the seat None a spectator."""

    seat: int | None = None
    is_full: bool = False
    """Whether they may see everything, as anybody after the end where the game allows it."""

    @property
    def key(self) -> str:
        """Their key in `Shown`."""
        return SPECTATORS_KEY if self.seat is None else str(self.seat)


SPECTATORS_KEY: Final = "spectators"

SPECTATOR: Final = Viewer()

FULL: Final = Viewer(is_full=True)


def seated(seat: int) -> Viewer:
    """Return the viewer in a seat."""
    return Viewer(seat)


def viewer_of(user: object, players: Sequence[object], *, is_full: bool = False) -> Viewer:
    """Return the viewer that a user is in a match of these players, in the order of the seats."""
    return Viewer(players.index(user) if user in players else None, is_full)


def common_view(game: "Game", state: "State") -> View:
    """Return the one view of all viewers of a game without secrets; raise what the rules raise."""
    if game.has_secrets:
        raise AssertionError(game.name)
    # Without the call of `View`, or of `cast`: this is done for each frame of a live match.
    return game.view(state, None)  # type: ignore[return-value]  # as above


def view_type(game: "Game") -> Any:
    """Return the type of the views of a game, or `Any` where the rules do not name it."""
    try:
        return get_type_hints(game.view).get("return", Any)
    except Exception:  # noqa: BLE001 - annotations of others may name what is not there
        return Any


def views_of(game: "Game", players: int) -> "Views | None":
    """Return what makes the views of a match with secrets; None for one without."""
    return Views(game, players) if game.has_secrets else None


class Views:
    """What the viewers of a match see, by the rules of its game."""

    __slots__ = ("_game", "keys", "viewers")

    def __init__(self, game: "Game", players: int) -> None:
        """Look at matches of `game` with so many players."""
        self._game = game
        self.viewers = (*map(seated, range(players)), SPECTATOR)
        """All that may see something else: each seat, and spectators."""
        self.keys = frozenset(viewer.key for viewer in self.viewers)

    def view(self, state: "State", viewer: Viewer) -> View:
        """Return what the seat of a viewer sees of a state, or spectators; raise what rules raise.

        Full sight is that of all seats: see `views`.
        """
        return View(self._game.view(state, viewer.seat if self._game.has_secrets else None))

    def views(self, state: "State", viewer: Viewer) -> list[View] | None:
        """Return what each seat sees, for a viewer with full sight; None for any other.

        It is None in a game without secrets as well, whose one view shows everything.
        """
        if not viewer.is_full or not self._game.has_secrets:
            return None
        return [self.view(state, seat) for seat in self.viewers if seat.seat is not None]

    def encoded(self, state: "State", viewer: Viewer) -> msgspec.Raw:
        """Return a view as JSON, so that it is encoded once for all who get it."""
        return msgspec.Raw(msgspec.json.encode(self.view(state, viewer)))

    def shown(self, state: "State", event: "GameEvent") -> Shown:
        """Return what viewers are shown of an input or outcome, for those not shown all of it.

        `state` is the one that an input was decided in, and the one after the step that made an
        outcome. Raises what the rules raise.
        """
        whole = msgspec.json.encode(event)
        found: Shown = {}
        for viewer in self.viewers:
            part = msgspec.json.encode(self._game.shown(state, event, viewer.seat))
            if part != whole:
                found[viewer.key] = msgspec.Raw(part)
        return found


def shown_of(game: "Game", state: "State", event: msgspec.Raw, players: int) -> Shown:
    """Return what is to be recorded as shown of an encoded event, in a game with secrets."""
    decoded = msgspec.json.decode(event, type=game.event_type)
    return Views(game, players).shown(state, decoded)


def part_for(
    viewer: Viewer, whole: msgspec.Raw, shown: Mapping[str, msgspec.Raw] | msgspec.UnsetType
) -> msgspec.Raw | None:
    """Return what a viewer of a match with secrets is shown of an input or outcome.

    `shown` is what its event records. None is nothing at all, as where nothing is recorded.
    """
    if viewer.is_full:
        return whole
    if shown is msgspec.UNSET:
        return None
    part = shown.get(viewer.key, whole)
    return None if bytes(part) == NOTHING else part
