"""Log lines that are written for each connection, rendered from a template.

structlog and the formatter take a tenth of the CPU time of a connection for one line. A frequent
line has the same fields each time, so that only their values are encoded. Where the format is not
ECS, or a value can't be encoded, the line goes the way of all others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.telemetry import logs
from service.telemetry.ecs import EcsFormatter

if TYPE_CHECKING:
    from collections.abc import Sequence

_encode = msgspec.json.Encoder().encode
_formatter = EcsFormatter()

_HEAD_END = '","log.level"'
"""What follows the time in a line."""


class FrequentLine:
    """A line at level `info`, whose fields are texts and integers."""

    __slots__ = ("_logger", "_logger_name", "_message", "_names", "_parts", "_service")

    def __init__(self, logger_name: str, message: str, *names: str) -> None:
        """Take the names of the fields in the order of their values; a dot is within an object."""
        self._logger_name = logger_name
        self._logger = logs.get_logger(logger_name)
        self._message = message
        self._names = names
        self._parts: list[tuple[str, int]] = []
        """The texts of the line, each with the index of the value behind it; -1 at the end."""
        self._service: dict[str, object] | None = None
        """The fields of the service that are in these texts."""

    def write(self, *values: str | int) -> None:
        """Write the line with these values of its fields."""
        output = logs.ecs_output()
        if output is not None:
            try:
                line = self._rendered(values)
            except ValueError:
                # A lone surrogate, for one.
                pass
            else:
                output.write_line(line, soon=True)
                return
        self._logger.info(self._message, **_fields(self._names, values))

    def _make_parts(self) -> None:
        """Make the texts, from a line with marks in the place of the values."""
        self._service = logs.service_fields()
        marks = [f"%{index}%" for index in range(len(self._names))]
        event = {"event": self._message, **_fields(self._names, marks)}
        line = _formatter(None, "info", logs.with_origin(self._logger_name, event))
        rest = line[line.index(_HEAD_END) :]
        places = sorted((rest.index(f'"{mark}"'), index) for index, mark in enumerate(marks))
        self._parts, begin = [], 0
        for place, index in places:
            self._parts.append((rest[begin:place], index))
            begin = place + len(marks[index]) + 2
        self._parts.append((rest[begin:], -1))

    def _rendered(self, values: Sequence[str | int]) -> str:
        if self._service is not logs.service_fields():
            self._make_parts()
        parts = ['{"@timestamp":"', _formatter.now()]
        for text, index in self._parts:
            parts.append(text)
            if index >= 0:
                parts.append(_encode(values[index]).decode())
        return logs.redact(None, "info", "".join(parts))


def _fields(names: Sequence[str], values: Sequence[str | int]) -> dict[str, object]:
    """Return the fields as a logger takes them: `metadata` is an object there."""
    fields: dict[str, object] = {}
    metadata: dict[str, object] = {}
    for name, value in zip(names, values, strict=True):
        outer, _, inner = name.partition(".")
        if outer == "metadata":
            metadata[inner] = value
            fields["metadata"] = metadata
        else:
            fields[name] = value
    return fields
