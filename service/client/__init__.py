"""The client of protocol v1 for bots, tests, the command line and benchmarks.

    async with connect("ws://127.0.0.1:4000", token) as client:
        made = await client.command("room:create", game="connect_four")
        async for message in client:
            if message["type"] == "game:over":
                break

The client reconnects after every loss of the connection and resumes: each message is delivered
once and in order, and each command is carried out at most once. docs/protocol.md describes the
protocol.
"""

from service.client.client import Client as Client
from service.client.connecting import connect as connect
from service.client.errors import Closed as Closed
from service.client.errors import NoAnswer as NoAnswer
from service.client.errors import Refused as Refused
from service.client.state import Message as Message
from service.client.tokens import Token as Token
