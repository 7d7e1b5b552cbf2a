"""Write docs/reference.md from the code; `--check` fails if the committed file differs."""

import importlib
import inspect
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import typer
from typer.core import TyperGroup

from service import protocol as messages
from service.cli.commands import app
from service.domain.events import EVENT_TYPES
from service.edge.close_codes import REFUSED_HANDSHAKES, CloseCode
from service.errors import ClientError
from service.protocol.features import FEATURES
from service.settings import Settings, describe
from service.telemetry import Metrics

REFERENCE = Path(__file__).parent.parent / "docs" / "reference.md"

INTRODUCTION = """# Reference

Generated from the code by `make reference`; do not edit.
"""


def first_sentence(thing: object) -> str:
    """Return the first paragraph of a docstring as one line."""
    return (
        inspect.cleandoc(getattr(thing, "__doc__", None) or "").split("\n\n")[0].replace("\n", " ")
    )


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(list(head))
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
    yield ""


def type_name(annotation: Any) -> str:
    """Describe a JSON type in a short readable form."""
    (schema,), parts = msgspec.json.schema_components([annotation], ref_template="{name}")
    return _describe(schema, parts)


def _describe(schema: dict[str, Any], parts: dict[str, Any]) -> str:
    if "$ref" in schema:
        part = parts[schema["$ref"]]
        fields = ", ".join(
            f"{name}: {_describe(field, parts)}" for name, field in part["properties"].items()
        )
        return f"{{{fields}}}"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_describe(one, parts) for one in schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(f'"{value}"' for value in schema["enum"])
    if schema.get("type") == "array":
        return f"[{_describe(schema['items'], parts)}, ...]"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"{{id: {_describe(schema['additionalProperties'], parts)}}}"
    return str(schema.get("type", "any"))


def fields_of(message: type[msgspec.Struct]) -> str:
    """Describe the fields of a message in one line."""
    fields = [
        f"{field.encode_name}{'' if field.required else '?'}: {type_name(field.type)}"
        for field in msgspec.structs.fields(message)
    ]
    return f"`{{{', '.join(fields)}}}`" if fields else ""


def message_rows(union: Any) -> Iterator[tuple[str, str, str]]:
    """Describe the messages of one direction."""
    for message in get_args(union):
        tag = message.__struct_config__.tag
        yield f"`{tag}`", fields_of(message), first_sentence(message)


def errors() -> list[type[ClientError]]:
    """Find every error with a code, in the order of the codes."""
    # The composition root imports every part, and so every error.
    importlib.import_module("service.app")
    found, waiting = set(), [ClientError]
    while waiting:
        error = waiting.pop()
        waiting += error.__subclasses__()
        if "code" in vars(error):
            found.add(error)
    return sorted(found, key=lambda error: error.code)


def commands() -> Iterator[tuple[str, str]]:
    """Yield the commands of the command line with their help."""
    waiting = [("ws-service", typer.main.get_command(app))]
    for name, command in waiting:
        if isinstance(command, TyperGroup):
            context = command.make_context(name, [], resilient_parsing=True)
            for verb in command.list_commands(context):
                found = command.get_command(context, verb)
                if found is not None:
                    waiting.append((f"{name} {verb}", found))
        if not isinstance(command, TyperGroup) or command.invoke_without_command:
            yield f"`{name}`", first_line(command.help)


def first_line(text: str | None) -> str:
    """Return the first paragraph of a help text."""
    return inspect.cleandoc(text or "").split("\n\n")[0].replace("\n", " ")


def metrics() -> Iterator[tuple[str, str, str, str]]:
    """Yield all metrics by the names that queries use."""
    all_ = Metrics()
    suffixes = {"counter": "_total", "info": "_info"}
    for family in sorted(all_.registry.collect(), key=lambda family: family.name):
        name, label = family.name + suffixes.get(family.type, ""), all_.labels.get(family.name)
        yield f"`{name}`", family.type, f"`{label}`" if label else "", family.documentation


def reference() -> str:
    """Return the whole page."""
    lines = [INTRODUCTION, *_settings(), *_messages(), *_codes(), *_metrics(), *_events()]
    return "\n".join(lines).rstrip() + "\n"


def _settings() -> Iterator[str]:
    rows = (
        (f"`{row.env}`", f"`{row.default}`" if row.default else "", row.unit, row.allowed, row.help)
        for row in describe(Settings())
    )
    yield "## Settings\n"
    yield from table(("variable", "default", "unit", "allowed", "help"), rows)
    yield "## Commands\n"
    yield from table(("command", "help"), sorted(commands()))


def _messages() -> Iterator[str]:
    head = ("type", "fields", "meaning")
    for title, union in (
        ("Messages of the classic contract, from a client", messages.FromClassicClient),
        ("Messages of the classic contract, to a client", messages.ToClassicClient),
        ("Messages of protocol v1, from a client", messages.FromV1Client),
        ("Messages of protocol v1, to a client", messages.ToV1Client),
    ):
        yield f"## {title}\n"
        yield from table(head, message_rows(union))
    yield "## Features\n"
    yield (
        "What `welcome.features` lists: what this version knows beyond the protocol v1 of 0.1.0.\n"
    )
    yield from table(("name", "meaning"), ((f"`{name}`", meaning) for name, meaning in FEATURES))


def _codes() -> Iterator[str]:
    yield "## Error codes\n"
    yield "An `error` never closes the connection, and what it refuses has not happened.\n"
    rows = ((f"`{error.code}`", first_sentence(error)) for error in errors())
    yield from table(("code", "meaning"), rows)
    yield "## Close codes\n"
    closes = ((f"`{int(one)}`", one.description) for one in CloseCode)
    yield from table(("code", "meaning"), closes)
    yield "## Refused handshakes\n"
    yield "By the `error_code` of the log line and of `ws_handshakes_refused_total`. A browser"
    yield "can't read an HTTP status of an upgrade: it sees 429 and 503 as the close code 1006.\n"
    refused = ((f"`{code}`", seen, meaning) for code, seen, meaning in REFUSED_HANDSHAKES)
    yield from table(("error_code", "the client sees", "meaning"), refused)


def _metrics() -> Iterator[str]:
    yield "## Metrics\n"
    yield "`GET /metrics` shows them, in the text format of Prometheus or in OpenMetrics. A"
    yield "histogram has the series `_bucket`, `_count` and `_sum`.\n"
    yield from table(("name", "type", "label", "meaning"), metrics())


def _events() -> Iterator[str]:
    yield "## Events\n"
    yield "What the log holds. A field is never given another meaning; a new form of an event gets"
    yield "a higher schema version.\n"
    rows = (
        (
            f"`{event.type}`",
            ", ".join(f"`{name}`" for name in event.__struct_encode_fields__),
            first_sentence(event),
        )
        for event in sorted(EVENT_TYPES, key=lambda event: event.type)
    )
    yield from table(("type", "fields", "meaning"), rows)


def main() -> None:
    """Write the page, or with `--check` compare it."""
    if sys.argv[1:] != ["--check"]:
        REFERENCE.write_text(reference())
    elif not REFERENCE.exists() or REFERENCE.read_text() != reference():
        sys.exit("docs/reference.md is not what the code says: run `make reference`")


if __name__ == "__main__":
    main()
