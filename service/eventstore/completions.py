"""Bridge callbacks and calls of the commit thread to results that coroutines await."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from service.eventstore.plan import Append, Committed

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.telemetry.otel import OpenSpan

    OnAppended: TypeAlias = Callable[[Committed | Exception], None]


class PendingAppend(Append, frozen=True, gc=False, kw_only=True):
    """An append, with the callback that gets its result, and its span."""

    done: OnAppended
    span: OpenSpan | None


Result = TypeVar("Result")


class Completion(Generic[Result]):
    """Bridge a commit callback to an awaitable result."""

    def __init__(self) -> None:
        """Create a future of the running loop."""
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Result] = self._loop.create_future()
        self._is_settled = False
        self._end: asyncio.Future[None] | None = None

    def settle(self, result: Result | Exception) -> None:
        """Set the result; it is dropped if the caller was cancelled."""
        self._is_settled = True
        if self._end is not None:
            self._end.set_result(None)
        if self.future.done():
            return
        if isinstance(result, Exception):
            self.future.set_exception(result)
        else:
            self.future.set_result(result)

    async def settled(self) -> None:
        """Wait until there is a result, even if `future` was cancelled."""
        if not self._is_settled:
            self._end = self._loop.create_future()
            await asyncio.shield(self._end)


class ThreadCall:
    """Bridge a function that runs in the commit thread to an awaitable result."""

    def __init__(self, call: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        """Take the function and its arguments; the future belongs to the running loop."""
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self._loop.create_future()
        self._call = call
        self._arguments = arguments

    def run(self) -> None:
        """Call the function in the commit thread, and hand its result to the loop."""
        try:
            result = self._call(*self._arguments)
        except Exception as error:  # noqa: BLE001 - it is raised in the coroutine that awaits `future`
            self._loop.call_soon_threadsafe(self._settle, None, error)
        else:
            self._loop.call_soon_threadsafe(self._settle, result, None)

    def _settle(self, result: Any, error: Exception | None) -> None:
        if self.future.done():
            return
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)
