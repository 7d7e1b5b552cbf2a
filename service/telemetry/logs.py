"""Logging: one line per event on standard output, as JSON in ECS or as text for a terminal.

Records of libraries that use `logging` are formatted the same way. Callers pass the indexed fields
as keyword arguments: `correlation_id`, `error_type`, `error_code`, `http_status`, `metadata`.
Tokens are redacted from every line.
"""

import asyncio
import logging
import os
import re
import sys
from typing import Literal, TextIO, cast

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from service import __version__
from service.telemetry.ecs import EcsFormatter

# A JWT begins with `{"` in base64url; "token=" also ends "access_token=".
_TOKENS = re.compile(r"(?P<name>(?i:token=))[^&\s\"'\\]+|eyJ[\w-]{8,}(?:\.[\w-]*)*")


_SERVICE: dict[str, object] = {"name": "ws-service", "version": __version__}
_service = _SERVICE


def get_logger(name: str = "service") -> FilteringBoundLogger:
    """Return the logger `name`; it may be called before `configure_logging`."""
    return cast(FilteringBoundLogger, structlog.get_logger(name))


def configure_logging(
    level: str, format_: Literal["ecs", "console"], *, node: str | None = None
) -> None:
    """Write all records of at least `level` to standard output, in this format.

    Each has the name of this `node`, if there is one.
    """
    global _service  # noqa: PLW0603 - logging is configured for the process
    _service = _SERVICE if node is None else {**_SERVICE, "node": {"name": node}}
    number = logging.getLevelNamesMapping()[level.upper()]
    handler = _StandardOutput(sys.stdout)
    processors = _ecs() if format_ == "ecs" else _console(sys.stdout)
    # For the records of libraries; those of the service go past `logging`, for half of the time.
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder()],
            processors=[_add_origin, ProcessorFormatter.remove_processors_meta, *processors],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    # No line contains these, which cost more than the rest of a record (see "Optimization" in the
    # documentation of `logging`).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 - as documented there
    root.setLevel(number)
    # Alembic logs each start even without a migration; migrations are logged by the service.
    logging.getLogger("alembic").setLevel(max(number, logging.WARNING))
    # SQLAlchemy logs each statement at `info`, the others log each call or timer at `debug`.
    logging.getLogger("sqlalchemy").setLevel(max(number, logging.WARNING))
    for library in ("aiosqlite", "asyncio"):
        logging.getLogger(library).setLevel(max(number, logging.INFO))
    structlog.configure(
        processors=[_add_origin, *processors],
        logger_factory=_Factory(handler, is_ecs=format_ == "ecs" and number <= logging.INFO),
        wrapper_class=structlog.make_filtering_bound_logger(number),
        cache_logger_on_first_use=False,
    )


def ecs_output() -> "_StandardOutput | None":
    """Return what takes lines in ECS at level `info`; None where they are not written."""
    factory = structlog.get_config()["logger_factory"]
    return factory.output if isinstance(factory, _Factory) and factory.is_ecs else None


def redact(_logger: WrappedLogger, _method: str, line: str) -> str:
    """Replace everything in a formatted line that looks like a token."""
    if "eyJ" not in line and "token=" not in line.lower():
        # Most lines by far, for a tenth of the time of the expression.
        return line
    return _TOKENS.sub(lambda found: (found["name"] or "") + "***", line)


def _ecs() -> list[Processor]:
    # The formatter itself sets `@timestamp` and `log.level`.
    return [
        structlog.processors.format_exc_info,
        EcsFormatter(),
        cast(Processor, redact),
    ]


def _console(stream: TextIO) -> list[Processor]:
    return [
        _without_origin,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        # Plain tracebacks, since the others show local variables, and so secrets.
        structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
        ),
        cast(Processor, redact),
    ]


def _add_origin(logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add the service and the logger in the fields of ECS."""
    record: logging.LogRecord | None = event.get("_record")
    return with_origin(logger.name if record is None else record.name, event)


def service_fields() -> dict[str, object]:
    """Return the object `service` of each record; it is the same one until it changes."""
    return _service


def with_origin(logger_name: str, event: EventDict) -> EventDict:
    """Add the service and the logger to an event."""
    event["service"] = _service
    event["log"] = {"logger": logger_name}
    return event


def _without_origin(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    del event["service"], event["log"]
    return event


class _StandardOutput(logging.StreamHandler[TextIO]):
    """A stream handler that tolerates a closed pipe."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._waiting: list[str] = []
        """Lines that are written by the next flush: the stream may write each one at once."""
        self._flushing: asyncio.AbstractEventLoop | None = None
        """The loop that flushes at the end of its turn."""

    def write_line(self, line: str, *, soon: bool) -> None:
        """Write a line; those of one turn of the event loop are one write if they are for soon."""
        self.acquire()
        try:
            self._waiting.append(line + self.terminator)
            if soon and self._is_flushed_soon():
                return
            self.flush()
        except Exception:  # noqa: BLE001 - as `logging` does
            self.handleError(logging.makeLogRecord({"msg": line}))
        finally:
            self.release()

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record of a library, after what waits."""
        try:
            self._write_waiting()
        except Exception:  # noqa: BLE001 - as `logging` does
            self.handleError(record)
        super().emit(record)

    def flush(self) -> None:
        """Write what waits, and flush the stream; `logging` does so at the end of the process."""
        self.acquire()
        try:
            self._write_waiting()
            super().flush()
        finally:
            self.release()

    def _write_waiting(self) -> None:
        if self._waiting:
            text = "".join(self._waiting)
            # First, since writing may fail.
            self._waiting.clear()
            self.stream.write(text)

    def _is_flushed_soon(self) -> bool:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        if self._flushing is not loop:
            self._flushing = loop
            loop.call_soon(self._flush_at_end)
        return True

    def _flush_at_end(self) -> None:
        self._flushing = None
        try:
            self.flush()
        except Exception:  # noqa: BLE001 - as `logging` does
            self.handleError(logging.makeLogRecord({"msg": "flush"}))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name in `logging`
        """Discard all further logs after a broken pipe."""
        if isinstance(sys.exception(), BrokenPipeError):
            # To /dev/null, since flushing the buffer at exit would fail as well.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())
        else:
            super().handleError(record)


class _Lines:
    """A logger of the service: writes the lines that structlog's processors have rendered."""

    __slots__ = ("_output", "name")

    def __init__(self, name: str, output: _StandardOutput) -> None:
        self.name = name
        self._output = output

    def info(self, line: str) -> None:
        self._output.write_line(line, soon=True)

    def warning(self, line: str) -> None:
        # What is wrong must be read, even if the process ends in this turn of the loop.
        self._output.write_line(line, soon=False)

    debug = info
    error = critical = warning


class _Factory:
    """Makes the loggers of the service."""

    def __init__(self, output: _StandardOutput, *, is_ecs: bool) -> None:
        self.output = output
        self.is_ecs = is_ecs
        """Whether lines in ECS at level `info` are written."""

    def __call__(self, name: str = "") -> _Lines:
        return _Lines(name, self.output)
