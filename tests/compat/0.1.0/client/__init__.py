"""The client of protocol v1 for bots, tests, the command line and benchmarks.

    async with connect("ws://127.0.0.1:4000", token) as client:
        made = await client.command("room:create", game="connect_four")
        async for message in client:
            if message["type"] == "game:over":
                break

It comes back after every loss and resumes, so each message comes once and in order, and each
command is carried out once. docs/protocol.md describes the wire.
"""

from .client import Client as Client
from .client import Token as Token
from .client import connect as connect
from .errors import Closed as Closed
from .errors import NoAnswer as NoAnswer
from .errors import Refused as Refused
from .memory import Message as Message
