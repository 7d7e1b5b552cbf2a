"""Validate log lines against all fields of ECS and those of the log contract."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_LINES = (Path(__file__).parent / "fields.txt").read_text().splitlines()
FIELDS = dict(line.split() for line in _LINES if not line.startswith("#"))
"""The type of each field of ECS, by its dotted name."""

OWN_FIELDS = {
    "correlation_id": "keyword",
    "error_type": "keyword",
    "error_code": "keyword",
    "http_status": "long",
    "metadata": "flattened",
}
"""What the contract adds to ECS, and nothing else."""

REQUIRED = ("@timestamp", "ecs.version", "log.level", "message", "service.name", "service.version")

ERROR_TYPES = {
    "authentication_error",
    "validation_error",
    "external_service_error",
    "websocket_error",
    "internal_error",
}

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}Z")
_TEXTS = {"keyword", "constant_keyword", "wildcard", "match_only_text", "ip"}
_INTEGERS = {"long", "integer"}
_NUMBERS = {"float", "double", "scaled_float"}
_OBJECTS = {"object", "flattened", "nested", "geo_point"}


def problems(line: str) -> list[str]:
    """List what is wrong with a line of the service's log; nothing when it is fine."""
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        return [f"not JSON: {error}"]
    if not isinstance(entry, dict):
        return ["not an object"]
    leaves = list(flat(entry))
    names = [name for name, _ in leaves]
    found = [f"{name} is there twice" for name in {*names} if names.count(name) > 1]
    found += [f"{name} is missing" for name in REQUIRED if name not in names]
    found += [complaint for name, value in leaves if (complaint := _complaint(name, value))]
    if entry.get("error_type", "internal_error") not in ERROR_TYPES:
        found.append(f"error_type {entry['error_type']!r} is none of the contract's")
    return found


def check(lines: Sequence[str]) -> None:
    """Raise `AssertionError` for lines that are not ECS as the contract wants it."""
    wrong = [f"{'; '.join(found)}\n  {line}" for line in lines if (found := problems(line))]
    assert not wrong, "these log lines are not ECS:\n" + "\n".join(wrong)


def flat(entry: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Name each value of an entry by its dotted path; what ECS leaves open is one value."""
    for key, value in entry.items():
        name = f"{above}{key}"
        if isinstance(value, dict) and _type_of(name) not in _OBJECTS:
            yield from flat(value, f"{name}.")
        else:
            yield name, value


def _type_of(name: str) -> str | None:
    return OWN_FIELDS.get(name) or FIELDS.get(name)


def _complaint(name: str, value: object) -> str | None:
    type_ = _type_of(name)
    if type_ is None:
        return f"{name} is no field of ECS nor of the contract"
    # Elasticsearch takes a list wherever it takes a value.
    values = value if isinstance(value, list) else [value]
    if all(_fits(one, type_) for one in values):
        return None
    return f"{name} must be of the type {type_}, not {value!r}"


def _fits(value: object, type_: str) -> bool:
    if type_ == "date":
        return isinstance(value, str) and _TIMESTAMP.fullmatch(value) is not None
    if type_ == "boolean":
        return isinstance(value, bool)
    if type_ in _INTEGERS:
        return isinstance(value, int) and not isinstance(value, bool)
    if type_ in _NUMBERS:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if type_ in _OBJECTS:
        return isinstance(value, dict)
    assert type_ in _TEXTS, type_
    return isinstance(value, str)
