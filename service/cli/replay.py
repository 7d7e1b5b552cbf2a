"""`ws-service replay`: replay a match in the terminal, from the log or from a recording."""

from __future__ import annotations

import re
import shutil
import sys
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import typer

from service.cli.common import known_games, opened_log, run
from service.domain.names import placeholder_name
from service.errors import ServiceError
from service.eventstore.integrity import BrokenChain, broken_match
from service.eventstore.read_models.match_history import find_match
from service.eventstore.stored import UnreadableEvent
from service.games.sight import FULL, SPECTATOR, Viewer
from service.replay.export import clocks
from service.replay.loading import load_replay, load_rows
from service.replay.recording import BrokenRecording, Recording, check, read, same_as
from service.replay.replay import Replay
from service.replay.seen import seen_by
from service.replay.summary import run_at
from service.replay.terminal import draw

if TYPE_CHECKING:
    from pathlib import Path

_PLACE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(s|t)?")


class VerificationFailed(ServiceError):
    """The recording does not agree with the rules."""


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
        replay, names = _of_recording(_recording(source.file)[0])
    else:
        replay, names = run(_load(_named(source)))
    return Loaded(seen_by(replay, source.viewer), names)


def verify_match(source: Source) -> None:
    """Check the hashes of a match, in the log or in a file, and every outcome and state of it."""
    if source.file is None:
        run(_verify(_named(source)))
        return
    recording, content = _recording(source.file)
    check(recording, content)
    if source.match is not None:
        run(_compare(source.match, recording))
    _verify_replay(_of_recording(recording).replay, _comparison(source))


def show_match(source: Source, speed: float, at: str | None, *, as_json: bool) -> None:
    """Play a match on a terminal; print one state for `at`, or the last one to a pipe."""
    replay, names = load(source)
    if at is not None:
        _print_state(replay, names, tick_of(at, replay), as_json=as_json)
    elif sys.stdout.isatty() and sys.stdin.isatty():
        from service.cli.replay_app import play  # noqa: PLC0415 - slow to import

        play(replay, names, speed)
    else:
        _print_state(replay, names, replay.ticks, as_json=as_json)


def tick_of(place: str, replay: Replay, option: str = "--at") -> int:
    """Return the tick of a place like `12s` or `720t`; raise `BadParameter`."""
    found = _PLACE.fullmatch(place)
    if not found:
        raise typer.BadParameter(
            "give a time like 12s or 12.5s, or a tick like 720t", param_hint=option
        )
    number = float(found[1])
    tick = round(number if found[2] == "t" else number * replay.tick_hz)
    return min(tick, replay.ticks)


def _named(source: Source) -> str:
    if source.match is None:
        raise typer.BadParameter(
            "name a match: `ws-service matches` lists them; or give --import FILE or --live ROOM",
            param_hint="ID",
        )
    return source.match


def _comparison(source: Source) -> str:
    return "" if source.match is None else ", the same as in this log"


async def _load(start: str) -> Loaded:
    async with opened_log() as reader:
        match = await find_match(reader, start)
        replay = await load_replay(reader, match, known_games())
        users = [str(user) for user in replay.started.players]
        known = await reader.names(users)
    return Loaded(replay, [known.get(user, placeholder_name(user)) for user in users])


def _recording(file: Path) -> tuple[Recording, bytes]:
    """Read a recording with its bytes; raise `CannotRead` and `NotARecording`."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CannotRead(f"{file} can't be read: {error.strerror}") from error
    return read(content), content


def _of_recording(recording: Recording) -> Loaded:
    events, times = recording.decoded()
    return Loaded(Replay(events, known_games(), times), recording.names)


async def _verify(start: str) -> None:
    async with opened_log() as reader:
        match = await find_match(reader, start)
        broken = await broken_match(reader, match)
        try:
            replay = await load_replay(reader, match, known_games())
        except (UnreadableEvent, ValueError) as error:
            raise broken or VerificationFailed(f"match {match} can't be read: {error}") from error
    _verify_replay(replay, broken=broken)


async def _compare(start: str, recording: Recording) -> None:
    """Raise `BrokenRecording` unless the log has the match of the recording, and the same of it."""
    async with opened_log() as reader:
        match = await find_match(reader, start)
        if match != recording.match:
            raise BrokenRecording(f"the recording is of match {recording.match}, not of {match}")
        same_as(recording, (await load_rows(reader, match))[0])


def _verify_replay(replay: Replay, also: str = "", broken: BrokenChain | None = None) -> None:
    match = replay.started.match
    difference = replay.verify()
    if difference is not None:
        raise VerificationFailed(
            f"match {match} differs from its replay at tick {difference.tick}: {difference.what}"
        )
    if broken is not None:
        raise broken
    rewound = ", ".join(map(str, replay.rewinds))
    print(
        f"ok: match {match}, {replay.ticks} ticks, {len(replay.inputs)} inputs"
        f"{f', rewound to tick {rewound} after a restart' if rewound else ''}{also}"
    )


def _print_state(replay: Replay, names: list[str], tick: int, *, as_json: bool) -> None:
    if as_json:
        view = replay.view(replay.at(tick))
        shown = {"tick": tick, "run": run_at(replay, tick), "state": view, **clocks(replay, tick)}
        print(msgspec.json.encode(shown).decode())
    else:
        width, height = picture_size()
        print(draw(replay, tick, names, width, height))


def picture_size() -> tuple[int, int]:
    """Return the columns and lines of a picture; the field is twice as wide as high."""
    columns, lines = shutil.get_terminal_size()
    height = min(lines - 3, columns // 3)
    return min(columns, height * 3), height
