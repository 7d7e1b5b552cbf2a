"""The same relay with aiohttp alone, as its documentation shows: a task and `send_str` for each."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from typing import Any

import jwt
from aiohttp import web

SECRET = os.environ["JWT_SECRET"]

rooms: dict[str, set[web.WebSocketResponse]] = {}


def encode(message: dict[str, Any]) -> str:
    """Write a message as short as the others do."""
    return json.dumps(message, separators=(",", ":"))


async def serve(request: web.Request) -> web.WebSocketResponse:
    """Take one connection from its handshake to its end."""
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    try:
        claims = jwt.decode(request.query.get("token", ""), SECRET, algorithms=["HS256"])
    except jwt.PyJWTError:
        await ws.close(code=1008, message=b"Invalid or expired token")
        return ws
    user = {"id": claims["id"], "name": claims["name"]}
    await ws.send_str(encode({"type": "welcome", "user": user}))
    try:
        async for frame in ws:
            await receive(ws, user["id"], json.loads(frame.data))
    finally:
        for members in rooms.values():
            members.discard(ws)
    return ws


async def receive(ws: web.WebSocketResponse, user: int, message: dict[str, Any]) -> None:
    """Do what a client asks for."""
    match message:
        case {"type": "ping", "id": id_}:
            await ws.send_str(encode({"type": "pong", "id": id_}))
        case {"type": "room:join", "id": id_, "roomId": room}:
            rooms.setdefault(room, set()).add(ws)
            await ws.send_str(encode({"type": "ack", "id": id_}))
        case {"type": "signal", "roomId": room, "data": data} if ws in rooms.get(room, ()):
            text = encode({"type": "signal", "from": user, "roomId": room, "data": data})
            for other in list(rooms[room]):
                if other is not ws and not other.closed:
                    await other.send_str(text)
        case _:
            await ws.send_str(encode({"type": "error", "code": "BAD_MESSAGE", "message": "?"}))


async def main() -> None:
    """Listen at a free port and say which."""
    app = web.Application()
    app.add_routes([web.get("/", serve)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    await web.SockSite(runner, listener, backlog=4096).start()
    print(f"listening {listener.getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
