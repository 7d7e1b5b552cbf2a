"""`ws-service replay --export`: a recording, all frames, or a picture."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import typer
from rich.progress import Progress

from service.cli.common import (
    known_games,
    opened_log,
    opened_output,
    progress_console,
    run,
)
from service.cli.match_source import Loaded, Source, load, tick_of
from service.errors import ServiceError
from service.eventstore.read_models.match_history import find_match
from service.replay import cast, export
from service.replay.loading import has_secrets_now, load_source
from service.replay.recording import write
from service.replay.scene import Scene
from service.replay.svg import svg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from service.replay.replay import Replay

One = TypeVar("One")

PROGRESS_EVERY = 50
"""The bar is moved once for so many items, since that takes longer than to write one."""

BINARY = frozenset({"gif"})


class CannotExport(ServiceError):
    """The match can't be exported this way."""


class Part(NamedTuple):
    """The part of a match that is exported, and how it is shown."""

    start: str | None
    to: str | None
    hz: float | None
    speed: float


class Span(NamedTuple):
    """The same with its places found."""

    start: int
    to: int
    hz: float | None
    speed: float


def export_match(source: Source, form: str, part: Part, output: Path | None) -> None:
    """Write a match to a file or to standard output, with a progress bar on a terminal."""
    if form in BINARY and output is None and sys.stdout.isatty():
        raise typer.BadParameter(
            f"a {form} is no text for a terminal: give a file", param_hint="--output"
        )
    if form == "json":
        _export_recording(source, part, output)
        return
    loaded = load(source)
    span = _span(part, loaded.replay)
    if form == "gif":
        _export_gif(loaded, span, output)
        return
    lines = {"ndjson": _ndjson, "cast": _cast, "svg": _svg}[form](loaded, span)
    with opened_output(output) as file:
        for line in lines:
            file.write(line)


def _export_recording(source: Source, part: Part, output: Path | None) -> None:
    """Write the whole match: its hashes are those of all of its events."""
    if part.start is not None or part.to is not None or part.hz is not None:
        raise typer.BadParameter(
            "a recording has the whole match: --from, --to and --hz are for the other exports",
            param_hint="--export",
        )
    if source.file is not None or source.match is None:
        raise typer.BadParameter(
            "a recording is made from a match in the log: name one", param_hint="ID"
        )
    content = run(_recording(source.match, secrets=source.secrets))
    with opened_output(output) as file, _progress("writing", len(content)) as advance:
        for line in content:
            file.write(line)
            advance()


async def _recording(start: str, *, secrets: bool) -> list[bytes]:
    async with opened_log() as reader:
        match = await find_match(reader, start)
        source = await load_source(reader, match, known_games())
    if not secrets and has_secrets_now(source):
        raise CannotExport(
            f"a recording of match {match} has what players could not see: --secrets exports it"
        )
    return list(write(source))


def _export_gif(loaded: Loaded, span: Span, output: Path | None) -> None:
    try:
        from service.replay import gif  # noqa: PLC0415 - an extra
    except ImportError as error:
        message = "a GIF needs Pillow: pip install 'ws-service[replay]'"
        raise CannotExport(message) from error
    span = span._replace(hz=span.hz or gif.HZ)
    if (frames := _frames(loaded.replay, span)) > gif.FRAMES_MAX:
        raise CannotExport(
            f"this GIF would have {frames} frames, and {gif.FRAMES_MAX} are the most: choose a "
            "part by --from and --to, a lower --hz, or --export svg"
        )
    scene = Scene(*loaded)
    shown = scene.frames(span.hz, span.start, span.to, span.speed)
    with opened_output(output) as file:
        gif.write_gif(scene, _tracked(shown, loaded.replay, span), file)


def _ndjson(loaded: Loaded, span: Span) -> Iterator[bytes]:
    lines = export.ndjson(loaded.replay, loaded.names, span.hz, span.start, span.to)
    return _tracked(lines, loaded.replay, span)


def _cast(loaded: Loaded, span: Span) -> Iterator[bytes]:
    times = loaded.replay.times
    lines = cast.cast(
        *loaded,
        hz=span.hz or cast.HZ,
        start=span.start,
        to=span.to,
        speed=span.speed,
        timestamp=times[0] // 1_000_000 if times else None,
    )
    return _tracked(lines, loaded.replay, span._replace(hz=span.hz or cast.HZ))


def _svg(loaded: Loaded, span: Span) -> Iterator[bytes]:
    scene = Scene(*loaded)
    frames = scene.frames(span.hz, span.start, span.to, span.speed)
    title = f"{loaded.replay.started.game}: {', '.join(loaded.names)}"
    for line in svg(scene, _tracked(frames, loaded.replay, span), title):
        yield line.encode() + b"\n"


def _span(part: Part, replay: Replay) -> Span:
    start = 0 if part.start is None else tick_of(part.start, replay, "--from")
    to = replay.ticks if part.to is None else tick_of(part.to, replay, "--to")
    if to < start:
        raise typer.BadParameter("it ends before it begins", param_hint="--to")
    return Span(start, to, part.hz, part.speed)


def _frames(replay: Replay, span: Span) -> int:
    every = 1 if span.hz is None else max(1, round(replay.game.tick_hz / span.hz))
    return (span.to - span.start) // every + 1


def _tracked(items: Iterable[One], replay: Replay, span: Span) -> Iterator[One]:
    with _progress("exporting", _frames(replay, span)) as advance:
        for item in items:
            yield item
            advance()


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a bar on the terminal; what is called counts one."""
    with Progress(console=progress_console, transient=True) as progress:
        task, done = progress.add_task(what, total=total), 0

        def advance() -> None:
            nonlocal done
            done += 1
            if done % PROGRESS_EVERY == 0:
                progress.update(task, completed=done)

        yield advance
