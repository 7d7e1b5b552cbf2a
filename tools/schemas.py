"""JSON Schemas of the messages, exact for each dialect and direction.

What msgspec says of a type is completed by what the edge does: in protocol v1 a message of a
client may carry an `id`, and no field that is not known, and what follows from the log carries a
`position`; what the service sends has all of its fields.
"""

from collections.abc import Iterator, Mapping
from inspect import cleandoc
from typing import Any, TypeAlias, get_args

import msgspec
from msgspec import inspect

from service import protocol as messages
from service.protocol import FromClientMessage, ToClientMessage, classic, v1
from service.protocol.base import COMMAND_ID_LENGTH_MAX

Schema: TypeAlias = dict[str, Any]

WITH_POSITION: frozenset[type[ToClientMessage]] = frozenset(
    {
        v1.InviteReceived,
        classic.InviteDeclined,
        v1.InviteExpired,
        classic.MatchmakingSearching,
        classic.MatchmakingCancelled,
        v1.MatchmakingBotOffer,
        classic.RoomStart,
        v1.RoomJoined,
        v1.RoomLeft,
        v1.RoomClosed,
        classic.GameReady,
        v1.GameStart,
        v1.GameMoved,
        v1.GamePaused,
        v1.GameResumed,
        v1.GameOver,
        v1.ChatMessage,
    }
)
"""Messages of protocol v1 that follow from an event; a test compares them with the fan-out."""

_COMMAND_ID: Schema = {
    "description": "Asks for an answer, which has it, too; the same id again changes nothing.",
    "type": "string",
    "minLength": 1,
    "maxLength": COMMAND_ID_LENGTH_MAX,
}
_POSITION: Schema = {
    "description": "The position of its event in the log; absent in messages about present state.",
    "type": "integer",
    "minimum": 1,
}


class DialectOfContract(msgspec.Struct, frozen=True):
    """The messages of one dialect, and the name of its documents."""

    name: str
    protocol: str
    from_client: Any
    to_client: Any

    @property
    def has_ids(self) -> bool:
        """Whether messages have command ids and positions."""
        return self is V1

    def types(self) -> tuple[type[FromClientMessage | ToClientMessage], ...]:
        """All messages, those from a client first."""
        return (*get_args(self.from_client), *get_args(self.to_client))


CLASSIC = DialectOfContract(
    "classic", "ws-service.classic", messages.FromClassicClient, messages.ToClassicClient
)
V1 = DialectOfContract("v1", "ws-service.v1", messages.FromV1Client, messages.ToV1Client)


def schemas_of(dialect: DialectOfContract, ref_template: str) -> dict[str, Schema]:
    """Return the schemas of all messages and of their components by name."""
    _, found = msgspec.json.schema_components(dialect.types(), ref_template=ref_template)
    schemas = {name: readable(schema) for name, schema in found.items()}
    for struct in structs_in(dialect.to_client):
        require_all(struct, schemas[struct.__name__])
    for message in dialect.types():
        properties = schemas[message.__name__]["properties"]
        if not dialect.has_ids:
            properties.pop("id", None)
        elif issubclass(message, FromClientMessage):
            properties["id"] = _COMMAND_ID
            schemas[message.__name__]["additionalProperties"] = False
        elif message in WITH_POSITION:
            properties["position"] = _POSITION
    return schemas


def all_schemas() -> Schema:
    """Return one JSON Schema with every message; the names of the classic ones say so."""
    template = "#/$defs/{name}"
    definitions = dict(schemas_of(V1, template))
    renamed = {message.__name__: f"Classic{message.__name__}" for message in CLASSIC.types()}
    for name, schema in schemas_of(CLASSIC, template).items():
        new_name = renamed.get(name, name)
        definitions[new_name] = {**_renamed(schema, renamed), "title": new_name}
    unions = {
        "FromV1Client": [one.__name__ for one in get_args(V1.from_client)],
        "ToV1Client": [one.__name__ for one in get_args(V1.to_client)],
        "FromClassicClient": [renamed[one.__name__] for one in get_args(CLASSIC.from_client)],
        "ToClassicClient": [renamed[one.__name__] for one in get_args(CLASSIC.to_client)],
    }
    for union, names in unions.items():
        refs = [{"$ref": template.format(name=name)} for name in names]
        definitions[union] = {"title": union, "anyOf": refs}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Messages",
        "description": "Every message of both dialects and directions; take one by its name.",
        "anyOf": [{"$ref": template.format(name=union)} for union in unions],
        "$defs": dict(sorted(definitions.items())),
    }


def unwrapped(docstring: str | None) -> str:
    """Return a docstring with each paragraph joined to one line."""
    paragraphs = cleandoc(docstring or "").split("\n\n")
    return "\n\n".join(paragraph.replace("\n", " ") for paragraph in paragraphs)


def readable(schema: Any) -> Any:
    """Return a schema without keywords that AsyncAPI lacks; one allowed value becomes `const`."""
    if isinstance(schema, list):
        return [readable(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: readable(value) for key, value in schema.items() if key != "discriminator"}
    if isinstance(kept.get("enum"), list) and len(kept["enum"]) == 1:
        (kept["const"],) = kept.pop("enum")
    if isinstance(kept.get("description"), str):
        kept["description"] = unwrapped(kept["description"])
    return kept


def _renamed(schema: Any, names: Mapping[str, str]) -> Any:
    """Return a schema with renamed references."""
    if isinstance(schema, list):
        return [_renamed(one, names) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        path, _, name = schema["$ref"].rpartition("/")
        return {"$ref": f"{path}/{names.get(name, name)}"}
    return {key: _renamed(value, names) for key, value in schema.items()}


def require_all(struct: type[msgspec.Struct], schema: Schema) -> None:
    """Mark all fields of sent structs as required, except those that may be unset."""
    tag = [struct.__struct_config__.tag_field] if struct.__struct_config__.tag else []
    schema["required"] = tag + [
        field.encode_name
        for field in msgspec.structs.fields(struct)
        if field.default is not msgspec.UNSET
    ]
    for property_ in schema["properties"].values():
        property_.pop("default", None)


def structs_in(type_: Any) -> set[type[msgspec.Struct]]:
    """Return the structs of a type, nested ones included."""
    found: set[type[msgspec.Struct]] = set()

    def parts_of(one: inspect.Type) -> Iterator[inspect.Type]:
        match one:
            case inspect.StructType(cls) if cls not in found:
                found.add(cls)
                yield from (field.type for field in one.fields)
            case inspect.UnionType(types):
                yield from types
            case inspect.ListType(item):
                yield item
            case _:
                pass

    waiting = [inspect.type_info(type_)]
    while waiting:
        waiting += parts_of(waiting.pop())
    return found
