"""A fake Elasticsearch that accepts documents by `_bulk` only.

The real one can't be run where these tests run; what it would do with a document (mappings,
searches) is not tested by this.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web


class StandInForElasticsearch:
    """Keeps every document that was sent to it."""

    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []
        self.actions: list[dict[str, Any]] = []
        self.port = 0
        self._news = asyncio.Condition()

    async def hold(self, count: int) -> None:
        """Wait until so many documents have arrived."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.documents) >= count)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen at a free port."""
        app = web.Application()
        app.add_routes([web.post("/_bulk", self._bulk), web.get("/_cat/health", self._health)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        try:
            yield
        finally:
            await runner.cleanup()

    async def _bulk(self, request: web.Request) -> web.Response:
        """Take lines in pairs: what to do, and with which document."""
        lines = [json.loads(line) for line in (await request.text()).splitlines()]
        self.actions += lines[::2]
        self.documents += lines[1::2]
        async with self._news:
            self._news.notify_all()
        items = [{"create": {"status": 201}} for _ in lines[::2]]
        return web.json_response({"took": 1, "errors": False, "items": items})

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response({})
