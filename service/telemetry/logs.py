"""Logs: one line for each event on standard output, as JSON in ECS or for a person.

What the libraries log through `logging` takes the same way. A caller gives the fields that
ELK knows as keyword arguments: `correlation_id`, `error_type`, `error_code`, `http_status`,
`metadata`. Whatever the fields, no token leaves this module.
"""

import logging
import os
import re
import sys
from typing import Literal, TextIO, cast

import structlog
from ecs_logging import StructlogFormatter
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from service import __version__

# A JWT begins with `{"` in base64url; "token=" also ends "access_token=".
_TOKENS = re.compile(r"(?P<name>(?i:token=))[^&\s\"'\\]+|eyJ[\w-]{8,}(?:\.[\w-]*)*")


def get_logger(name: str = "service") -> FilteringBoundLogger:
    """Return the logger called `name`; it may be taken before `configure_logging`."""
    return cast(FilteringBoundLogger, structlog.get_logger(name))


def configure_logging(level: str, format_: Literal["ecs", "console"]) -> None:
    """Send all logs of at least `level` to standard output, in this format."""
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
    root.setLevel(number)
    # Alembic tells of each start that it has looked; that it changed something, we log ourselves.
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
    """Take everything out of a finished line that looks like a token."""
    return _TOKENS.sub(lambda found: (found["name"] or "") + "***", line)


def _ecs() -> list[Processor]:
    # The formatter itself sets `@timestamp` and `log.level`.
    return [
        _add_origin,
        ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        cast(Processor, StructlogFormatter(ensure_ascii=False)),
        cast(Processor, redact),
    ]


def _console(stream: TextIO) -> list[Processor]:
    return [
        ProcessorFormatter.remove_processors_meta,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        # The prettier tracebacks show local variables, and so secrets.
        structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
        ),
        cast(Processor, redact),
    ]


def _add_origin(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Say which service and which of its loggers speaks, in the fields of ECS."""
    record: logging.LogRecord = event["_record"]
    event["service"] = {"name": "ws-service", "version": __version__}
    event["log"] = {"logger": record.name}
    return event


class _StandardOutput(logging.StreamHandler[TextIO]):
    """A stream that is flushed with each line, and whose reader may go away."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name in `logging`
        """Go on without logs when nobody reads them any more."""
        if isinstance(sys.exception(), BrokenPipeError):
            # What is still in the buffer must go somewhere, or the exit of Python fails too.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())
        else:
            super().handleError(record)
