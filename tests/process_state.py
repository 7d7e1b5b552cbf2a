"""What commands change for all of the process in which a test runs them."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import structlog


@contextmanager
def process_kept() -> Iterator[None]:
    """Undo how commands configure the logs, and that a closed pipe or socket ends the process."""
    pipes = signal.getsignal(signal.SIGPIPE)
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    was_configured, configuration = structlog.is_configured(), structlog.get_config()
    try:
        yield
    finally:
        signal.signal(signal.SIGPIPE, pipes)
        root.handlers = handlers
        root.setLevel(level)
        if was_configured:
            structlog.configure(**configuration)
        else:
            structlog.reset_defaults()
