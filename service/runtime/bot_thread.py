"""Ask bots for their moves in a thread of its own, each for a bounded time.

The rules of a bot may be slow, or never return: the event loop waits for none of them. One that
takes too long is interrupted; a thread that does not even react to that is left behind for another
one.
"""

from __future__ import annotations

import ctypes
import threading
import time
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeAlias

from service.errors import ServiceError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from service.games.protocol import Move

    Decide: TypeAlias = "Callable[[], Sequence[Move]]"
    Done: TypeAlias = "Callable[[Sequence[Move] | BaseException, float], None]"

BUDGET_S = 0.5
"""How long one decision of a bot may take; the default bots take a few milliseconds."""


class BotTooSlow(ServiceError):
    """A bot takes too long to decide."""


class _Interrupted(BaseException):
    """Raised in the thread within the rules of a bot, whose `except Exception` misses it."""


class _Question:
    """A bot that is asked, and what to do with its answer."""

    __slots__ = ("began_at", "decide", "done", "is_answered")

    def __init__(self, decide: Decide, done: Done) -> None:
        self.decide = decide
        self.done = done
        self.began_at: float | None = None
        self.is_answered = False

    def answer(self, answer: Sequence[Move] | BaseException, cpu_s: float) -> None:
        """Report the answer, unless that was done."""
        if not self.is_answered:
            self.is_answered = True
            self.done(answer, cpu_s)


class BotThread:
    """Asks bots, one after the other; used from the event loop alone."""

    def __init__(self, budget_s: float = BUDGET_S) -> None:
        """Begin without a thread: most services run no match with a bot."""
        self._budget_s = budget_s
        self._worker: _Worker | None = None
        self._waiting: list[_Question] = []
        self._watch: asyncio.TimerHandle | None = None
        self._interrupted: _Question | None = None

    def ask(self, loop: asyncio.AbstractEventLoop, decide: Decide, done: Done) -> None:
        """Call `decide` in the thread, and then `done` in `loop`, with its CPU time in seconds.

        `done` is given the exception that it raised instead, or `BotTooSlow`.
        """
        if self._worker is None:
            self._worker = _Worker(loop)
        question = _Question(decide, done)
        self._waiting.append(question)
        self._worker.questions.put(question)
        if self._watch is None:
            self._watch = loop.call_later(self._budget_s, self._check, loop)

    def stop(self) -> None:
        """Ask no more bots, and let the thread end."""
        if self._watch is not None:
            self._watch.cancel()
        if self._worker is not None:
            self._worker.questions.put(None)
            self._worker.interrupt()
        self._waiting.clear()

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        """Interrupt a bot that takes too long, or leave its thread behind."""
        self._watch = None
        self._waiting = [question for question in self._waiting if not question.is_answered]
        if not self._waiting or self._worker is None:
            return
        first = self._waiting[0]
        is_late = first.began_at is not None and (
            time.monotonic() - first.began_at >= self._budget_s
        )
        if is_late and first is self._interrupted:
            # It has not even reacted to that, as within a call of C.
            first.answer(BotTooSlow(), self._budget_s)
            self._replace(loop)
        elif is_late:
            self._interrupted = first
            self._worker.interrupt()
        self._watch = loop.call_later(self._budget_s, self._check, loop)

    def _replace(self, loop: asyncio.AbstractEventLoop) -> None:
        """Go on with a new thread; the old one ends when its bot returns, if ever."""
        if self._worker is not None:
            self._worker.is_left = True
        self._worker = _Worker(loop)
        self._waiting = [question for question in self._waiting if not question.is_answered]
        for question in self._waiting:
            question.began_at = None
            self._worker.questions.put(question)


class _Worker:
    """A thread that asks one bot after the other."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.questions: SimpleQueue[_Question | None] = SimpleQueue()
        self.is_left = False
        self._loop = loop
        self._thread = threading.Thread(target=self._run, name="bots", daemon=True)
        self._thread.start()

    def interrupt(self) -> None:
        """Raise in the thread what no rules catch."""
        ident = self._thread.ident
        if ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(ident), ctypes.py_object(_Interrupted)
            )

    def _run(self) -> None:
        question: _Question | None = None
        while not self.is_left:
            # An interrupt may come late, outside of the rules: then the question is asked again.
            with suppress(_Interrupted):
                question = question or self.questions.get()
                if question is None:
                    return
                self._ask(question)
                question = None

    def _ask(self, question: _Question) -> None:
        question.began_at = time.monotonic()
        began_s = time.thread_time()
        answer: Sequence[Move] | BaseException
        try:
            answer = question.decide()
        except _Interrupted:
            answer = BotTooSlow()
        except BaseException as error:  # noqa: BLE001 - it costs this bot alone
            answer = error
        cpu_s = time.thread_time() - began_s
        with suppress(RuntimeError):
            # The loop is closed while the service stops.
            self._loop.call_soon_threadsafe(question.answer, answer, cpu_s)
