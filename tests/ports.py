"""Ports for servers that can't choose one themselves."""

from __future__ import annotations

import socket
from contextlib import closing


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
