"""A log closed by a failing fold reports the fold's error."""

import asyncio

import pytest

from service.domain.projections.world import FoldFailed
from service.errors import Unavailable
from service.eventstore.writer import writer_error_raised


async def test_the_fold_error_that_stopped_the_log_is_reported() -> None:
    failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def write() -> None:
        await failure

    writer = asyncio.create_task(write())
    with pytest.raises(Unavailable), writer_error_raised(writer):
        raise Unavailable("The log is full.")
    failure.set_exception(FoldFailed(7, "node.started", ZeroDivisionError()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with pytest.raises(FoldFailed), writer_error_raised(writer):
        raise Unavailable("The log is closed.")
