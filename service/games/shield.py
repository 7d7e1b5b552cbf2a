"""Rules of packages, called so that nothing they do harms more than their match.

Rules run on the event loop. An `exit()` in them would end the service, and an endless loop would
stop all matches. Both become a `RulesFailed`, by which the match is void and the fault is named. A
bot needs none of this: it is asked in a thread of its own (see `service.runtime.bot_thread`).
"""

from __future__ import annotations

import ctypes
import inspect
import threading
from collections.abc import Iterator
from functools import wraps
from time import monotonic, thread_time
from typing import TYPE_CHECKING, Any, cast

from service.games.protocol import Game, RulesFailed

if TYPE_CHECKING:
    from collections.abc import Callable

CPU_S_MAX = 0.5
"""How much time of a CPU one call may take, in seconds: all matches wait meanwhile."""

HANG_S = 5.0
"""A call that has not returned after so many seconds is interrupted."""

_ATTRIBUTES = tuple(Game.__annotations__)
_CALLED = tuple(
    name for name, member in vars(Game).items() if inspect.isfunction(member) and name != "bot"
)


class _Interrupted(BaseException):
    """Raised within rules that do not return, whose `except Exception` misses it."""


class _Watch:
    """Interrupts calls that do not return, from a thread of its own."""

    def __init__(self) -> None:
        self._since: dict[int, float] = {}
        """When the call that each thread is in began."""
        self._thread: threading.Thread | None = None

    def begin(self, thread: int) -> None:
        """Watch the call that a thread begins."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="rules", daemon=True)
            self._thread.start()
        self._since[thread] = monotonic()

    def end(self, thread: int) -> None:
        """Watch that call no longer."""
        self._since.pop(thread, None)

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(HANG_S / 4)
            for thread, since in self._since.copy().items():
                if monotonic() - since >= HANG_S and self._since.get(thread) == since:
                    self.end(thread)
                    _interrupt(thread)


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
            self.figures = _shielded(game.name, game.figures, is_long=True)

    def __getattr__(self, name: str) -> Any:
        """Return what the protocol does not have, as `page`."""
        return getattr(vars(self)["rules"], name)


def shielded(game: Game) -> Game:
    """Return the rules of a package to be called by the service."""
    return cast("Game", Shielded(game))


def rules_of(game: Game) -> Game:
    """Return the rules themselves, as their module has them."""
    return game.rules if isinstance(game, Shielded) else game


def _shielded(game: str, call: Callable[..., Any], *, is_long: bool = False) -> Callable[..., Any]:
    """Return a function that calls rules, and raises nothing worse than an `Exception`."""
    name = getattr(call, "__name__", "rules")

    @wraps(call)
    def called(*args: Any) -> Any:
        thread = threading.get_ident()
        try:
            try:
                if not is_long:
                    _WATCH.begin(thread)
                began_s = thread_time()
                answer = call(*args)
                if isinstance(answer, Iterator):
                    # Else they would run later, and elsewhere.
                    answer = list(answer)
                took_s = thread_time() - began_s
            finally:
                _WATCH.end(thread)
        except (Exception, KeyboardInterrupt):
            raise
        except _Interrupted:
            raise RulesFailed(
                f"{name}() of {game} has not returned for {HANG_S:g} s: it has to end, whatever it "
                "is given."
            ) from None
        except BaseException as error:
            raise RulesFailed(f"{name}() of {game} raised {error!r}.") from error
        if took_s > CPU_S_MAX and not is_long:
            raise RulesFailed(
                f"{name}() of {game} took {took_s:.2f} s, in which no match goes on: at most "
                f"{CPU_S_MAX:g} s are allowed, and a few milliseconds are usual."
            )
        return answer

    return called
