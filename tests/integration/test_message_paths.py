"""The files that a message passes are those that docs/architecture.md lists, in that order."""

from __future__ import annotations

import asyncio
import re
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

import service
from tests.integration.stage import Stage, Tab, Theatre, room_of

ROOT = f"{Path(service.__file__).parent}/"
PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
LEFT_OUT = ("telemetry/", "settings/", "app.py")
"""The modules that the page's tables leave out."""

TIMERS = {
    "runtime/ticker.py",
    "edge/hub.py",
    "edge/feeds.py",
    "edge/lobby_feed.py",
    "edge/backlog.py",
    "figures.py",
}
"""Files whose callbacks run by the clock: what they call is not caused by the message."""

NOT_EVERY_TICK = {"runtime/engine.py", "fanout/audience.py"}
"""What a tick passes that has a point, which is appended, or shows another second of the match."""


def table(*headings: str) -> list[str]:
    """Return the files of the tables under these headings, in their order."""
    files: list[str] = []
    for heading in headings:
        part = PAGE.read_text().split(f"\n### {heading}")[1].split("\n#")[0]
        for row in re.findall(r"^\| (`.*?) \|", part, re.MULTILINE):
            files += re.findall(r"`([a-z_/0-9]+\.py)`", row)
    return files


class Trace:
    """Records the files of the service in the order of their first call, per thread."""

    def __init__(self) -> None:
        self.files: dict[str, None] = {}
        self.is_on = False
        self.only_from: set[str] | None = None
        """If set, only what callbacks of these files call is recorded, in the loop's own thread."""
        self._depths: dict[int, int] = {}
        self._are_skipped: set[int] = set()

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        """Note a call, unless a timer has caused it."""
        path = frame.f_code.co_filename
        if event not in {"call", "return"} or not path.startswith(ROOT):
            return
        thread = threading.get_ident()
        depth = self._depths.get(thread, 0)
        file = path[len(ROOT) :]
        if event == "return":
            self._depths[thread] = max(0, depth - 1)
            return
        if depth == 0:
            is_skipped = file in TIMERS if self.only_from is None else file not in self.only_from
            (self._are_skipped.add if is_skipped else self._are_skipped.discard)(thread)
        self._depths[thread] = depth + 1
        if self.only_from is not None and thread != threading.main_thread().ident:
            return
        is_named = frame.f_code.co_name.startswith("<") or file.startswith(LEFT_OUT)
        if self.is_on and not is_named and thread not in self._are_skipped:
            self.files.setdefault(file)


@pytest.fixture
def trace() -> Iterator[Trace]:
    recorder = Trace()
    before = sys.getprofile()
    threading.setprofile(recorder)
    sys.setprofile(recorder)
    yield recorder
    sys.setprofile(before)
    threading.setprofile(before)


def passed(
    trace: Trace,
    data_dir: Path,
    send: Callable[[Tab, str], Awaitable[object]],
    game: str = "relay",
) -> list[str]:
    """Return the files that the message of `send` passes, in a room for `game`."""

    async def story(stage: Stage) -> None:
        ana, ben = await stage.connect(), await stage.connect()
        room = await room_of((ana, ben), game)
        await is_quiet(ana, ben)
        trace.is_on = True
        await send(ana, room)
        trace.is_on = False

    # The native wire would not be seen by the profiler.
    with Theatre.opened(data_dir, WS_WIRE="python") as theatre:
        theatre.runner.run(story(theatre.stage))
    return list(trace.files)


async def is_quiet(*tabs: Tab) -> None:
    """Wait until everything before has been written."""
    for tab in tabs:
        await tab.ask("ping")
    await asyncio.sleep(1)


def test_a_chat_message_passes_the_listed_files(trace: Trace, tmp_path: Path) -> None:
    def say(tab: Tab, room: str) -> Awaitable[object]:
        return tab.ask("chat:send", roomId=room, text="hello")

    assert passed(trace, tmp_path, say) == table("Receiving a message", "`chat:send`")


def test_a_resume_passes_the_listed_files(trace: Trace, tmp_path: Path) -> None:
    async def resume(tab: Tab, _room: str) -> None:
        await tab.send("resume", position=3, epoch=tab.of("welcome")[0]["epoch"])
        await tab.until("resumed")

    assert passed(trace, tmp_path, resume) == table("Receiving a message", "`resume`")


def test_a_move_passes_the_listed_files(trace: Trace, tmp_path: Path) -> None:
    async def move(tab: Tab, room: str) -> None:
        await tab.ask("game:move", roomId=room, direction="w", action="down")

    files = set(passed(trace, tmp_path, move, "pong"))
    listed = set(table("Receiving a message", "`game:move`"))
    # Outcomes and checkpoints of the match may be in the same batch as the move, or none may be.
    recorded = {"runtime/record.py", "domain/projections/nodes.py", "games/checking.py"}
    # Whether frames of the match are still unread when the ack is written is up to chance.
    of_the_match = {*table("A tick"), *recorded, "edge/connection.py"}
    assert files - listed - of_the_match == set()
    assert listed - files <= {"eventstore/completions.py"}


def test_a_tick_passes_the_listed_files(trace: Trace, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        tabs = await stage.connect(), await stage.connect()
        await room_of(tabs, "pong")
        await tabs[0].until(lambda message: "ballX" in message.get("state", ()))
        trace.is_on = True
        while not trace.files or not NOT_EVERY_TICK.isdisjoint(trace.files):
            trace.files.clear()
            trace.only_from = {"runtime/ticker.py"}
            await frames(tabs[0], 3)
            trace.only_from = {"runtime/ticker.py", "edge/flush.py"}
            await frames(tabs[0], 3)
        trace.is_on = False

    # No checkpoint is due meanwhile: it would be appended as a command is.
    with Theatre.opened(tmp_path, WS_CHECKPOINT_S=60, WS_WIRE="python") as theatre:
        theatre.runner.run(story(theatre.stage))
    passed_files, listed = list(trace.files), table("A tick")
    # It is called at the end of each phase, of which any may be the first here.
    recorder = "runtime/match_recorder.py"
    assert recorder in passed_files
    assert [file for file in passed_files if file != recorder] == [
        file for file in listed if file != recorder
    ]


async def frames(tab: Tab, count: int) -> None:
    """Wait for so many further frames of a match."""
    for _ in range(count):
        await tab.until("game:update", len(tab.got))
