"""Format log records as JSON in ECS: the lines of `ecs_logging`, for a third of its CPU time.

A service under load writes a line for each connection. Records with anything but texts, numbers
and flat objects of them, such as those with a stack trace, are formatted by `ecs_logging`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
from ecs_logging import ECS_VERSION, StructlogFormatter

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger

_PLAIN = frozenset((str, int, bool, type(None)))
"""Types that both encoders encode alike: floats, for one, are not among them."""

_RESERVED = frozenset(("@timestamp", "exception", "message"))
"""Fields that `ecs_logging` takes from a record or moves, if it has them."""

_NOT_NESTED = _RESERVED | {"log"}
"""Objects that no dotted name may fill here."""

_encode = msgspec.json.Encoder(order="sorted").encode
_library = StructlogFormatter(ensure_ascii=False)


class _Unusual(Exception):
    """The record needs the library."""


class EcsFormatter:
    """The last processor of structlog's chain: renders an event dictionary as one line."""

    def __init__(self) -> None:
        """Begin without a cached second."""
        self._second = -1
        self._prefix = ""

    def __call__(self, logger: WrappedLogger, name: str, event: EventDict) -> str:
        """Return the line."""
        try:
            fields = _nested(event)
            message = _encode(str(event["event"])).decode()
            rest = _encode(fields).decode()
        except (_Unusual, ValueError, TypeError, OverflowError):
            # A lone surrogate, for one, is a `UnicodeEncodeError`, and so a `ValueError`.
            return _library(logger, name, dict(event))
        level = name.lower()
        return f'{{"@timestamp":"{self.now()}","log.level":"{level}","message":{message},{rest[1:]}'

    def now(self) -> str:
        """Return the time in UTC, in milliseconds; the seconds are formatted once."""
        second, rest = divmod(time.time_ns(), 1_000_000_000)
        if second != self._second:
            self._second = second
            self._prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._prefix}.{rest // 1_000_000:03}Z"


def _nested(event: EventDict) -> dict[str, Any]:
    """Return the fields with dotted names expanded to objects; raise `_Unusual`.

    `event` itself is the message, which has another name in ECS than `event.duration`.
    """
    fields: dict[str, Any] = {"ecs.version": ECS_VERSION}
    for key, value in event.items():
        if key == "event":
            continue
        if type(value) is dict:
            _check_flat(value)
            if key == "log" and ("level" in value or not value):
                raise _Unusual
        elif type(value) not in _PLAIN:
            raise _Unusual
        if "." not in key:
            if key in fields or key in _RESERVED:
                raise _Unusual
            fields[key] = value
            continue
        outer, _, inner = key.partition(".")
        is_taken = outer in _NOT_NESTED or (outer in event and outer != "event")
        if is_taken or "." in inner or type(value) is dict:
            raise _Unusual
        fields.setdefault(outer, {})[inner] = value
    return fields


def _check_flat(fields: dict[Any, Any]) -> None:
    for key, value in fields.items():
        if type(key) is not str or "." in key:
            raise _Unusual
        if type(value) is dict:
            # `service.node`, for one.
            _check_flat(value)
        elif type(value) not in _PLAIN:
            raise _Unusual
