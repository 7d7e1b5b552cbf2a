"""Ends of connections to PostgreSQL that one of both sides does not notice."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Final

KEEPALIVE: Final = (
    "SELECT set_config('tcp_keepalives_idle', '2', false), "
    "set_config('tcp_keepalives_interval', '1', false), "
    "set_config('tcp_keepalives_count', '3', false)"
)
"""Lets the server notice after about five seconds that the machine of a client is out of reach.

It would keep the locks of its session for hours.
"""

SESSION: Final = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
"""Returns process id and start of the server's side of a connection."""

END_SESSION: Final = """
    SELECT pg_terminate_backend(pid, 500) FROM pg_stat_activity
    WHERE pid = %s AND backend_start = %s
"""
"""Ends such a side, which may have kept the locks of its connection."""


def shut_down(descriptor: int) -> None:
    """Shut a connected socket down, so that whoever waits for it is woken."""
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as found:
        found.shutdown(socket.SHUT_RDWR)
