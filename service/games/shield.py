"""Rules of packages, called so that nothing they do harms more than their match.

Rules run on the event loop. An `exit()` in them would end the service, and an endless loop would
stop all matches. Both become a `RulesFailed`, by which the match is void and the fault is named. A
bot needs none of this: it is asked in a thread of its own (see `service.runtime.bot_thread`).
"""

from __future__ import annotations

import ctypes
import inspect
import threading
from functools import wraps
from threading import get_ident
from time import monotonic, sleep, thread_time
from typing import TYPE_CHECKING, Any, cast

from service.games.protocol import Game, RulesFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CPU_S_MAX = 0.5
"""How much time of a CPU one call may take, in seconds: all matches wait meanwhile."""

ARRIVAL_S = 0.5
"""How long an interrupt may take from its decision until it arrives."""

HANG_S = 5.0
"""A call that has not returned after so many seconds is interrupted."""

LOOKS = 5
"""So often a call is looked at until then; a time in which the whole process stood still is one."""

_ATTRIBUTES = tuple(Game.__annotations__)
_CALLED = tuple(
    name for name, member in vars(Game).items() if inspect.isfunction(member) and name != "bot"
)


class _Interrupted(BaseException):
    """Raised within rules that do not return, whose `except Exception` misses it."""


class _Watch:
    """Interrupts calls that do not return, from a thread of its own."""

    def __init__(self) -> None:
        self._calls: dict[int, list[None]] = {}
        """The last call of each thread, as a list with one element until it is over."""
        self._thread: threading.Thread | None = None

    def begin(self) -> list[None]:
        """Watch the call that this thread begins, until `end`."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="rules", daemon=True)
            self._thread.start()
        call: list[None] = [None]
        self._calls[get_ident()] = call
        return call

    def end(self, call: list[None]) -> None:
        """Watch a call no longer that has returned, or raised something else than an interrupt.

        One that is being interrupted just now waits until that has arrived: it must not reach what
        the thread does next. Rules that have swallowed it are not waited for.
        """
        if not _take(call):
            until = monotonic() + ARRIVAL_S
            while monotonic() < until:
                sleep(0.001)

    def _run(self) -> None:
        pause, looks = threading.Event(), Looks()
        while True:
            pause.wait(HANG_S / LOOKS)
            calls = self._calls.copy()
            for thread in looks.hanging(calls):
                if _take(calls[thread]):
                    _interrupt(thread)


class Looks:
    """How often each call has been looked at."""

    def __init__(self) -> None:
        """Begin without any."""
        self._seen: dict[int, tuple[list[None], int]] = {}

    def hanging(self, calls: Mapping[int, list[None]]) -> list[int]:
        """Look at the calls of threads; return the threads whose call has been seen too often."""
        for thread, call in calls.items():
            before, count = self._seen.get(thread, (None, 0))
            self._seen[thread] = call, count + 1 if call is before else 0
        return [thread for thread in calls if self._seen[thread][1] >= LOOKS]


def _take(call: list[None]) -> bool:
    """End a call, for the one thread that does so first; return whether that was this one."""
    try:
        call.pop()
    except IndexError:
        return False
    return True


def _interrupt(thread: int) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), ctypes.py_object(_Interrupted)
    )


_WATCH = _Watch()


class Shielded:
    """The rules of a game; all that is not called is that of the game itself."""

    def __init__(self, game: Game) -> None:
        """Call `game`, which has all members of the protocol."""
        self.rules = game
        for name in _ATTRIBUTES:
            setattr(self, name, getattr(game, name))
        for name in _CALLED:
            setattr(self, name, _shielded(game.name, getattr(game, name)))
        if hasattr(game, "figures"):
            # It runs a whole match.
            self.figures = _contained(game.name, game.figures)

    def __getattr__(self, name: str) -> Any:
        """Return what the protocol does not have, as `page`."""
        return getattr(vars(self)["rules"], name)


def shielded(game: Game) -> Game:
    """Return the rules of a package to be called by the service."""
    return cast("Game", Shielded(game))


def rules_of(game: Game) -> Game:
    """Return the rules themselves, as their module has them."""
    return game.rules if isinstance(game, Shielded) else game


def _shielded(game: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that calls rules, for a limited time."""
    name = _name_of(call)

    # Some of these are called for each tick of a match: hence no other function in between.
    @wraps(call)
    def called(*args: Any) -> Any:
        try:
            watched = _WATCH.begin()
            try:
                began_s = thread_time()
                answer = call(*args)
                if hasattr(answer, "__next__"):
                    # An iterator would run later, and elsewhere.
                    answer = list(answer)
                took_s = thread_time() - began_s
            except _Interrupted:
                raise
            except BaseException:
                _WATCH.end(watched)
                raise
            _WATCH.end(watched)
        except (Exception, KeyboardInterrupt):
            raise
        except _Interrupted:
            raise RulesFailed(
                f"{name}() of {game} has not returned for {HANG_S:g} s: it has to end, whatever it "
                "is given."
            ) from None
        except BaseException as error:
            raise RulesFailed(f"{name}() of {game} raised {error!r}.") from error
        if took_s > CPU_S_MAX:
            raise RulesFailed(
                f"{name}() of {game} took {took_s:.2f} s, in which no match goes on: at most "
                f"{CPU_S_MAX:g} s are allowed, and a few milliseconds are usual."
            )
        return answer

    return called


def _contained(game: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that calls rules, and raises nothing of them but an `Exception`."""
    name = _name_of(call)

    @wraps(call)
    def called(*args: Any) -> Any:
        try:
            answer = call(*args)
            return list(answer) if hasattr(answer, "__next__") else answer
        except (Exception, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise RulesFailed(f"{name}() of {game} raised {error!r}.") from error

    return called


def _name_of(call: Callable[..., Any]) -> str:
    return getattr(call, "__name__", "rules")
