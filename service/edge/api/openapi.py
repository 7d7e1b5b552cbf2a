"""The OpenAPI 3.1 document of the API, made from its table of routes."""

from __future__ import annotations

import inspect
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from service import __version__
from service.edge.api.problems import MEDIA_TYPE, Problem, title_of
from service.edge.api.routes import ROUTES
from service.edge.api.server import PREFIX, VERSION
from service.edge.api.shapes import BEYOND_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.edge.api.calls import Route

Schema: TypeAlias = dict[str, Any]

REFERENCE = "#/components/schemas/{name}"

EVERYWHERE = (400, 401, 429)
"""The problems that any request may have."""

DESCRIPTION = """\
What stands beside the sockets of ws-service: who is online, rooms, the match history, matches
played again, and what other services of the platform may do. A view has what a spectator may see.

A request needs a JWT that the service accepts, of a user or of another service, whose claim `scope`
(a text with spaces, or a list) says what it may do. Whatever is refused is answered with a problem
(RFC 9457). Lists come in pages: ask for the next one with the `cursor` of the one before.
"""


def document() -> Schema:
    """Make the document."""
    types = {one for route in ROUTES for one in (route.asks, route.answers) if one is not None}
    in_order = sorted(types | {Problem}, key=lambda one: one.__name__)
    _, schemas = msgspec.json.schema_components(in_order, ref_template=REFERENCE)
    paths: Schema = {}
    for route in ROUTES:
        path = paths.setdefault(f"{PREFIX}{VERSION}{route.path}", {})
        path[route.method.lower()] = _operation(route, schemas)
    in_the_url = {route.asks.__name__ for route in ROUTES if not route.has_body}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ws-service",
            "version": __version__,
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {
                name: {**schema, **_description(schema), **BEYOND_TYPES.get(name, {})}
                for name, schema in sorted(schemas.items())
                if name not in in_the_url
            },
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
    }


def _description(schema: Schema) -> Schema:
    """Return the docstring without its indentation, which Python 3.13 does not keep either."""
    text = schema.get("description")
    return {} if text is None else {"description": inspect.cleandoc(text)}


def _operation(route: Route[Any], schemas: Schema) -> Schema:
    operation: Schema = {
        "operationId": _camel(route.name),
        "summary": route.help,
        "tags": [route.path.split("/")[1]],
        "security": [{"token": [] if route.scope is None else [route.scope]}],
    }
    if route.has_body:
        body = {"schema": _reference(route.asks)}
        operation["requestBody"] = {"required": True, "content": {"application/json": body}}
    else:
        operation["parameters"] = list(_parameters(route, schemas[route.asks.__name__]))
    return {**operation, "responses": _responses(route)}


def _parameters(route: Route[Any], schema: Schema) -> Iterator[Schema]:
    for name, described in schema["properties"].items():
        # What may be left away is null in Python; that can't stand in a URL.
        kinds = [one for one in described.get("anyOf", [described]) if one != {"type": "null"}]
        kind = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
        default = described.get("default")
        shown = {key: value for key, value in kind.items() if key != "description"}
        if default is not None:
            shown["default"] = default
        in_path = f"{{{name}}}" in route.path
        yield {
            "name": name,
            "in": "path" if in_path else "query",
            "required": name in schema["required"],
            "description": kind.get("description", ""),
            "schema": shown,
        }


def _responses(route: Route[Any]) -> Schema:
    responses: Schema = {}
    if route.answers is None:
        responses["204"] = {"description": "It is done."}
    elif route.lines:
        content = {"application/x-ndjson": {"schema": _reference(route.answers)}}
        responses["200"] = {"description": "A line for each.", "content": content}
    else:
        content = {"application/json": {"schema": _reference(route.answers)}}
        responses["200"] = {"description": "The answer.", "content": content}
    if route.method == "GET" and not route.lines:
        responses["200"]["headers"] = {
            "ETag": {"description": "Names the answer.", "schema": {"type": "string"}}
        }
        responses["304"] = {"description": "The answer is the one that `If-None-Match` names."}
    scoped = () if route.scope is None else (403,)
    for status in sorted({*EVERYWHERE, *route.problems, *scoped}):
        responses[str(status)] = {
            "description": title_of(HTTPStatus(status)),
            "content": {MEDIA_TYPE: {"schema": _reference(Problem)}},
        }
    return responses


def _reference(type_: type) -> Schema:
    return {"$ref": REFERENCE.format(name=type_.__name__)}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)
