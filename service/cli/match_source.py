"""Read a match for the commands that replay it: from the log, or from a recording in a file."""

from __future__ import annotations

import math
import re
import shutil
import signal
import sys
from typing import TYPE_CHECKING, NamedTuple

import typer

from service.cli.common import known_games, opened_log, run
from service.domain.names import placeholder_name
from service.errors import ServiceError
from service.eventstore.read_models.match_history import find_match
from service.games.sight import FULL, SPECTATOR, Viewer
from service.replay.loading import load_replay
from service.replay.recording import Recording, read
from service.replay.replay import Replay
from service.replay.seen import seen_by

if TYPE_CHECKING:
    from pathlib import Path

_PLACE = re.compile(r"(?:(?:(\d{1,5}):)?(\d{1,5}):)?(\d{1,9}(?:\.\d{1,9})?)(s|t)?")
"""As 12s, 12.5, 2:05.3, 1:02:05.3 or 720t."""


class CannotRead(ServiceError):
    """The file can't be read."""


class Source(NamedTuple):
    """Where a match is: in the log, in a file, or for a comparison in both."""

    match: str | None
    """The id of a match, or how it begins."""
    file: Path | None
    secrets: bool = False
    """Whether everything is shown, also what players could not see."""

    @property
    def viewer(self) -> Viewer:
        """Who looks at it."""
        return FULL if self.secrets else SPECTATOR


class Loaded(NamedTuple):
    """A match that can be replayed."""

    replay: Replay
    names: list[str]


def load(source: Source) -> Loaded:
    """Read a match from the log or from a file, as its viewer may see it."""
    if source.file is not None:
        replay, names = loaded_of(recording_in(source.file)[0])
    else:
        replay, names = run(_load(named(source)))
    return Loaded(seen_by(replay, source.viewer), names)


def tick_of(place: str, replay: Replay, option: str = "--at") -> int:
    """Return the tick of a place like `12s` or `720t`; raise `BadParameter`."""
    found = _PLACE.fullmatch(place)
    hours, minutes, seconds, unit = found.groups() if found else (None, None, None, None)
    if seconds is None or (minutes is not None and unit is not None):
        raise typer.BadParameter(
            "give a time like 12s, 12.5s or 2:05.3, or a tick like 720t", param_hint=option
        )
    number = float(seconds) + 60 * int(minutes or 0) + 3600 * int(hours or 0)
    # Half a tick is rounded as the page does.
    tick = math.floor((number if unit == "t" else number * replay.tick_hz) + 0.5)
    return min(tick, replay.ticks)


def named(source: Source) -> str:
    """Return the match that is named; raise `BadParameter` without one."""
    if source.match is None:
        raise typer.BadParameter(
            "name a match: `ws-service matches` lists them; or give --import FILE or --live ROOM",
            param_hint="ID",
        )
    return source.match


async def _load(start: str) -> Loaded:
    async with opened_log() as reader:
        match = await find_match(reader, start)
        replay = await load_replay(reader, match, known_games())
        users = [str(user) for user in replay.started.players]
        known = await reader.names(users)
    return Loaded(replay, [known.get(user, placeholder_name(user)) for user in users])


def recording_in(file: Path) -> tuple[Recording, bytes]:
    """Read a recording with its bytes, `-` from standard input.

    Raises `CannotRead` and `NotARecording`.
    """
    # As `run` does, which reads matches of the log.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise CannotRead(f"{file} can't be read: {error.strerror}") from error
    return read(content), content


def loaded_of(recording: Recording) -> Loaded:
    """Return the match of a recording."""
    events, times = recording.decoded()
    return Loaded(Replay(events, known_games(), times), recording.names)


def picture_size() -> tuple[int, int]:
    """Return the columns and lines of a picture; the field is twice as wide as high."""
    columns, lines = shutil.get_terminal_size()
    height = min(lines - 3, columns // 3)
    return min(columns, height * 3), height
