"""Generate the OpenAPI 3.1 document from the table of routes."""

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

COMMON_PROBLEMS = (400, 401, 429)
"""The error statuses of every route."""

DESCRIPTION = """\
The HTTP API of ws-service: who is online, rooms, the match history, replays, and operations for
other services of the platform. The state of a match is what a spectator may see of it.

A request needs a valid JWT of a user or of another service; the claim `scope` (a text with spaces,
or a list) says what a service may do. Errors are problem details (RFC 9457). Lists are paginated:
get the next page with the `cursor` of the one before.
"""


def document() -> Schema:
    """Return the document."""
    types = {
        one
        for route in ROUTES
        for one in (route.params_type, route.response_type)
        if one is not None
    }
    in_order = sorted(types | {Problem}, key=lambda one: one.__name__)
    _, schemas = msgspec.json.schema_components(in_order, ref_template=REFERENCE)
    paths: Schema = {}
    for route in ROUTES:
        path = paths.setdefault(f"{PREFIX}{VERSION}{route.path}", {})
        path[route.method.lower()] = _operation(route, schemas)
    in_the_url = {route.params_type.__name__ for route in ROUTES if not route.has_body}
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
        body = {"schema": _reference(route.params_type)}
        operation["requestBody"] = {"required": True, "content": {"application/json": body}}
    else:
        operation["parameters"] = list(_parameters(route, schemas[route.params_type.__name__]))
    return {**operation, "responses": _responses(route)}


def _parameters(route: Route[Any], schema: Schema) -> Iterator[Schema]:
    for name, described in schema["properties"].items():
        # Optional parameters are null in Python, which a URL can't express.
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
    if route.response_type is None:
        responses["204"] = {"description": "Done."}
    elif route.ndjson:
        content = {"application/x-ndjson": {"schema": _reference(route.response_type)}}
        responses["200"] = {"description": "One JSON object per line.", "content": content}
    else:
        content = {"application/json": {"schema": _reference(route.response_type)}}
        responses["200"] = {"description": "The result.", "content": content}
    if route.method == "GET" and not route.ndjson:
        responses["200"]["headers"] = {
            "ETag": {
                "description": "Identifies this version of the result.",
                "schema": {"type": "string"},
            }
        }
        responses["304"] = {"description": "The result still has the ETag of `If-None-Match`."}
    scoped = () if route.scope is None else (403,)
    for status in sorted({*COMMON_PROBLEMS, *route.problems, *scoped}):
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
