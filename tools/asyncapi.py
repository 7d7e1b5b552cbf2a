"""Write the contract documents from the code, to where the service and its wheel have them.

    python -m tools.asyncapi            # writes service/web/docs/contract/
    python -m tools.asyncapi --check    # fails when what is committed is not that

There is an AsyncAPI document for each dialect, one JSON Schema with every message, and one with
what each game takes and shows.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec

from service import __version__
from service.edge.close_codes import CloseCode
from service.edge.http.dev_tokens import BadName
from service.games.catalogue import GAMES
from service.protocol import FromClientMessage, ToClientMessage, classic, v1
from service.protocol.frame_rates import FRAME_HZ, FRAME_HZ_MAX
from tools import reference
from tools.examples import FROM_CLIENT, TO_CLIENT
from tools.game_types import games_schema
from tools.schemas import (
    CLASSIC,
    V1,
    WITH_POSITION,
    DialectOfContract,
    Schema,
    all_schemas,
    readable,
    schemas_of,
    unwrapped,
)

CONTRACT = Path(__file__).parent.parent / "service" / "web" / "docs" / "contract"

MESSAGE = "#/components/messages/"
SCHEMA = "#/components/schemas/"
CHANNEL = "#/channels/socket"

EXAMPLE_ID = "a1-17"
EXAMPLE_POSITION = 841

TITLES = {CLASSIC.name: "ws-service: the classic contract", V1.name: "ws-service: protocol v1"}

DESCRIPTIONS = {
    CLASSIC.name: (
        "What a client speaks that offers no WebSocket subprotocol, or `ws-service.classic`. "
        "Messages are JSON text frames: flat objects with a `type` and camelCase fields. A frame "
        "that is wrong is answered with `error`, and the connection stays open."
    ),
    V1.name: (
        "What a client speaks that offers the WebSocket subprotocol `ws-service.v1`. Messages are "
        "JSON text frames: flat objects with a `type` and camelCase fields. Any message of a "
        "client may carry an `id`; it is answered by `ack` when its events are committed, or by "
        "`error`. What follows from the log carries its `position`, from which a client that was "
        "away resumes with `?since=`. docs/protocol.md tells the whole."
    ),
}


OPTIONS = (
    "The options of every room, which docs/protocol.md lists, and those of the game: `x-games` has "
    "their schemas for the built-in games, and `GET /api/v1/games` for all. One that is left out "
    "has its default."
)


def example_of(
    message: type[FromClientMessage | ToClientMessage], dialect: DialectOfContract
) -> dict[str, Any]:
    """Return the example of a message in the wire form of a dialect."""
    if issubclass(message, FromClientMessage):
        id_ = {"id": EXAMPLE_ID} if dialect.has_ids else {}
        return {"type": message.__struct_config__.tag, **id_, **FROM_CLIENT[message]}
    wire: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(TO_CLIENT[message]))
    if dialect.has_ids and message in WITH_POSITION:
        wire["position"] = EXAMPLE_POSITION
    return wire


def document(dialect: DialectOfContract) -> dict[str, Any]:
    """Return the AsyncAPI document of a dialect."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": TITLES[dialect.name],
            "version": __version__,
            "description": DESCRIPTIONS[dialect.name],
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "default": {
                "host": "127.0.0.1:4000",
                "protocol": "ws",
                "description": "As it listens when nothing is set; in public, behind TLS (wss).",
                "security": [
                    {"$ref": "#/components/securitySchemes/query"},
                    {"$ref": "#/components/securitySchemes/header"},
                    {"$ref": "#/components/securitySchemes/subprotocol"},
                ],
            }
        },
        "channels": {"socket": channel(dialect)},
        "operations": operations(dialect),
        "components": {
            "messages": {one.__name__: message(one, dialect) for one in dialect.types()},
            "schemas": schemas(dialect),
            "securitySchemes": security_schemes(dialect),
        },
        "x-error-codes": [
            {"code": error.code, "description": unwrapped(error.__doc__)}
            for error in reference.errors()
            if error is not BadName
        ],
        "x-close-codes": [{"code": int(one), "description": one.description} for one in CloseCode],
    }


def schemas(dialect: DialectOfContract) -> dict[str, Schema]:
    """Return the schemas of all messages; those that create rooms name the options of games."""
    written = schemas_of(dialect, SCHEMA + "{name}")
    if dialect is V1:
        types = {name: game.options_type for name, game in GAMES.items()}
        refs, options = msgspec.json.schema_components(
            types.values(), ref_template=SCHEMA + "{name}"
        )
        for name, schema in options.items():
            written[name] = {**readable(schema), "additionalProperties": False}
        for message in ("RoomCreate", "RoomJoin"):
            written[message]["properties"]["options"] |= {
                "description": OPTIONS,
                "x-games": dict(zip(types, refs, strict=True)),
            }
    return written


def channel(dialect: DialectOfContract) -> dict[str, Any]:
    """Describe the channel of the socket, with the parameters of its handshake."""
    return {
        "address": "/",
        "title": "The WebSocket",
        "description": "The same at `/ws`.",
        "messages": {one.__name__: {"$ref": MESSAGE + one.__name__} for one in dialect.types()},
        "bindings": {
            "ws": {
                "method": "GET",
                "query": {"type": "object", "properties": query(dialect)},
                "headers": {"type": "object", "properties": headers(dialect)},
                "bindingVersion": "0.1.0",
            }
        },
    }


def query(dialect: DialectOfContract) -> dict[str, Schema]:
    """Describe the query parameters."""
    token = {"type": "string", "description": "The JWT, where no header has it."}
    if dialect is CLASSIC:
        return {"token": token}
    return {
        "token": token,
        "since": {
            "type": "integer",
            "minimum": 0,
            "description": "The last position received; messages after it are sent first.",
        },
        "epoch": {"type": "string", "description": "The `epoch` of `welcome`, with `since`."},
        "frameHz": {
            "type": "integer",
            "enum": list(FRAME_HZ),
            "default": FRAME_HZ_MAX,
            "description": "The frame rate of the states of live matches.",
        },
    }


def headers(dialect: DialectOfContract) -> dict[str, Schema]:
    """Describe the headers of the handshake."""
    return {
        "Authorization": {"type": "string", "description": "`Bearer <JWT>`"},
        "Sec-WebSocket-Protocol": {
            "type": "string",
            "description": f"`{dialect.protocol}`, and also `bearer.<JWT>` in place of a "
            "token elsewhere.",
            "examples": [dialect.protocol, f"{dialect.protocol}, bearer.<JWT>"],
        },
    }


def security_schemes(dialect: DialectOfContract) -> dict[str, Any]:
    """Describe the three ways to pass a token."""
    return {
        "query": {"type": "httpApiKey", "name": "token", "in": "query"},
        "header": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "subprotocol": {
            "type": "httpApiKey",
            "name": "Sec-WebSocket-Protocol",
            "in": "header",
            "description": f"`bearer.<JWT>` next to `{dialect.protocol}`; never echoed.",
        },
    }


def operations(dialect: DialectOfContract) -> dict[str, Any]:
    """Describe both directions from the service's point of view."""
    answers: list[type[ToClientMessage]] = [classic.Error]
    if dialect is V1:
        answers += [v1.Ack, v1.Pong]
    return {
        "fromClient": {
            "action": "receive",
            "summary": "What a client sends.",
            "channel": {"$ref": CHANNEL},
            "messages": references(get_args(dialect.from_client)),
            "reply": {"channel": {"$ref": CHANNEL}, "messages": references(answers)},
        },
        "toClient": {
            "action": "send",
            "summary": "What the service sends.",
            "channel": {"$ref": CHANNEL},
            "messages": references(get_args(dialect.to_client)),
        },
    }


def references(types: Iterable[type[msgspec.Struct]]) -> list[dict[str, str]]:
    """Return references to messages of the channel."""
    return [{"$ref": f"{CHANNEL}/messages/{one.__name__}"} for one in types]


def message(
    type_: type[FromClientMessage | ToClientMessage], dialect: DialectOfContract
) -> dict[str, Any]:
    """Describe one message."""
    tag = type_.__struct_config__.tag
    summary, _, description = unwrapped(type_.__doc__).partition("\n\n")
    written: dict[str, Any] = {"name": tag, "title": tag, "summary": summary}
    if description:
        written["description"] = description
    if dialect.has_ids and type_ in WITH_POSITION:
        written["tags"] = [{"name": "position", "description": "Follows from the log."}]
    if dialect.has_ids and "id" in type_.__struct_fields__:
        written["correlationId"] = {"location": "$message.payload#/id"}
    written["payload"] = {"$ref": SCHEMA + type_.__name__}
    written["examples"] = [{"payload": example_of(type_, dialect)}]
    return written


def documents() -> Iterator[tuple[Path, str]]:
    """Yield each document with its path."""
    written = {
        "asyncapi-classic.json": document(CLASSIC),
        "asyncapi-v1.json": document(V1),
        "messages.schema.json": all_schemas(),
        "games.schema.json": games_schema(),
    }
    for name, content in written.items():
        yield CONTRACT / name, json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the documents, or with `--check` compare them."""
    for path, text in documents():
        if sys.argv[1:] != ["--check"]:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            sys.exit(f"{path.name} is not what the code says: run `make reference`")


if __name__ == "__main__":
    main()
