"""`ws-service replay`: replay a match in the terminal, from the log or from a recording."""

from __future__ import annotations

import sys

import msgspec

from service.cli.common import known_games, opened_log, run
from service.cli.match_source import (
    Source,
    load,
    loaded_of,
    named,
    picture_size,
    recording_in,
    tick_of,
)
from service.cli.plain_frames import PlainFrames
from service.errors import ServiceError
from service.eventstore.integrity import BrokenChain, broken_match
from service.eventstore.read_models.match_history import find_match
from service.eventstore.stored import UnreadableEvent
from service.replay.export import clocks
from service.replay.loading import load_replay, load_rows
from service.replay.recording import BrokenRecording, Recording, check, same_as
from service.replay.replay import Replay
from service.replay.summary import run_at
from service.replay.terminal import draw, draw_state


class VerificationFailed(ServiceError):
    """The recording does not agree with the rules."""


def verify_match(source: Source) -> None:
    """Check the hashes of a match, in the log or in a file, and every outcome and state of it."""
    if source.file is None:
        run(_verify(named(source)))
        return
    recording, content = recording_in(source.file)
    check(recording, content)
    if source.match is not None:
        run(_compare(source.match, recording))
    _verify_replay(loaded_of(recording).replay, _comparison(source))


def show_match(source: Source, speed: float, at: str | None, *, as_json: bool) -> None:
    """Play a match on a terminal; print one state for `at`, or plain frames to a pipe."""
    replay, names = load(source)
    if at is not None:
        _print_state(replay, names, tick_of(at, replay), as_json=as_json)
    elif sys.stdout.isatty() and sys.stdin.isatty():
        from service.cli.replay_app import play  # noqa: PLC0415 - slow to import

        play(replay, names, speed)
    elif as_json:
        _print_state(replay, names, replay.ticks, as_json=True)
    else:
        _print_frames(replay, names)


def _comparison(source: Source) -> str:
    return "" if source.match is None else ", the same as in this log"


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


def _print_frames(replay: Replay, names: list[str]) -> None:
    """Print a state a second, and each one with another score, up to the last one."""
    frames, size = PlainFrames(), picture_size()
    for tick, state in replay.frames():
        is_last = tick == replay.ticks
        if frames.wants(tick // replay.tick_hz, replay.scores(state), is_last):
            frames.print(draw_state(replay, state, tick, names, *size))


def _print_state(replay: Replay, names: list[str], tick: int, *, as_json: bool) -> None:
    if as_json:
        view = replay.view(replay.at(tick))
        shown = {"tick": tick, "run": run_at(replay, tick), "state": view, **clocks(replay, tick)}
        print(msgspec.json.encode(shown).decode())
    else:
        width, height = picture_size()
        print(draw(replay, tick, names, width, height))
