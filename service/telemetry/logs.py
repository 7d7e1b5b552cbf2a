"""Logging: one line per event on standard output, as JSON in ECS or as text for a terminal.

Records of libraries that use `logging` are formatted the same way. Callers pass the indexed fields
as keyword arguments: `correlation_id`, `error_type`, `error_code`, `http_status`, `metadata`.
Tokens are redacted from every line.
"""

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


def get_logger(name: str = "service") -> FilteringBoundLogger:
    """Return the logger `name`; it may be called before `configure_logging`."""
    return cast(FilteringBoundLogger, structlog.get_logger(name))


def configure_logging(level: str, format_: Literal["ecs", "console"]) -> None:
    """Write all records of at least `level` to standard output, in this format."""
    number = logging.getLevelNamesMapping()[level.upper()]
    handler = _StandardOutput(sys.stdout)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder()],
            processors=_ecs() if format_ == "ecs" else _console(sys.stdout),
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
        processors=[ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(number),
        cache_logger_on_first_use=False,
    )


def redact(_logger: WrappedLogger, _method: str, line: str) -> str:
    """Replace everything in a formatted line that looks like a token."""
    if "eyJ" not in line and "token=" not in line.lower():
        # Most lines by far, for a tenth of the time of the expression.
        return line
    return _TOKENS.sub(lambda found: (found["name"] or "") + "***", line)


def _ecs() -> list[Processor]:
    # The formatter itself sets `@timestamp` and `log.level`.
    return [
        _add_origin,
        ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        EcsFormatter(),
        cast(Processor, redact),
    ]


def _console(stream: TextIO) -> list[Processor]:
    return [
        ProcessorFormatter.remove_processors_meta,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        # Plain tracebacks, since the others show local variables, and so secrets.
        structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
        ),
        cast(Processor, redact),
    ]


def _add_origin(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add the service and the logger in the fields of ECS."""
    record: logging.LogRecord = event["_record"]
    event["service"] = {"name": "ws-service", "version": __version__}
    event["log"] = {"logger": record.name}
    return event


class _StandardOutput(logging.StreamHandler[TextIO]):
    """A stream handler that tolerates a closed pipe."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name in `logging`
        """Discard all further logs after a broken pipe."""
        if isinstance(sys.exception(), BrokenPipeError):
            # To /dev/null, since flushing the buffer at exit would fail as well.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())
        else:
            super().handleError(record)
